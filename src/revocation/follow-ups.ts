import type { AuditEntry } from '../audit/record.ts';
import { withDeadline } from '../azure/deadline.ts';
import { getMessage } from '../errors/errors.ts';
import { CLOCKS_MS } from '../formats/spans.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type Cause, KEY_WORK, type Work } from '../work/messages.ts';
import type { RequestKey, WorkQueue } from '../work/work-queue-client.ts';

/**
 * Time after which a killed call can no longer append an audit record, in seconds. A call ends within 200 s, and its
 * last write takes effect within a minute.
 */
const LAST_RECORD_SECONDS = 275;
/**
 * Age of a change, by the verifying instance's clock, at which that instance appends its audit record. By then the
 * process that made the change no longer appends a record, even if the clocks differ by five minutes. Milliseconds.
 */
export const RECORDED_AFTER_MS = LAST_RECORD_SECONDS * 1000 + CLOCKS_MS;
/**
 * Delays of the passes over the key from the start of the call, in seconds. The first pass repairs in-flight writes.
 * The second pass runs after every write has taken effect or failed, and finishes the work of a process that died. The
 * third pass allows for clocks that differ by five minutes. The last pass appends that process's audit record, even
 * with a slow clock.
 */
const PASS_AFTER_SECONDS = [15, 75, 400, (RECORDED_AFTER_MS + CLOCKS_MS) / 1000];

/** Age of a change at which the call's own messages no longer arrive; other messages lack its reason. Milliseconds. */
export const UNCLAIMED_AFTER_MS = RECORDED_AFTER_MS + 2 * CLOCKS_MS;

/** Caller and reason of a revocation or restore. */
export interface RevocationCall {
  readonly caller: NonNullable<AuditEntry['caller']>;
  readonly correlationId: string;
  /** Reason in the caller's words. */
  readonly why: string;
  readonly ticket: string | undefined;
}

/** How long an answer waits for the queue, in milliseconds. The key's change does not wait. */
const QUEUE_WAIT_MS = 2_000;

export interface FollowUpServices {
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly now: () => Date;
}

/**
 * Sends messages for passes over the key before the first write. The passes repair the effects of late writes. If this
 * process dies, the passes finish and record its work. Never rejects. @returns a warning if sending failed
 */
export function requestPasses(
  key: ManagedKey,
  by: 'revoke' | 'restore',
  call: RevocationCall,
  { queue, now }: FollowUpServices,
): Promise<string[]> {
  const what = 'No later pass checks the key for writes that were still in flight; repeat the call in a minute';
  const cause = callCause(by, call.correlationId, now());
  const work = { kind: 'revocation', key: key.id, claimed: call, cause, attempt: 0 } as const;

  return inTime(what, async () => {
    await Promise.all(
      PASS_AFTER_SECONDS.map((seconds) => {
        const due = new Date(now().getTime() + seconds * 1000).toISOString();
        return queue.send(KEY_WORK, { ...work, due }, seconds);
      }),
    );
  });
}

/** Queues the probe of the file services, whose results appear in the key's status. */
export function watchEffect(
  key: ManagedKey,
  did: 'revoke' | 'restore',
  { correlationId }: RevocationCall,
  { queue, now }: FollowUpServices,
): Promise<string[]> {
  const work: Work = { kind: 'probe', key: key.id, cause: callCause(did, correlationId, now()) };
  return inTime('The app does not probe the effect on the file shares', () => queue.send(KEY_WORK, work));
}

/** Requests that the uses of a restored key move to its newest version. */
export function reconcileRestored(
  key: ManagedKey,
  { correlationId }: RevocationCall,
  { requestKey, now }: Pick<FollowUpServices, 'now'> & { readonly requestKey: RequestKey },
): Promise<string[]> {
  const cause = callCause('restore', correlationId, now());
  return inTime('The app does not move the uses of the key now; the next drift check moves them', () =>
    requestKey(key.id, cause),
  );
}

/** Runs optional work that must not delay the answer. @returns a warning for work that failed or took too long */
async function inTime(what: string, run: () => Promise<void>): Promise<string[]> {
  try {
    await withDeadline(QUEUE_WAIT_MS, 'No answer', run);
    return [];
  } catch (error) {
    return [`${what} (${getMessage(error).split('\n')[0]})`];
  }
}

function callCause(by: string, ref: string, now: Date): Cause {
  return { by, ref, since: now.toISOString() };
}
