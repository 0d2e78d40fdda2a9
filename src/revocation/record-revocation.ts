import { type AuditOutcome, BREAK_GLASS_AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { withDeadline } from '../azure/deadline.ts';
import { messageOf } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { KEY_WORK, type Work } from '../work/messages.ts';
import type { RequestKey, WorkQueue } from '../work/work-queue-client.ts';
import type { RevocationStamp } from './revocation.ts';
import {
  callCause,
  RECOVER_AFTER_SECONDS,
  sendVerifications,
  VERIFY_AFTER_SECONDS,
  type WhoAndWhy,
} from './verification-message.ts';

/** How long an answer waits for the queue; the key does not wait for it. Milliseconds. */
const QUEUE_WAIT_MS = 2_000;

/** A call that revokes or restores. */
export type RevocationCall = WhoAndWhy;

/** What goes on beside a change of a key, and must not hold it up. */
export interface BesideServices {
  readonly audit: RecordAudit;
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly now: () => Date;
}

/** What became of the audit record, in words that go into the answer; the receipt proves later that it is still there. */
export interface Audited {
  readonly audit: string;
  readonly auditReceipt?: string;
}

/** Of a call that changed nothing. */
export const NOT_AUDITED: Audited = { audit: 'nothing to write: nothing was changed' };

/** For the caller, if the audit trail lacks the change. */
export function auditWarning({ audit: outcome }: Audited): string[] {
  return outcome === 'written' || outcome === NOT_AUDITED.audit ? [] : [`Not in the audit trail: ${outcome}`];
}

/** What a call has changed. */
interface Done {
  readonly action: RevocationAction;
  /** Identifier of the key. */
  readonly resource: string;
  readonly reason: Reason;
  readonly revocation: RevocationStamp | undefined;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Writes down a change once Azure is done with it: first into the log, then into the audit trail. */
export async function writeDown(
  { action, resource, reason, revocation, details: more }: Done,
  { caller, correlationId, why, ticket }: RevocationCall,
  { audit }: Pick<BesideServices, 'audit'>,
  log: Log,
): Promise<Audited> {
  const { objectId } = caller;
  const about = {
    key: resource,
    revocation: revocation?.id,
    caller: objectId,
    kind: caller.kind,
    client: caller.appId,
    correlationId,
  };
  log({ level: 'warning', reason, message: REASONS[reason], ...about, elapsedMs: more.elapsedMs });
  const details = { why, ticket, revocation, ...more };
  const id = revocation && ITS_OWN.has(reason) ? recordId(action, revocation.id, caller.objectId) : undefined;
  const entry = { ...(id ? { id } : {}), action, reason, resource, caller, correlationId, details };
  return audited(await audit(entry, BREAK_GLASS_AUDIT_WAIT_MS));
}

/**
 * Reasons that are recorded under the revocation's own id. A refusal is none: it must not stand for the restore to come.
 */
const ITS_OWN: ReadonlySet<Reason> = new Set(['Revoked', 'RevocationIncomplete', 'Restored', 'RestoreIncomplete']);

/** What goes into the audit trail. */
export type RevocationAction = 'key.revoke' | 'key.restore';

/** Runs optional work that must not delay the answer. @returns a warning for work that failed or took too long */
async function inTime(what: string, run: () => Promise<void>): Promise<string[]> {
  try {
    await withDeadline(QUEUE_WAIT_MS, 'The queue did not answer', run);
    return [];
  } catch (error) {
    return [`${what} (${messageOf(error).split('\n')[0]})`];
  }
}

/** Sends the messages for further passes over the key. @returns a warning for each that failed */
export function requestVerification(
  key: ManagedKey,
  did: 'revoke' | 'restore',
  call: RevocationCall,
  services: BesideServices,
): Promise<string[]> {
  const what = 'No later pass checks the key for writes that were still in flight; repeat the call in a minute';
  return inTime(what, () => sendVerifications(key, did, call, VERIFY_AFTER_SECONDS, services));
}

/** Before anything is written: should this process die, what it had begun is finished and recorded. Never rejects. */
export async function requestRecovery(
  key: ManagedKey,
  did: 'revoke' | 'restore',
  call: WhoAndWhy,
  services: Pick<BesideServices, 'queue' | 'now'>,
): Promise<void> {
  await inTime('', () => sendVerifications(key, did, call, RECOVER_AFTER_SECONDS, services));
}

/** Puts the probe of the file services to work; its results show in the key's status. */
export function watchEffect(
  key: ManagedKey,
  did: 'revoke' | 'restore',
  { correlationId }: RevocationCall,
  { queue, now }: BesideServices,
): Promise<string[]> {
  const work: Work = { kind: 'probe', key: key.id, cause: callCause(did, correlationId, now()), attempt: 0 };
  return inTime('The effect on the file shares is not watched', () => queue.send(KEY_WORK, work));
}

/** Has the uses of a restored key moved to its newest version. */
export function reconcileRestored(
  key: ManagedKey,
  { correlationId }: RevocationCall,
  { requestKey, now }: Pick<BesideServices, 'now'> & { readonly requestKey: RequestKey },
): Promise<string[]> {
  const cause = callCause('restore', correlationId, now());
  return inTime('Its uses are not moved now; the next drift check does it', () => requestKey(key.id, cause));
}

/** Two people may restore one revocation at the same moment: each is on record. */
export function recordId(action: RevocationAction, revocation: string, objectId: string): string {
  return `${action}/${revocation}/${objectId}`;
}

function audited(outcome: AuditOutcome): Audited {
  if ('failed' in outcome) return { audit: outcome.failed };
  return { audit: 'written', auditReceipt: `${outcome.written.seq}:${outcome.written.hash}` };
}
