import type { AuditEntry } from '../audit/record.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type AccountRevocationWork, type Cause, KEY_WORK, type RevocationWork } from '../work/messages.ts';
import { MOST_CHARACTERS } from '../work/who-and-why.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { type RevocationStamp, WAS_OFF } from './revocation.ts';

/**
 * When the key, or the account, is looked at again: soon, for a write that was still under way; when every such write has come
 * to its end (a minute); and when clocks that differ (by five) have caught up. Seconds.
 */
export const SECOND_LOOKS = [15, 75, 400];
/**
 * When what begins is looked at, should its process die: soon, to finish it; and to record it, when a record that it may have
 * sent last of all (a call ends within 200 s) takes no more effect (a minute). Seconds.
 */
const LAST_LOOK_SECONDS = 275;
export const IF_KILLED = [60, LAST_LOOK_SECONDS];
/** Versions that fit into a message, which holds 64 KiB. */
const MOST_NAMED = 1_000;

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

export function lookMessage(
  key: ManagedKey,
  did: RevocationWork['did'],
  revocation: RevocationStamp,
  call: WhoAndWhy,
  now: Date,
  finished?: ReadonlyMap<string, boolean>,
): RevocationWork {
  return {
    kind: 'revocation',
    key: key.id,
    did,
    revocation: stampToSend(revocation),
    call: callToSend(call),
    finished: finished !== undefined,
    records: false,
    versions: [...(finished ?? [])]
      .slice(0, MOST_NAMED)
      .map(([version, on]) => (on ? version : `${version} ${WAS_OFF}`)),
    cause: callCause(did, call.correlationId, now),
    attempt: 0,
  };
}

/** The last look records what is not on record: nobody else is at that any more. */
export async function sendLooks(
  work: RevocationWork | AccountRevocationWork,
  looks: readonly number[],
  { queue }: { readonly queue: Pick<WorkQueue, 'send'> },
): Promise<void> {
  await Promise.all(
    looks.map((seconds) => queue.send(KEY_WORK, { ...work, records: seconds === looks.at(-1) }, seconds)),
  );
}

/** As messages carry it. */
export function stampToSend({ id, revokedOn, revokedBy, joined }: RevocationStamp): RevocationWork['revocation'] {
  return {
    id: cut(id, 'id'),
    revokedOn: revokedOn.toISOString(),
    revokedBy: cut(revokedBy, 'id'),
    ...(joined ? { joined: [...joined] } : {}),
  };
}

/** As messages carry it. */
export function callToSend({ caller, correlationId, why, ticket }: WhoAndWhy): RevocationWork['call'] {
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
