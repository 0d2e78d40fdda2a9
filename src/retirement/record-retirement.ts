import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { type Retirement, retirementEntry } from './retire-versions.ts';

/** Records and logs what became of retiring a version that the vault's log proved unused. */
export async function recordRetirement(
  key: ManagedKey,
  retirement: Retirement,
  correlationId: string,
  { audit }: { readonly audit: RecordAudit },
  log: Log,
): Promise<void> {
  const entry = retirementEntry(key, retirement);
  if (!entry) return;
  const { reason } = entry;
  await audit({ ...entry, correlationId, details: { ...entry.details, proof: 'log' } }, AUDIT_WAIT_MS);
  const level = reason === 'RetirementNotUndone' ? 'error' : reason === 'VersionRetired' ? 'info' : 'warning';
  const next = retirement.outcome === 'notUndone' ? ` ${retirement.nextStep}.` : '';
  const resource = retirement.version.id;
  log({ level, reason, message: `${REASONS[reason]}${next}`, resource, correlationId });
}
