import type { Dependence } from '../accounts/inventory.ts';
import type { RotationPolicy } from '../keys/key-client.ts';
import { type KeyVersion, newestVersion } from '../keys/key-versions.ts';
import { nearsExpiry, withoutExpiryOfBefore } from '../keys/near-expiry.ts';
import type { Reason } from '../reasons.ts';
import { openRevocation, RESTORED_TAG, REVOCATION_TAG } from '../revocation/revocation.ts';
import { DAY_MS } from '../time/spans.ts';

/** `manual`: a key version with this tag is rotated by hand only. `auto`: its key is rotated although nothing is seen to use it. */
export const ROTATION_TAG = 'cmk-rotation';
/**
 * A key version with this tag and the value `imported` holds imported key material (BYOK). Key Vault's answers do not
 * say where key material comes from, so the importer tags the key (`cmk key import` does).
 */
export const ORIGIN_TAG = 'cmk-origin';

/** Tags that belong to the version that carries them: a revocation's record, and what a restore leaves of it. */
const OWN_TAGS = [REVOCATION_TAG, RESTORED_TAG];

/**
 * A new version lives at least this long, in days. Key Vault gives notice 30 days before a version expires; one that
 * lived no longer than that would be near its expiry from the start, and be rotated again at once.
 */
export const MIN_LIFETIME_DAYS = 60;
/**
 * A key is not rotated again within so many days, so that nothing can make it rotate in a loop. It is the shortest
 * interval that a rotation policy of Key Vault takes ("Configure cryptographic key auto-rotation").
 */
const MIN_INTERVAL_DAYS = 7;

export type RotationDecision =
  | { readonly rotate: true; readonly from: KeyVersion }
  | { readonly rotate: false; readonly reason: Reason; readonly needsPerson: boolean };

/** Whether a key is due to be rotated: by what is read of it alone, whatever an event says. */
export function decideRotation(versions: readonly KeyVersion[], policy: RotationPolicy, now: Date): RotationDecision {
  const newest = newestVersion(versions);
  const leave = (reason: Reason, needsPerson = false): RotationDecision => ({ rotate: false, reason, needsPerson });
  if (!newest) return leave('KeyNotFound', true);
  if (openRevocation(versions, now)) return leave('RevocationOpen');
  if (!nearsExpiry(newest, policy, now)) return leave('NotNearExpiry');
  if (!newest.enabled) return leave('KeyDisabled', true);
  const byHand = rotatedByHand(newest);
  if (byHand) return leave(byHand, true);
  if (policy.rotates) return leave('PolicyRotates');
  const ageMs = now.getTime() - newest.createdOn.getTime();
  if (versions.length > 1 && ageMs < MIN_INTERVAL_DAYS * DAY_MS) return leave('RotatedRecently', true);
  return { rotate: true, from: newest };
}

/** Why a version is followed by one that a person makes; undefined: it is not. */
export function rotatedByHand({ tags }: KeyVersion): 'ImportedKey' | 'ManualRotation' | undefined {
  if (tags[ORIGIN_TAG]?.toLowerCase() === 'imported') return 'ImportedKey';
  return tags[ROTATION_TAG]?.toLowerCase() === 'manual' ? 'ManualRotation' : undefined;
}

/** Whether the key itself says that the app is to rotate it. Without that it has to have dependents. */
export function isRotatedByTag({ tags }: KeyVersion): boolean {
  return tags[ROTATION_TAG]?.toLowerCase() === 'auto';
}

/** Why a key that nothing is seen to use is left alone; undefined: the app is meant to rotate it. */
export function whyNotMeant({ answer }: Dependence): 'NoDependents' | 'DependentsUnknown' | undefined {
  if (answer === 'some') return undefined;
  return answer === 'none' ? 'NoDependents' : 'DependentsUnknown';
}

/**
 * A rotation that was broken off between making the new version and completing it. That it has no expiry, and the one
 * before has, is how it shows. The same holds for a version that another tool made without one within a day, and it is
 * right for that as well: else the key would turn into one that never expires.
 */
export function unfinishedRotation(
  versions: readonly KeyVersion[],
  now: Date,
): { readonly from: KeyVersion; readonly to: KeyVersion; readonly rest: RotationCompletion } | undefined {
  const found = withoutExpiryOfBefore(versions);
  if (!found?.to.enabled || openRevocation(versions, now)) return undefined;
  const { from, to } = found;
  if (isDayOld(to, now)) return undefined;
  const rest = completeRotation(from, to);
  return rest && { from, to, rest };
}

/**
 * Whether a version is given tags and expiry of the one before when another process is said to have made it: a person who
 * makes one without means it, and says so by a tag, or leaves it so for a day. Of one that was revoked meanwhile that day is
 * no sign.
 */
export function mayBeCompleted(from: KeyVersion, to: KeyVersion, now: Date): boolean {
  if (rotatedByHand(from) || rotatedByHand(to)) return false;
  return !isDayOld(to, now) || to.tags[RESTORED_TAG] !== undefined;
}

function isDayOld({ createdOn }: KeyVersion, now: Date): boolean {
  return now.getTime() - createdOn.getTime() > DAY_MS;
}

/** What a rotation leaves to be set on the new version; undefined if nothing. */
interface RotationCompletion {
  readonly tags?: Record<string, string>;
  readonly expiresOn?: Date;
}

/**
 * Whether Key Vault copies tags on rotation is not documented, and only a rotation policy's `expiryTime` gives the new
 * version an expiry. So the tags of the version before are written again, and it is given the same lifetime: a key that
 * nears expiry must not turn into one that never expires.
 */
export function completeRotation(from: KeyVersion, to: KeyVersion): RotationCompletion | undefined {
  const missing = Object.entries(from.tags).filter(([name]) => !OWN_TAGS.includes(name) && to.tags[name] === undefined);
  const lifetimeMs = from.expiresOn && from.expiresOn.getTime() - (from.notBefore ?? from.createdOn).getTime();
  const expiresOn =
    lifetimeMs !== undefined && lifetimeMs > 0 && !to.expiresOn
      ? new Date(to.createdOn.getTime() + Math.max(lifetimeMs, MIN_LIFETIME_DAYS * DAY_MS))
      : undefined;
  if (missing.length === 0 && !expiresOn) return undefined;
  return {
    ...(missing.length > 0 ? { tags: { ...Object.fromEntries(missing), ...to.tags } } : {}),
    ...(expiresOn ? { expiresOn } : {}),
  };
}

/** What may be behind a refusal ("It must be set before keys can be rotated on-demand": Managed HSM, key autorotation). */
export function hsmNeedsPolicy({ vault }: { readonly vault: { readonly kind: 'vault' | 'managedHsm' } }): string {
  if (vault.kind === 'vault') return '';
  return ' A Managed HSM rotates a key only when it has a rotation policy (`cmk key ensure --version-lifetime`), and makes at most 100 versions.';
}
