import type { Keys } from '../keys/key-client.ts';
import { findVersion, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation, revocationOf } from '../revocation/revocation.ts';
import { withRecord } from '../revocation/revocation-plans.ts';
import { CLOCKS_MS } from '../time/spans.ts';

/**
 * A revocation that comes while a rotation completes its new version disables it, and its record may be among the tags that
 * the completion has just written over (a PATCH with tags replaces all, and has no condition). The version was enabled when
 * it was made: without the record a restore would leave it off. One that nothing has changed since the revocation was off
 * before it, and a restore has to leave it so.
 */
export async function keepRecord(
  key: ManagedKey,
  made: string,
  versions: readonly KeyVersion[],
  keys: Pick<Keys, 'updateVersion'>,
  now: Date,
): Promise<void> {
  const open = openRevocation(versions, now);
  const version = findVersion(versions, made);
  if (!open || !version || version.enabled || revocationOf(version, now)) return;
  const changedOn = version.updatedOn ?? version.createdOn;
  if (changedOn.getTime() < open.revokedOn.getTime() - CLOCKS_MS) return;
  const tags = withRecord(version, open, true);
  if (tags) await keys.updateVersion(key, made, { tags });
}
