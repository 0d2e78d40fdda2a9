import { letsStorageIn } from '../key-vault/firewall.ts';
import { findVault } from '../key-vault/keys.ts';
import { hasKeyPermission } from '../key-vault/permissions.ts';
import { sameId } from '../storage/encryption-identity.ts';
import type { EncryptionScope, Key, KeyVersion, StorageAccount, Vault, World } from '../world.ts';
import type { keyRefusals } from './errors.ts';

/**
 * Why the account's data cannot be decrypted at this moment; undefined when it can. What counts is the key version that
 * the account's key is wrapped with, whatever newer ones there are. An expired key still unwraps.
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

/** The same of an encryption scope, which has a key of its own and the identity of its account. */
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

  // Which code it is where the firewall keeps Storage out is not documented: the nearest is a token that gets nowhere.
  if (!letsStorageIn(vault)) return 'noAccess';

  const principalId = principalOf(world, account);
  if (!principalId || !hasKeyPermission(world, vault, principalId, used.keyName, 'unwrapKey')) return 'noAccess';

  return seenUsable(world, vault, used.keyName, used.version) ? undefined : 'keyNotFound';
}

/** Whether the file service still, or again, takes the version as usable: it notices a change only after a while. */
function seenUsable(world: World, vault: Vault, keyName: string, versionId: string): boolean {
  const name = keyName.toLowerCase();
  const pick = (key: Key | undefined): KeyVersion | undefined =>
    versionId ? key?.versions.find((one) => one.version === versionId.toLowerCase()) : key?.versions.at(-1);
  const live = pick(vault.keys.get(name));
  const version = live ?? pick(vault.deletedKeys.get(name));
  if (!version) return false;

  // Not documented for a version that may no longer unwrap: the same as for a disabled one is assumed, at once.
  if (live && !live.keyOps.includes('unwrapKey')) return false;

  const usable = live?.enabled ?? false;
  const noticed = world.clock.nowMs() - version.enabledChangedMs >= world.settings.fileServiceDelayMs;
  if (noticed) return usable;

  // Before the change it was the other way round. A key deleted while it was disabled never was usable.
  return live ? !usable : version.enabled;
}

/** Object id of the identity with which the account reaches its key, if it has that identity. */
function principalOf(world: World, account: StorageAccount): string | undefined {
  const chosen = account.encryption.identity?.userAssignedIdentity;
  const { identity } = account;
  if (!chosen) return identity?.type.includes('SystemAssigned') ? identity.principalId : undefined;
  const attached = Object.entries(identity?.userAssignedIdentities ?? {}).find(([id]) => sameId(id, chosen));
  const existing = world.identities.get(chosen.toLowerCase());
  // One made again under the name of one that was deleted is another.
  return existing && existing.principalId === attached?.[1].principalId ? existing.principalId : undefined;
}

function parseIdentifier(
  identifier: string | undefined,
): { vaultUri: string; keyName: string; version: string } | undefined {
  const match = /^(https:\/\/[^/]+)\/keys\/([^/]+)\/([^/]+)\/?$/i.exec(identifier ?? '');
  const [, vaultUri, keyName, version] = match ?? [];
  return vaultUri && keyName && version ? { vaultUri, keyName, version } : undefined;
}
