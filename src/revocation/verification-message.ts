import type { z } from 'zod';
import type { AuditEntry } from '../audit/record.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import { type Cause, KEY_WORK, MOST_CHARACTERS, type SAID } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';

/**
 * When passes over the key follow: soon, for writes that were in flight; after a minute, when each of them has landed or never
 * will; and after five more, by which clocks may differ. Seconds.
 */
export const VERIFY_AFTER_SECONDS = [15, 75, 400];
/** When a record that a killed call may have sent last of all (a call ends within 200 s) takes no more effect (a minute). Seconds. */
const LAST_RECORD_SECONDS = 275;
/**
 * How old a change of a key has to be, by the clock of the instance that verifies, before that instance writes its audit record:
 * then the process that made the change writes none any more, even if the clocks are five minutes apart. Milliseconds.
 */
export const RECORDED_AFTER_MS = LAST_RECORD_SECONDS * 1000 + CLOCKS_MS;
/** When passes over the key follow in case the process dies: soon, to finish the change; and once it is old enough to record, even by a slow clock. Seconds. */
export const RECOVER_AFTER_SECONDS = [60, (RECORDED_AFTER_MS + CLOCKS_MS) / 1000];

/** Who revokes or restores, and why. */
export interface WhoAndWhy {
  readonly caller: NonNullable<AuditEntry['caller']>;
  readonly correlationId: string;
  /** Why, in the caller's words. */
  readonly why: string;
  readonly ticket: string | undefined;
}

/** A message that is refused for its own text would end in poison. */
function cut(text: string, most: keyof typeof MOST_CHARACTERS): string {
  return text.slice(0, MOST_CHARACTERS[most]);
}

/** Requests verifications of a key. @param delays seconds from now */
export async function sendVerifications(
  key: ManagedKey,
  by: 'revoke' | 'restore',
  call: WhoAndWhy,
  delays: readonly number[],
  { queue, now }: { readonly queue: Pick<WorkQueue, 'send'>; readonly now: () => Date },
): Promise<void> {
  const cause = callCause(by, call.correlationId, now());
  const work = { kind: 'revocation', key: key.id, claimed: callToSend(call), cause, attempt: 0 } as const;
  await Promise.all(
    delays.map((seconds) => {
      const due = new Date(now().getTime() + seconds * 1000).toISOString();
      return queue.send(KEY_WORK, { ...work, due }, seconds);
    }),
  );
}

/** As messages carry it. */
function callToSend({ caller, correlationId, why, ticket }: WhoAndWhy): z.output<typeof SAID> {
  return {
    caller: {
      objectId: cut(caller.objectId, 'id'),
      appId: cut(caller.appId, 'appId'),
      ...(caller.kind ? { kind: caller.kind } : {}),
      tokenId: caller.tokenId && cut(caller.tokenId, 'tokenId'),
      name: caller.name && cut(caller.name, 'name'),
    },
    correlationId: cut(correlationId, 'ref'),
    why: cut(why, 'why'),
    ticket: ticket && cut(ticket, 'ticket'),
  };
}

export function callCause(by: string, ref: string, now: Date): Cause {
  return { by, ref: cut(ref, 'ref'), since: now.toISOString() };
}
