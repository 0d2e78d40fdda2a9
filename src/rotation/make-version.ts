import { canHaveTakenEffect, canPass, describeFailure, type Failure } from '../azure/failure.ts';
import { CLOCKS_MS, GIVEN_UP_MS } from '../formats/spans.ts';
import type { Keys } from '../keys/key-client.ts';
import { compareAge, findNewestVersion, findVersion, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { readRevocation, revocationOf } from '../revocation/revocation.ts';
import { withRecord } from '../revocation/revocation-plans.ts';
import { completeRotation } from './rotation.ts';

/** After an indeterminate rotate call, the version appears within this time or never. Seconds. */
export const LATE_SECONDS = GIVEN_UP_MS / 1000;

export type RotateResult =
  | { readonly made: KeyVersion }
  /** The answer is lost, and no new version exists so far. */
  | { readonly unknown: Failure };

/**
 * Rotates the key once. If the answer is lost, a newer version counts as the result.
 *
 * @throws the SDK's error if Key Vault certainly created no version
 */
export async function makeVersion(
  key: ManagedKey,
  from: KeyVersion,
  keys: Pick<Keys, 'rotate' | 'listVersions'>,
): Promise<RotateResult> {
  try {
    return { made: await keys.rotate(key) };
  } catch (error) {
    const failure = describeFailure(error);
    if (!canHaveTakenEffect(failure)) throw error;

    const made = findNewestVersion(await keys.listVersions(key).catch(() => []));

    return made && compareAge(made, from) > 0 ? { made } : { unknown: failure };
  }
}

/**
 * Sets the tags and expiry of the version after `from`, and returns the updated version. A version without them is
 * better than none, so a rejection is a result. Idempotent.
 *
 * @returns `refused`: the error if Key Vault rejected the tags or the expiry
 * @throws the SDK's error if a retry may succeed
 */
export async function completeVersion(
  key: ManagedKey,
  from: KeyVersion,
  to: KeyVersion,
  keys: Pick<Keys, 'updateVersion'>,
): Promise<{ readonly version: KeyVersion; readonly refused?: Failure }> {
  const rest = completeRotation(from, to);
  if (!rest) return { version: to };

  try {
    return { version: await keys.updateVersion(key, to.version, rest) };
  } catch (error) {
    const failure = describeFailure(error);
    if (canPass(failure)) throw error;
    return { version: to, refused: failure };
  }
}

/**
 * Restores a revocation's record on a version that a rotation has just completed: a PATCH replaces all tags without a
 * condition, and may have overwritten the record. Without the record, a restore would not enable the version. A version
 * that has not changed since the revocation was disabled before, and stays disabled.
 */
export async function keepRecord(
  key: ManagedKey,
  made: string,
  versions: readonly KeyVersion[],
  keys: Pick<Keys, 'updateVersion'>,
  now: Date,
): Promise<void> {
  const { open, restored } = readRevocation(versions, now);
  const version = findVersion(versions, made);
  if (!open || !version || version.enabled || revocationOf(version, now)) return;

  const changedOn = version.updatedOn ?? version.createdOn;
  if (changedOn.getTime() < open.revokedOn.getTime() - CLOCKS_MS) return;

  const tags = withRecord(version, open, true, restored, now);
  if (tags) await keys.updateVersion(key, made, { tags });
}
