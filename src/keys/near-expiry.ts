import { shift } from '../time/duration.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import type { RotationPolicy } from './key-client.ts';
import { compareAge, type KeyVersion, newestVersion } from './key-versions.ts';

/** A version has to have a successor after two years at the latest (`KeyTooOld`). Days. */
export const MAX_AGE_DAYS = 730;

/** Key Vault gives notice so long before a version expires, unless the rotation policy says otherwise ("Configure key auto-rotation"). */
const NOTICE = 'P30D';

/**
 * Whether a version is so near its expiry that a new one is due: 30 days, or as early as the policy gives notice. One that
 * has expired is near, too.
 */
export function nearsExpiry(
  version: Pick<KeyVersion, 'expiresOn'>,
  policy: Pick<RotationPolicy, 'notifyBeforeExpiry'>,
  now: Date,
): boolean {
  const from = nearExpiryOn(version, policy);
  return from !== undefined && from.getTime() <= now.getTime() + CLOCKS_MS;
}

/** From when on a version is near its expiry; undefined: it never expires. */
export function nearExpiryOn(
  { expiresOn }: Pick<KeyVersion, 'expiresOn'>,
  { notifyBeforeExpiry = NOTICE }: Pick<RotationPolicy, 'notifyBeforeExpiry'>,
): Date | undefined {
  if (!expiresOn) return undefined;
  const notices = [NOTICE, notifyBeforeExpiry].flatMap((notice) => shift(expiresOn, notice, -1)?.getTime() ?? []);
  return new Date(Math.min(...notices));
}

/** Whether the rotation worker has to check a key: it is near its expiry, or a rotation of it may have been interrupted. */
export function mayNeedRotation(versions: readonly KeyVersion[], now: Date): boolean {
  const newest = newestVersion(versions);
  return (newest !== undefined && nearsExpiry(newest, {}, now)) || withoutExpiryOfBefore(versions) !== undefined;
}

/**
 * The two newest versions when the newer one never expires, and the one before does: a rotation that was broken off looks
 * like that, and so does a version that a person made.
 */
export function withoutExpiryOfBefore(
  versions: readonly KeyVersion[],
): { readonly from: KeyVersion; readonly to: KeyVersion } | undefined {
  const [from, to] = [...versions].sort(compareAge).slice(-2);
  return from?.expiresOn && to && !to.expiresOn ? { from, to } : undefined;
}
