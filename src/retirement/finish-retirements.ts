import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { abortAfter } from '../azure/deadline.ts';
import { readVersionUsers } from '../dependents/version-users.ts';
import { findVersion, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { LATE_WRITE_MS } from '../time/spans.ts';
import { confirmRetirement, type RetirementResult } from './confirm-retirement.ts';
import { sentenceOf, usesSince } from './evidence.ts';
import { type Retirement, type RetireServices, readUsageEvidence, retirementEntry } from './retire-versions.ts';
import { retiredRecord } from './retirement.ts';

/** A worker verifies a disabled version within ten minutes. After this time, the worker has died. */
const ABANDONED_MS = 15 * 60_000;

/** Versions that a retirement disabled, but did not verify. */
export function halfRetired(versions: readonly KeyVersion[], now: Date): string[] {
  return versions
    .filter((version) => {
      const record = retiredRecord(version);
      if (!record || record.isConfirmed || now.getTime() - record.on.getTime() < ABANDONED_MS) return false;
      return (version.updatedOn?.getTime() ?? 0) <= record.on.getTime() + LATE_WRITE_MS;
    })
    .map(({ version }) => version);
}

/**
 * Verifies each version whose retirement was interrupted: it stays disabled or is enabled again. Requests in the log
 * since then count as use.
 *
 * @throws the SDK's error if listing the versions fails
 */
export async function* finishRetirements(
  key: ManagedKey,
  readMs: number,
  services: RetireServices,
): AsyncGenerator<RetirementResult, void, undefined> {
  const { keys, now } = services;
  const all = await keys.listVersions(key);
  // While a revocation is open, the app neither changes nor reports the key's versions.
  if (openRevocation(all, now())) return;
  const successor = newestUsableVersion(all, now());
  for (const name of halfRetired(all, now())) {
    const version = findVersion(all, name);
    const record = version && retiredRecord(version);
    if (!version || !record || !successor) continue;
    const users = await abortAfter((limit) => readVersionUsers(key, services, limit), readMs);
    const evidence = await readUsageEvidence(key, services, readMs);
    const against = 'log' in evidence ? usesSince(version, evidence.log, record.on).map(sentenceOf) : [];
    yield await confirmRetirement(key, { version, successor, restored: record.restored, users, against }, services);
  }
}

/** Records and logs the retirement of a version that the vault's log proved unused. */
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
