import { type AuditOutcome, BREAK_GLASS_AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
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
export function auditWarning({ audit: outcome }: Audited): string[] {
  return outcome === 'written' || outcome === NOT_AUDITED.audit ? [] : [`Not in the audit trail: ${outcome}`];
}

/** Change by a call. */
interface Done {
  readonly action: RevocationAction;
  /** Identifier of the key. */
  readonly resource: string;
  readonly reason: Reason;
  readonly revocation: RevocationName | undefined;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Records a change after its writes: first in the log, then in the audit trail. */
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
 * Reasons that are recorded under the revocation's own id. A rejection has another id, since the id must identify the
 * restore.
 */
const ITS_OWN: ReadonlySet<Reason> = new Set(['Revoked', 'RevocationIncomplete', 'Restored', 'RestoreIncomplete']);

/** Action in the audit trail. */
export type RevocationAction = 'key.revoke' | 'key.restore';

/** Two people may restore the same revocation at the same time, so the id includes the caller. */
export function recordId(action: RevocationAction, revocation: string, objectId: string): string {
  return `${action}/${revocation}/${objectId}`;
}

function audited(outcome: AuditOutcome): Audited {
  if ('failed' in outcome) return { audit: outcome.failed };
  return { audit: 'written', auditReceipt: `${outcome.written.seq}:${outcome.written.hash}` };
}
