import { BREAK_GLASS_AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import type { AuditEntry } from '../audit/record.ts';
import type { Log } from '../errors/log.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import type { FollowUpServices, RevocationCall } from './follow-ups.ts';
import type { RevocationName } from './revocation.ts';

/** Services for work beside a change of a key, which must not delay the change. */
export interface BesideServices extends FollowUpServices {
  readonly audit: RecordAudit;
}

/** Result of the audit record for the answer; the receipt later proves that the trail has the record. */
export interface Audited {
  readonly audit: string;
  readonly auditReceipt?: string;
}

/** Result of a call that changed nothing. */
export const NOT_AUDITED: Audited = { audit: 'no record: the call changed nothing' };

/** Warns the caller if the audit trail lacks the change. */
export function listAuditWarnings({ audit: outcome }: Audited): string[] {
  return outcome === 'written' || outcome === NOT_AUDITED.audit ? [] : [`Not in the audit trail: ${outcome}`];
}

/** Change of a key by a call. */
interface Done {
  /** Absent: the event has no id of its own. */
  readonly id?: string | undefined;
  readonly action: RevocationAction;
  /** Identifier of the key. */
  readonly resource: string;
  readonly reason: Reason;
  readonly revocation: RevocationName | undefined;
  readonly details?: Readonly<Record<string, unknown>>;
}

export function toAuditEntry({ revocation, details, ...done }: Done, call: RevocationCall): AuditEntry {
  const { caller, correlationId, why, ticket } = call;
  return { ...done, caller, correlationId, details: { why, ticket, revocation, ...details } };
}

/** Records a change after its writes: first in the log, then in the audit trail. */
export async function writeDown(
  done: Done,
  call: RevocationCall,
  { audit }: Pick<BesideServices, 'audit'>,
  log: Log,
): Promise<Audited> {
  const { action, resource: key, reason, revocation, details } = done;
  const { objectId, kind, appId: client } = call.caller;
  const who = { caller: objectId, kind, client, correlationId: call.correlationId };
  const about = { key, revocation: revocation?.id, ...who, elapsedMs: details?.elapsedMs };

  log({ level: 'warning', reason, message: REASONS[reason], ...about });

  const id = revocation && ITS_OWN.has(reason) ? createRecordId(action, revocation.id, objectId) : undefined;
  const outcome = await audit(toAuditEntry({ ...done, id }, call), BREAK_GLASS_AUDIT_WAIT_MS);
  if ('failed' in outcome) return { audit: outcome.failed };

  return { audit: 'written', auditReceipt: `${outcome.written.seq}:${outcome.written.hash}` };
}

/**
 * Reasons that are recorded under the revocation's own id. A rejection has another id, since the id must identify the
 * restore.
 */
const ITS_OWN: ReadonlySet<Reason> = new Set([
  'Revoked',
  'RevocationIncomplete',
  'VaultReadOnly',
  'Restored',
  'RestoreIncomplete',
]);

/** Action in the audit trail. */
export type RevocationAction = 'key.revoke' | 'key.restore';

/** Two people may restore the same revocation at the same time, so the id includes the caller. */
export function createRecordId(action: RevocationAction, revocation: string, objectId: string): string {
  return `${action}/${revocation}/${objectId}`;
}
