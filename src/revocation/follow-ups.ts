import type { z } from 'zod';
import type { AuditEntry } from '../audit/record.ts';
import { withDeadline } from '../azure/deadline.ts';
import { messageOf } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import { type Cause, KEY_WORK, MOST_CHARACTERS, type SAID, type Work } from '../work/messages.ts';
import type { RequestKey, WorkQueue } from '../work/work-queue-client.ts';

/**
 * After so long, no record of a killed call is appended any more: a call ends within 200 s, and its last write lands within a
 * minute. Seconds.
 */
const LAST_RECORD_SECONDS = 275;
/**
 * Age of a change, by the clock of the instance that verifies, from which that instance appends its audit record. By then the
 * process that made the change appends none any more, even if the clocks differ by five minutes. Milliseconds.
 */
export const RECORDED_AFTER_MS = LAST_RECORD_SECONDS * 1000 + CLOCKS_MS;
/**
 * Delays of the passes over the key, from the beginning of the call. The first is for writes that were in flight. By the second,
 * each write has landed or never will, and what a process that died had begun is finished. The third allows for clocks that
 * differ by five minutes; the last records what that process did, even by a slow clock. Seconds.
 */
const PASS_AFTER_SECONDS = [15, 75, 400, (RECORDED_AFTER_MS + CLOCKS_MS) / 1000];

/** From then on, the messages of the call itself no longer come; another one does not know its reason. Milliseconds. */
export const UNCLAIMED_AFTER_MS = RECORDED_AFTER_MS + 2 * CLOCKS_MS;

/** A call that revokes or restores: who, and why. */
export interface RevocationCall {
  readonly caller: NonNullable<AuditEntry['caller']>;
  readonly correlationId: string;
  /** Why, in the caller's words. */
  readonly why: string;
  readonly ticket: string | undefined;
}

/** How long an answer waits for the queue; the key does not wait for it. Milliseconds. */
const QUEUE_WAIT_MS = 2_000;

export interface FollowUpServices {
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly now: () => Date;
}

/**
 * Sends the messages for passes over the key, before anything is written: they repair what late writes undo, and should this
 * process die, they finish and record what it had begun. Never rejects. @returns a warning if that failed
 */
export function requestPasses(
  key: ManagedKey,
  by: 'revoke' | 'restore',
  call: RevocationCall,
  { queue, now }: FollowUpServices,
): Promise<string[]> {
  const what = 'No later pass checks the key for writes that were still in flight; repeat the call in a minute';
  const cause = callCause(by, call.correlationId, now());
  const work = { kind: 'revocation', key: key.id, claimed: callToSend(call), cause, attempt: 0 } as const;
  return inTime(what, async () => {
    await Promise.all(
      PASS_AFTER_SECONDS.map((seconds) => {
        const due = new Date(now().getTime() + seconds * 1000).toISOString();
        return queue.send(KEY_WORK, { ...work, due }, seconds);
      }),
    );
  });
}

/** Puts the probe of the file services to work; its results show in the key's status. */
export function watchEffect(
  key: ManagedKey,
  did: 'revoke' | 'restore',
  { correlationId }: RevocationCall,
  { queue, now }: FollowUpServices,
): Promise<string[]> {
  const work: Work = { kind: 'probe', key: key.id, cause: callCause(did, correlationId, now()), attempt: 0 };
  return inTime('The effect on the file shares is not watched', () => queue.send(KEY_WORK, work));
}

/** Has the uses of a restored key moved to its newest version. */
export function reconcileRestored(
  key: ManagedKey,
  { correlationId }: RevocationCall,
  { requestKey, now }: Pick<FollowUpServices, 'now'> & { readonly requestKey: RequestKey },
): Promise<string[]> {
  const cause = callCause('restore', correlationId, now());
  return inTime('Its uses are not moved now; the next drift check does it', () => requestKey(key.id, cause));
}

/** Runs optional work that must not delay the answer. @returns a warning for work that failed or took too long */
async function inTime(what: string, run: () => Promise<void>): Promise<string[]> {
  try {
    await withDeadline(QUEUE_WAIT_MS, 'No answer', run);
    return [];
  } catch (error) {
    return [`${what} (${messageOf(error).split('\n')[0]})`];
  }
}

/** A message that is refused for its own text would end in poison. */
function cut(text: string, most: keyof typeof MOST_CHARACTERS): string {
  return text.slice(0, MOST_CHARACTERS[most]);
}

/** As messages carry it. */
function callToSend({ caller, correlationId, why, ticket }: RevocationCall): z.output<typeof SAID> {
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

function callCause(by: string, ref: string, now: Date): Cause {
  return { by, ref: cut(ref, 'ref'), since: now.toISOString() };
}
