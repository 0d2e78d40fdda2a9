import type { Reason } from '../errors/reasons.ts';
import { shiftTime } from '../formats/duration.ts';
import { DAY_MS } from '../formats/spans.ts';
import type { RotationPolicy } from '../keys/key-client.ts';
import { findNewestVersion, type KeyVersion } from '../keys/key-versions.ts';
import { findWithoutExpiryOfBefore, isNearExpiry } from '../keys/near-expiry.ts';
import { openRevocation, RESTORED_TAG, REVOCATION_TAG } from '../revocation/revocation.ts';

/** Tag on a key version. `manual`: the app does not rotate it. `auto`: the app rotates a key without dependents. */
export const ROTATION_TAG = 'cmk-rotation';
/**
 * Tag on a key version; `imported` marks imported key material (BYOK). Key Vault does not return the origin of key
 * material, so the importer tags the key (`cmk key import` does).
 */
export const ORIGIN_TAG = 'cmk-origin';

/** Tags that belong to one version: a revocation's record, and the tag of a restore. */
const OWN_TAGS = [REVOCATION_TAG, RESTORED_TAG];

/**
 * Shortest lifetime of a new version, in days. Key Vault reports near expiry 30 days before a version expires. A
 * shorter lifetime would make a new version due for rotation at once.
 */
export const MIN_LIFETIME_DAYS = 60;
/**
 * Shortest interval between rotations of a key, in days, which prevents a rotation loop. Key Vault's rotation
 * policies have the same minimum ("Configure cryptographic key auto-rotation").
 */
const MIN_INTERVAL_DAYS = 7;

type RotationDecision =
  | { readonly rotate: true; readonly from: KeyVersion }
  | { readonly rotate: false; readonly reason: Reason; readonly needsPerson: boolean };

/** Decides whether a key is due for rotation. Uses only reads of the key, not an event's content. */
export function decideRotation(versions: readonly KeyVersion[], policy: RotationPolicy, now: Date): RotationDecision {
  const newest = findNewestVersion(versions);
  const leave = (reason: Reason, needsPerson = false): RotationDecision => ({ rotate: false, reason, needsPerson });
  if (!newest) return leave('KeyNotFound', true);
  if (openRevocation(versions, now)) return leave('RevocationOpen');
  if (!isNearExpiry(newest, policy, now)) return leave('NotNearExpiry');
  if (!newest.enabled) return leave('KeyDisabled', true);

  const byHand = findManualRotation(newest);
  if (byHand) return leave(byHand, true);
  if (policy.rotates) return leave('PolicyRotates');

  const ageMs = now.getTime() - newest.createdOn.getTime();
  if (versions.length > 1 && ageMs < MIN_INTERVAL_DAYS * DAY_MS) return leave('RotatedRecently', true);

  return { rotate: true, from: newest };
}

/**
 * Returns when a rotation policy creates the next version. Undefined if the policy does not rotate, or if its time
 * fails to parse: Key Vault accepts ISO 8601 durations of years, months and days ("Configure cryptographic key
 * auto-rotation").
 */
export function computeRotationDue(
  { createdOn, expiresOn }: Pick<KeyVersion, 'createdOn' | 'expiresOn'>,
  { rotates, afterCreate, beforeExpiry }: RotationPolicy,
): Date | undefined {
  if (!rotates) return undefined;
  const times = [
    afterCreate === undefined ? undefined : shiftTime(createdOn, afterCreate, 1),
    beforeExpiry === undefined || !expiresOn ? undefined : shiftTime(expiresOn, beforeExpiry, -1),
  ].filter((time) => time !== undefined);
  return times.sort((a, b) => a.getTime() - b.getTime())[0];
}

/** Returns why an operator must create the next version; undefined if the app may rotate. */
export function findManualRotation({ tags }: KeyVersion): 'ImportedKey' | 'ManualRotation' | undefined {
  if (tags[ORIGIN_TAG]?.toLowerCase() === 'imported') return 'ImportedKey';
  return tags[ROTATION_TAG]?.toLowerCase() === 'manual' ? 'ManualRotation' : undefined;
}

/** Returns whether a tag on the key requests rotation by the app. Otherwise the key needs dependents. */
export function isRotatedByTag({ tags }: KeyVersion): boolean {
  return tags[ROTATION_TAG]?.toLowerCase() === 'auto';
}

/**
 * Finds a rotation that stopped between creating the new version and completing it: the new version has no expiry, but
 * the previous version has one. Also finds a version that another tool created less than a day ago: without the app, the
 * key would never expire.
 */
export function findUnfinishedRotation(
  versions: readonly KeyVersion[],
  now: Date,
): { readonly from: KeyVersion; readonly to: KeyVersion } | undefined {
  const found = findWithoutExpiryOfBefore(versions);
  if (!found?.to.enabled || openRevocation(versions, now)) return undefined;
  const { from, to } = found;
  return isDayOld(to, now) || !completeRotation(from, to) ? undefined : found;
}

/**
 * Returns whether the app completes a version that another process created. An operator who wants a version without
 * expiry tags it, or leaves it unchanged for a day. After a revocation, the version's age does not count: a restore tag
 * shows it.
 */
export function canBeCompleted(from: KeyVersion, to: KeyVersion, now: Date): boolean {
  if (findManualRotation(from) || findManualRotation(to)) return false;
  return !isDayOld(to, now) || to.tags[RESTORED_TAG] !== undefined;
}

function isDayOld({ createdOn }: KeyVersion, now: Date): boolean {
  return now.getTime() - createdOn.getTime() > DAY_MS;
}

/** Tags and expiry to set on a new version; undefined if none. */
interface RotationCompletion {
  readonly tags?: Record<string, string>;
  readonly expiresOn?: Date;
}

/**
 * Returns what a rotation must set. Microsoft does not document whether Key Vault copies tags, and only a policy's
 * `expiryTime` sets an expiry. So the app copies the tags and the lifetime of the version before: a key that nears
 * expiry must not become a key that never expires.
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

/** Likely cause of a rejection ("It must be set before keys can be rotated on-demand": Managed HSM autorotation). */
export function describeHsmPolicy({ vault }: { readonly vault: { readonly kind: 'vault' | 'managedHsm' } }): string {
  if (vault.kind === 'vault') return '';
  return ' A Managed HSM rotates a key only with a rotation policy (`cmk key ensure --version-lifetime`), and creates at most 100 versions.';
}
