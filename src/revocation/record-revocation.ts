import { type AuditOutcome, BREAK_GLASS_AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { FollowUpServices, RevocationCall } from './follow-ups.ts';
import type { RevocationName } from './revocation.ts';

/** What goes on beside a change of a key, and must not hold it up. */
export interface BesideServices extends FollowUpServices {
  readonly audit: RecordAudit;
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
  readonly revocation: RevocationName | undefined;
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

/** Two people may restore one revocation at the same moment: each is on record. */
export function recordId(action: RevocationAction, revocation: string, objectId: string): string {
  return `${action}/${revocation}/${objectId}`;
}

function audited(outcome: AuditOutcome): Audited {
  if ('failed' in outcome) return { audit: outcome.failed };
  return { audit: 'written', auditReceipt: `${outcome.written.seq}:${outcome.written.hash}` };
}
