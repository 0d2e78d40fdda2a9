import { shiftTime } from '../formats/duration.ts';
import { CLOCKS_MS } from '../formats/spans.ts';
import type { RotationPolicy } from './key-client.ts';
import { compareAge, findNewestVersion, type KeyVersion } from './key-versions.ts';

/** Age at which a version must have a successor (`KeyTooOld`). Days. */
export const MAX_AGE_DAYS = 730;

/** Key Vault's default time between the near-expiry event and the expiry ("Configure key auto-rotation"). */
const NOTICE = 'P30D';

/**
 * Whether a version expires so soon that its rotation is due: within 30 days, or earlier if the policy notifies
 * earlier. True for expired versions.
 */
export function isNearExpiry(
  version: Pick<KeyVersion, 'expiresOn'>,
  policy: Pick<RotationPolicy, 'notifyBeforeExpiry'>,
  now: Date,
): boolean {
  const from = getNearExpiry(version, policy);
  return from !== undefined && from.getTime() <= now.getTime() + CLOCKS_MS;
}

/** Time from which a version is near its expiry; undefined if it never expires. */
export function getNearExpiry(
  { expiresOn }: Pick<KeyVersion, 'expiresOn'>,
  { notifyBeforeExpiry = NOTICE }: Pick<RotationPolicy, 'notifyBeforeExpiry'>,
): Date | undefined {
  if (!expiresOn) return undefined;
  const notices = [NOTICE, notifyBeforeExpiry].flatMap((notice) => shiftTime(expiresOn, notice, -1)?.getTime() ?? []);
  return new Date(Math.min(...notices));
}

/** Whether the rotation worker must check a key: it nears its expiry, or its rotation may have been interrupted. */
export function canNeedRotation(versions: readonly KeyVersion[], now: Date): boolean {
  const newest = findNewestVersion(versions);
  return (newest !== undefined && isNearExpiry(newest, {}, now)) || findWithoutExpiryOfBefore(versions) !== undefined;
}

/**
 * Returns the two newest versions if only the older one expires. An interrupted rotation leaves such a pair, and so may
 * a version that an operator created.
 */
export function findWithoutExpiryOfBefore(
  versions: readonly KeyVersion[],
): { readonly from: KeyVersion; readonly to: KeyVersion } | undefined {
  const [from, to] = [...versions].sort(compareAge).slice(-2);
  return from?.expiresOn && to && !to.expiresOn ? { from, to } : undefined;
}
