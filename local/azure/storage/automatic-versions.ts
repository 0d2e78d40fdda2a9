import { findVault } from '../key-vault/keys.ts';
import { logStorageUse, logUnwraps } from '../log-analytics/vault-log.ts';
import type { EncryptionScope, KeyVersion, StorageAccount, World } from '../world.ts';
import { referenceOf, resolved } from './apply-encryption.ts';
import { type EncryptionIdentity, encryptionIdentity } from './encryption-identity.ts';
import { identityHasAccess, isUsable, type KeyReference, parseKeyUri } from './key-check.ts';

/**
 * Does Storage's daily check: an account (and its encryption scopes) without a pinned version adopts a newer version of
 * its key. A check is due every `automaticCheckMs` on the clock since the last one. Every read of the account calls
 * this first, since the clock may have moved by weeks. A check sees the versions that existed when it was due.
 */
export function lookForNewVersions(world: World, account: StorageAccount): void {
  const interval = world.settings.automaticCheckMs;
  const due = Math.floor((world.clock.nowMs() - account.lastKeyCheckMs) / interval);
  if (!(due >= 1)) return;

  account.lastKeyCheckMs += due * interval;
  logUnwraps(world, account, account.lastKeyCheckMs);

  const identity = encryptionIdentity(world, account.identity, account.encryption);
  const key = account.encryption.keyvaultproperties;
  if (key && !key.keyversion) {
    const reference = referenceOf(key);
    const newer = newVersion(world, reference, key.currentVersionedKeyIdentifier, identity, account.lastKeyCheckMs);
    if (newer) {
      Object.assign(key, resolved(world, reference, newer));
      logStorageUse(world, account, 'KeyWrap', key.currentVersionedKeyIdentifier, account.lastKeyCheckMs);
    }
  }

  for (const scope of account.encryptionScopes.values()) {
    const before = scope.keyVaultProperties?.currentVersionedKeyIdentifier;

    lookForScope(world, scope, identity, account.lastKeyCheckMs);

    const after = scope.keyVaultProperties?.currentVersionedKeyIdentifier;
    if (after !== before) logStorageUse(world, account, 'KeyWrap', after, account.lastKeyCheckMs);
  }
}

function lookForScope(world: World, scope: EncryptionScope, identity: EncryptionIdentity, atMs: number): void {
  const key = scope.keyVaultProperties;
  const reference = key && parseKeyUri(key.keyUri);
  if (!key || !reference || reference.version) return;
  const newer = newVersion(world, reference, key.currentVersionedKeyIdentifier, identity, atMs);
  if (!newer) return;
  const { currentVersionedKeyIdentifier, lastKeyRotationTimestamp } = resolved(world, reference, newer);
  Object.assign(key, { currentVersionedKeyIdentifier, lastKeyRotationTimestamp });
}

/** The newest version at that time, if it is usable and not in use already. */
function newVersion(
  world: World,
  reference: KeyReference,
  inUse: string | undefined,
  identity: EncryptionIdentity,
  atMs: number,
): KeyVersion | undefined {
  const vault = findVault(world, reference.vaultUri);
  if (!vault || !identityHasAccess(world, vault, reference.keyName, identity)) return undefined;

  const versions = vault.keys.get(reference.keyName.toLowerCase())?.versions ?? [];
  const newest = versions.filter(({ created }) => created * 1000 <= atMs).at(-1);
  if (!newest || !isUsable(world, newest) || inUse?.endsWith(`/${newest.version}`)) return undefined;

  return newest;
}
