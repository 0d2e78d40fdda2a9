import { letsStorageIn } from '../key-vault/firewall.ts';
import { findVault } from '../key-vault/keys.ts';
import { hasKeyPermission } from '../key-vault/permissions.ts';
import { sameId } from '../storage/encryption-identity.ts';
import type { EncryptionScope, Key, KeyVersion, StorageAccount, Vault, World } from '../world.ts';
import type { keyRefusals } from './errors.ts';

/**
 * Why the account's data cannot be decrypted now; undefined if it can. What counts is the version that wraps the
 * account's key, even if there are newer ones. An expired version still unwraps.
 */
export function keyTrouble(world: World, account: StorageAccount): keyof typeof keyRefusals | undefined {
  const { keySource, keyvaultproperties: properties } = account.encryption;
  if (keySource.toLowerCase() !== 'microsoft.keyvault' || !properties) return undefined;
  const used = parseIdentifier(properties.currentVersionedKeyIdentifier) ?? {
    vaultUri: properties.keyvaulturi,
    keyName: properties.keyname,
    version: properties.keyversion ?? '',
  };
  return troubleWith(world, account, used);
}

/** The same for an encryption scope, which has a key of its own and the account's identity. */
export function scopeKeyTrouble(
  world: World,
  account: StorageAccount,
  { keyVaultProperties: properties }: EncryptionScope,
): keyof typeof keyRefusals | undefined {
  const used = parseIdentifier(properties?.currentVersionedKeyIdentifier);
  return used && troubleWith(world, account, used);
}

function troubleWith(
  world: World,
  account: StorageAccount,
  used: NonNullable<ReturnType<typeof parseIdentifier>>,
): keyof typeof keyRefusals | undefined {
  const vault = findVault(world, used.vaultUri);
  if (!vault) return 'vaultNotFound';

  // The code for an excluding firewall is not documented: the nearest is a token without access.
  if (!letsStorageIn(vault)) return 'noAccess';

  const principalId = principalOf(world, account);
  if (!principalId || !hasKeyPermission(world, vault, principalId, used.keyName, 'unwrapKey')) return 'noAccess';

  return seenUsable(world, vault, used.keyName, used.version) ? undefined : 'keyNotFound';
}

/** Whether the file service takes the version as usable. It notices a change only after a delay. */
function seenUsable(world: World, vault: Vault, keyName: string, versionId: string): boolean {
  const name = keyName.toLowerCase();
  const pick = (key: Key | undefined): KeyVersion | undefined =>
    versionId ? key?.versions.find((one) => one.version === versionId.toLowerCase()) : key?.versions.at(-1);
  const live = pick(vault.keys.get(name));
  const version = live ?? pick(vault.deletedKeys.get(name));
  if (!version) return false;

  // Not documented for a version that may no longer unwrap: assumed to be as for a disabled one, without delay.
  if (live && !live.keyOps.includes('unwrapKey')) return false;

  const usable = live?.enabled ?? false;
  const noticed = world.clock.nowMs() - version.enabledChangedMs >= world.settings.fileServiceDelayMs;
  if (noticed) return usable;

  // Before the change it was the opposite. A version that was disabled when its key was deleted was never usable.
  return live ? !usable : version.enabled;
}

/** Object id of the identity with which the account uses its key, if the account has that identity. */
function principalOf(world: World, account: StorageAccount): string | undefined {
  const chosen = account.encryption.identity?.userAssignedIdentity;
  const { identity } = account;
  if (!chosen) return identity?.type.includes('SystemAssigned') ? identity.principalId : undefined;
  const attached = Object.entries(identity?.userAssignedIdentities ?? {}).find(([id]) => sameId(id, chosen));
  const existing = world.identities.get(chosen.toLowerCase());
  // An identity that was created again under the same name is another principal.
  return existing && existing.principalId === attached?.[1].principalId ? existing.principalId : undefined;
}

function parseIdentifier(
  identifier: string | undefined,
): { vaultUri: string; keyName: string; version: string } | undefined {
  const match = /^(https:\/\/[^/]+)\/keys\/([^/]+)\/([^/]+)\/?$/i.exec(identifier ?? '');
  const [, vaultUri, keyName, version] = match ?? [];
  return vaultUri && keyName && version ? { vaultUri, keyName, version } : undefined;
}
