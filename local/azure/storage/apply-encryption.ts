import { findKeyVersion } from '../key-vault/keys.ts';
import { timestamp } from '../timestamp.ts';
import type { IdentityBlock, KeyVersion, StorageEncryption, World } from '../world.ts';
import { encryptionIdentity } from './encryption-identity.ts';
import { sameVault } from './encryption-patch.ts';
import { checkKey, isUsable, type KeyReference, parseKeyUri, refusals, versionedIdentifier } from './key-check.ts';

type KeyProperties = NonNullable<StorageEncryption['keyvaultproperties']>;

/**
 * Checks the key in `next`, and adds the fields that Storage writes (the version in use, its expiry, the time of the
 * wrap). A request that does not change the key makes no call to Key Vault, so it succeeds even if the key is disabled.
 * Throws Storage's refusals.
 *
 * @param askedForVersion whether the request names `keyversion`, even an empty one
 */
export function applyEncryption(
  world: World,
  current: StorageEncryption,
  next: StorageEncryption,
  account: { identity: IdentityBlock | undefined; askedForVersion: boolean },
): StorageEncryption {
  const key = next.keyvaultproperties;
  if (leavesBrokenKey(world, current, key)) throw refusals.noAccess();
  if (!key) return next;

  const unchanged = isSameKey(current, next);
  const refresh = unchanged && account.askedForVersion && !key.keyversion && world.settings.refreshAutomaticOnPatch;
  if (unchanged && !refresh) return next;
  if (turnsBlind(world, current, next)) return next;

  const reference = referenceOf(key);
  const version = checkKey(world, reference, encryptionIdentity(world, account.identity, next));
  if (refresh && key.currentVersionedKeyIdentifier === versionedIdentifier(reference, version)) return next;

  return { ...next, keyvaultproperties: { ...key, ...resolved(world, reference, version) } };
}

/** The read-only fields after Storage wrapped with a version. */
export function resolved(world: World, reference: KeyReference, version: KeyVersion) {
  return {
    currentVersionedKeyIdentifier: versionedIdentifier(reference, version),
    lastKeyRotationTimestamp: timestamp(world.clock.nowMs()),
    // The epoch means that the key does not expire (seen in a recording of the real service).
    currentVersionedKeyExpirationTimestamp: timestamp((version.exp ?? 0) * 1000),
  };
}

/** The key in an account's properties. */
export function referenceOf({ keyvaulturi, keyname, keyversion }: KeyProperties): KeyReference {
  return { vaultUri: keyvaulturi, keyName: keyname, version: keyversion || undefined };
}

function isSameKey(current: StorageEncryption, next: StorageEncryption): boolean {
  const a = current.keyvaultproperties;
  const b = next.keyvaultproperties;
  if (!a || !b) return false;
  return (
    sameVault(a.keyvaulturi, b.keyvaulturi) &&
    a.keyname === b.keyname &&
    (a.keyversion ?? '') === (b.keyversion ?? '') &&
    (current.identity?.userAssignedIdentity ?? '').toLowerCase() ===
      (next.identity?.userAssignedIdentity ?? '').toLowerCase() &&
    current.identity?.federatedIdentityClientId === next.identity?.federatedIdentityClientId
  );
}

/** Whether only the identity changes, from a user-assigned to the system-assigned one, and the setting allows that. */
function turnsBlind(world: World, current: StorageEncryption, next: StorageEncryption): boolean {
  return (
    world.settings.switchToBlindIdentity &&
    !!current.identity?.userAssignedIdentity &&
    next.identity?.userAssignedIdentity === '' &&
    isSameKey({ ...current, identity: {} }, { ...next, identity: {} })
  );
}

/** Whether the change leaves a version that can no longer unwrap, and the setting forbids that. */
function leavesBrokenKey(world: World, current: StorageEncryption, next: KeyProperties | undefined): boolean {
  const inUse = current.keyvaultproperties?.currentVersionedKeyIdentifier;
  if (world.settings.repointFromDisabledKey || !inUse || !current.keyvaultproperties) return false;
  const unchanged = next && referenceKey(referenceOf(next)) === referenceKey(referenceOf(current.keyvaultproperties));
  if (unchanged) return false;
  const reference = parseKeyUri(inUse);
  const found = reference && findKeyVersion(world, reference.vaultUri, reference.keyName, reference.version);
  // An expired version still unwraps: only a disabled or missing one does not.
  return !found || (!found.version.enabled && !isUsable(world, found.version));
}

function referenceKey({ vaultUri, keyName, version }: KeyReference): string {
  return `${vaultUri.replace(/\/$/, '')}/${keyName}/${version ?? ''}`.toLowerCase();
}
