import { type KeyVersion, newestVersion } from '../keys/key-versions.ts';
import { nearExpiryOn } from '../keys/near-expiry.ts';
import type { RotationPolicySummary } from '../keys/rotation-policy-summary.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { isRotatedByTag, rotatedByHand } from '../rotation/rotation.ts';
import { rotationDue } from '../rotation/rotation-due.ts';
import type { NextRotation } from './key-schemas.ts';

/**
 * Predicts when a key gets its next version: by its rotation policy, or by the app as `decideRotation` will decide.
 *
 * @param isUsed whether anything is known to use the key
 */
export function nextRotation(
  versions: readonly KeyVersion[],
  policy: RotationPolicySummary,
  isUsed: boolean,
  now: Date,
): NextRotation | undefined {
  const newest = newestVersion(versions);
  if (!newest) return undefined;
  if (policy.rotates) {
    const due = rotationDue(newest, policy);
    return { by: 'policy', ...(due ? { on: due.toISOString() } : {}) };
  }
  const due = nearExpiryOn(newest, policy);
  const on = due ? { on: due.toISOString() } : {};
  if (openRevocation(versions, now)) return { by: 'nobody', reason: 'RevocationOpen' };
  if (!newest.enabled) return { by: 'person', reason: 'KeyDisabled', ...on };
  const byHand = rotatedByHand(newest);
  if (byHand) return { by: 'person', reason: byHand, ...on };
  if (!due) return { by: 'nobody', reason: 'NoExpiry' };
  if (!isUsed && !isRotatedByTag(newest)) return { by: 'nobody', reason: 'NoDependents', ...on };
  return { by: 'app', ...on };
}
