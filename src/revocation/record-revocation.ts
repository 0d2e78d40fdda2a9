import type { RecordAudit } from '../audit/audit-trail.ts';
import type { Caller } from '../http/caller.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { VersionReport } from './version-report.ts';

/** How long an answer waits for the audit trail, and for the queue, in milliseconds. Neither holds up the key. */
const AUDIT_WAIT_MS = 2_000;
const QUEUE_WAIT_MS = 2_000;

/** A call that changed a key, or tried to. */
export interface Change {
  readonly action: 'key.revoke' | 'key.restore';
  readonly key: ManagedKey;
  readonly caller: Caller;
  readonly correlationId: string;
  /** Why, in the caller's words. */
  readonly why: string;
  readonly ticket: string | undefined;
  readonly reason: Reason;
  readonly revocation: { readonly id: string; readonly revokedOn: string; readonly revokedBy: string } | undefined;
  readonly complete: boolean;
  readonly versions: readonly VersionReport[];
  readonly elapsedMs?: number;
  /** The key was soft-deleted before. */
  readonly recovered?: boolean;
}

/** What became of the audit record, in words that go into the answer; the receipt proves later that it is still there. */
export interface Audited {
  readonly audit: string;
  readonly auditReceipt?: string;
}

/** Writes down a change once Key Vault is done with it: first into the log, then into the audit trail. */
export async function writeDown(change: Change, services: { readonly audit: RecordAudit }, log: Log): Promise<Audited> {
  const {
    action,
    key,
    caller,
    correlationId,
    reason,
    revocation,
    why,
    ticket,
    complete,
    versions,
    elapsedMs,
    recovered,
  } = change;
  const { objectId, appId, tokenId, name } = caller;
  const message = REASONS[reason];
  log({ level: 'warning', reason, message, key: key.id, revocation, caller: objectId, elapsedMs, correlationId });
  const details = { why, ticket, revocation, complete, recovered, versions };
  const outcome = await services.audit(
    { action, reason, resource: key.id, caller: { objectId, appId, tokenId, name }, correlationId, details },
    AUDIT_WAIT_MS,
  );
  if ('failed' in outcome) return { audit: outcome.failed };
  return { audit: 'written', auditReceipt: `${outcome.written.seq}:${outcome.written.hash}` };
}

/** Puts the probe of the file services to work; its results show in the key's status. */
export async function watchEffect(
  key: ManagedKey,
  expect: 'blocked' | 'open',
  correlationId: string,
  services: { readonly queue: WorkQueue; readonly now: () => Date },
): Promise<void> {
  const since = services.now().toISOString();
  const cause = { by: expect === 'blocked' ? 'revoke' : 'restore', ref: correlationId, since };
  await services.queue.send(KEY_WORK, { kind: 'probe', key: key.id, expect, since, cause, attempt: 0 });
}

/** Runs what is good to have and must not hold up the answer; a warning says what did not work. */
export async function inTime(what: string, run: () => Promise<void>): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${QUEUE_WAIT_MS} ms`)), QUEUE_WAIT_MS);
  });
  const work = run();
  work.catch(() => {}); // when time is up first, nobody hears of it any more
  try {
    await Promise.race([work, timeUp]);
    return [];
  } catch (error) {
    return [`${what} (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`];
  } finally {
    clearTimeout(timer);
  }
}
