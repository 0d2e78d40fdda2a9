import type { RecordAudit } from '../audit/audit-trail.ts';
import { describe } from '../azure/failure.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { applyChanges, type Waiting } from './apply-changes.ts';
import { openRevocation, planKeepRevoked, type Revocation, revocationOf } from './revocation.ts';

/** How long this waits for the audit trail, in milliseconds. */
const AUDIT_WAIT_MS = 2_000;

/**
 * Keeps a revoked key shut: versions that appeared since (a rotation policy fires during an incident, say) are disabled
 * under the same revocation. One without a tag to spare is disabled too, and said: a restore will not know of it. Without
 * an open revocation nothing is changed. Returns what was read.
 *
 * @throws the SDK's error when the versions cannot be listed, or a version cannot be disabled
 */
export async function keepRevoked(
  key: ManagedKey,
  services: Waiting & { readonly audit: RecordAudit },
  log: Log,
): Promise<{ readonly open: Revocation | undefined; readonly versions: readonly KeyVersion[] }> {
  const versions = await services.keys.listVersions(key);
  const open = openRevocation(versions);
  if (!open) return { open, versions };
  const applied = await applyChanges(key, planKeepRevoked(versions), services);
  for (const { change, answer, failure } of applied) {
    const about = { key: key.id, version: change.version.version, revocation: open.id };
    if (answer) {
      log({ level: 'warning', reason: 'KeptRevoked', message: REASONS.KeptRevoked, ...about });
      // As answered: a tag that Key Vault refused is missing as well.
      const recorded = revocationOf(answer) !== undefined;
      if (!recorded) {
        log({ level: 'error', reason: 'KeptRevokedUnrecorded', message: REASONS.KeptRevokedUnrecorded, ...about });
      }
      const details = { version: about.version, revocation: open.id, recorded };
      await services.audit(
        { action: 'key.keepRevoked', reason: 'KeptRevoked', resource: key.id, details },
        AUDIT_WAIT_MS,
      );
    } else {
      const why = failure ? describe(failure) : '';
      log({ level: 'error', reason: 'StillOpen', message: `${REASONS.StillOpen} ${why}`, ...about });
    }
  }
  const failed = applied.find(({ answer }) => !answer);
  if (failed) throw new Error(`Version ${failed.change.version.version} of ${key.id} could not be disabled.`);
  return { open, versions };
}
