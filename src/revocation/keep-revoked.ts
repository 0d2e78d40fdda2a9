import { BREAK_GLASS_AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { describeAnswerOf } from '../azure/failure.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type AppliedChange, applyChanges, type KeyPorts } from './apply-changes.ts';
import { finishRestore, type KeyRestoration } from './restore-key.ts';
import {
  type RevocationName,
  type RevocationReading,
  type RevocationStamp,
  readRevocation,
  revocationOf,
} from './revocation.ts';
import { isUnderWay, planKeepRevoked, type VersionChange } from './revocation-plans.ts';

export interface KeepRevokedServices extends KeyPorts<'listVersions' | 'listVersionsUnsettled'> {
  readonly audit: RecordAudit;
}

/**
 * Verifies that a key has the state of its last revocation or restore, and repairs deviations. Revoked: disables
 * versions that were created since or that a late write enabled. Restored: finishes an interrupted restore, and enables
 * versions that a late write disabled. Returns the versions and the open revocation after that.
 *
 * @throws the SDK's error when the app cannot list the versions; an error when it cannot disable a version
 */
export async function keepRevoked(
  key: ManagedKey,
  services: KeepRevokedServices,
  log: Log,
  options: { readonly alsoLate?: boolean } = {},
) {
  const versions = await services.keys.listVersions(key);
  const reading = readRevocation(versions, services.now());
  for (const version of reading.unbelieved) {
    log({
      level: 'error',
      reason: 'RevocationUnbelieved',
      message: REASONS.RevocationUnbelieved,
      key: key.id,
      version,
    });
  }

  const restore = unfinished(reading, versions, services.now());
  if (restore) {
    await finish(key, restore.revocation, restore.by, versions, services, log);
    const after = await services.keys.listVersions(key);
    return { open: readRevocation(after, services.now()).open, versions: after };
  }

  const { open } = reading;
  if (open) await disableUnder(key, open, planKeepRevoked(versions, services.now(), options), services, log);

  return { open, versions };
}

/** Whether {@link keepRevoked} would change a version. */
export function needsRepair(versions: readonly KeyVersion[], now: Date): boolean {
  if (unfinished(readRevocation(versions, now), versions, now)) return true;
  return planKeepRevoked(versions, now, { alsoLate: true }).length > 0;
}

/**
 * Finds a restore that was interrupted or partly undone by a late write; undefined: no such restore, or it is still
 * running.
 */
function unfinished(
  { open, restoringBy, restored, records }: RevocationReading,
  versions: readonly KeyVersion[],
  now: Date,
): { readonly revocation: RevocationName; readonly by: string } | undefined {
  if (versions.some((version) => records.has(version.version) && isUnderWay(version, now))) return undefined;
  if (open) return restoringBy ? { revocation: open, by: restoringBy } : undefined;
  if (!restored || records.size === 0) return undefined;
  return { revocation: restored, by: restored.restoredBy };
}

/** Finishes a restore, and logs the repair if it changed a version. */
export async function finish(
  key: ManagedKey,
  revocation: RevocationName,
  restoredBy: string,
  versions: readonly KeyVersion[],
  services: KeepRevokedServices,
  log: Log,
): Promise<void> {
  const { end, changed } = await finishRestore(key, revocation, restoredBy, versions, services);
  const about = { key: key.id, revocation: revocation.id, by: restoredBy };
  const reason = reasonOf(end);
  const level = end === 'RestoreIncomplete' ? 'error' : 'warning';

  log({ level, reason, message: REASONS[reason], ...about });

  if (!changed) return;

  const entry = {
    action: 'key.finishRestore',
    reason,
    resource: key.id,
    details: { revocation: revocation.id, restoredBy },
  };

  await services.audit(entry, BREAK_GLASS_AUDIT_WAIT_MS);
}

function reasonOf(end: KeyRestoration['end']): 'RestoreFinished' | 'RevocationOpen' | 'RestoreIncomplete' {
  if (end === 'Restored') return 'RestoreFinished';
  return end === 'RestoreOvertaken' ? 'RevocationOpen' : 'RestoreIncomplete';
}

/** Disables versions under an open revocation, and adds the record to each version. */
export async function disableUnder(
  key: ManagedKey,
  open: RevocationStamp,
  changes: readonly VersionChange[],
  services: KeepRevokedServices,
  log: Log,
): Promise<void> {
  const applied = await applyChanges(key, changes, services);
  for (const { change, answer, failure } of applied.filter(({ written }) => written)) {
    const about = { key: key.id, version: change.version.version, revocation: open.id };

    if (!answer) {
      const why = failure ? describeAnswerOf(failure) : '';
      log({ level: 'error', reason: 'StillOpen', message: `${REASONS.StillOpen} ${why}`, ...about });
      continue;
    }

    log({ level: 'warning', reason: 'KeptRevoked', message: REASONS.KeptRevoked, ...about });

    // Uses the answer, because Key Vault may have rejected the tag.
    const recorded = revocationOf(answer, services.now()) !== undefined;
    if (!recorded) {
      log({ level: 'error', reason: 'KeptRevokedUnrecorded', message: REASONS.KeptRevokedUnrecorded, ...about });
    }

    const details = { version: about.version, revocation: open.id, recorded };

    // The record has no id: the app may disable a version several times, and each time is a separate event.
    await services.audit(
      { action: 'key.keepRevoked', reason: 'KeptRevoked', resource: key.id, details },
      BREAK_GLASS_AUDIT_WAIT_MS,
    );
  }

  const failed = applied.find((one: AppliedChange) => !one.answer);
  if (failed) throw new Error(`The app could not disable version ${failed.change.version.version} of ${key.id}.`);
}
