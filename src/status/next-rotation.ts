import { shiftTime } from '../formats/duration.ts';
import { DAY_MS } from '../formats/spans.ts';
import type { RotationPolicy } from '../keys/key-client.ts';
import { findNewestUsableVersion, findNewestVersion, type KeyVersion } from '../keys/key-versions.ts';
import { getNearExpiry, MAX_AGE_DAYS } from '../keys/near-expiry.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { computeRotationDue, findManualRotation, isRotatedByTag } from '../rotation/rotation.ts';
import type { NextRotation } from './key-schemas.ts';

/** Latest time for a successor of the newest version. @param policy undefined: the read failed */
export function computeCryptoPeriodEnd(
  versions: readonly KeyVersion[],
  policy: Pick<RotationPolicy, 'expiresIn'> | undefined,
  now: Date,
): Date | undefined {
  const newest = findNewestUsableVersion(versions, now) ?? findNewestVersion(versions);
  if (!newest) return undefined;
  const byAge = newest.createdOn.getTime() + MAX_AGE_DAYS * DAY_MS;
  const byPolicy = policy?.expiresIn && shiftTime(newest.createdOn, policy.expiresIn, 1);
  return new Date(byPolicy ? Math.min(byAge, byPolicy.getTime()) : byAge);
}

/**
 * Predicts when a key gets its next version: by its rotation policy, or by the app as `decideRotation` will decide.
 *
 * @param isUsed whether any use of the key is known
 */
export function predictNextRotation(
  versions: readonly KeyVersion[],
  policy: RotationPolicy,
  isUsed: boolean,
  now: Date,
): NextRotation | undefined {
  const newest = findNewestVersion(versions);
  if (!newest) return undefined;

  if (policy.rotates) {
    return { by: 'policy', on: computeRotationDue(newest, policy)?.toISOString() };
  }

  const on = getNearExpiry(newest, policy)?.toISOString();

  if (openRevocation(versions, now)) return { by: 'none', reason: 'RevocationOpen' };

  const byHand = newest.enabled ? findManualRotation(newest) : 'KeyDisabled';
  if (byHand) return { by: 'person', reason: byHand, on };
  if (!on) return { by: 'none', reason: 'NoExpiry' };
  if (!isUsed && !isRotatedByTag(newest)) return { by: 'none', reason: 'NoDependents', on };

  return { by: 'app', on };
}
