import { randomUUID } from 'node:crypto';
import { keyIdentifier } from './key-vault/keys.ts';
import { assignLocalRole, LOCAL_ROLES } from './key-vault/local-access.ts';
import { assignRole } from './roles/assign-role.ts';
import { BUILT_IN_ROLES } from './roles/built-in-roles.ts';
import { resolved } from './storage/apply-encryption.ts';
import { encryptionIdentity } from './storage/encryption-identity.ts';
import { checkKey, versionedIdentifier } from './storage/key-check.ts';
import { newAccount } from './storage/new-account.ts';
import { timestamp } from './timestamp.ts';
import type {
  EncryptionScope,
  KeyVersion,
  ResourceGroup,
  StorageAccount,
  UserAssignedIdentity,
  Vault,
  World,
} from './world.ts';

/** How an account or a scope finds its key version. */
export type KeyMode =
  /** Names a version; by default the newest one. */
  | 'pinned'
  /** Has no `keyversion`. */
  | 'automatic'
  /** Has the `keyversion` `""`. */
  | 'automaticEmpty';

export interface FleetKey {
  readonly vault: Vault;
  readonly keyName: string;
  readonly mode: KeyMode;
  /** The version to pin, or that an automatic account uses; by default the newest. */
  readonly version?: KeyVersion;
}

export interface FleetAccount {
  readonly name: string;
  readonly location?: string;
  readonly tags?: Record<string, string>;
  /** Absent: Microsoft-managed keys. */
  readonly key?: FleetKey;
  /** Absent, with a key: a system-assigned identity, which gets its role. */
  readonly identity?: UserAssignedIdentity;
  /** Its queues and tables have keys of their own, as in an account that was not created with account keys for them. */
  readonly ownServiceKeys?: boolean;
  /** Names of SMB file shares. */
  readonly shares?: readonly string[];
  readonly scopes?: readonly { name: string; key?: FleetKey }[];
  /** Skips Storage's checks of a new key, for a state that it would refuse today. */
  readonly unchecked?: boolean;
}

/** Adds a storage account in the state in which its owner would have set it up. */
export function addAccount(world: World, group: ResourceGroup, options: FleetAccount): StorageAccount {
  const nowMs = world.clock.nowMs();
  const account = newAccount(
    {
      id: `${group.id}/providers/Microsoft.Storage/storageAccounts/${options.name}`,
      name: options.name,
      location: options.location ?? group.location,
      tags: { ...options.tags },
    },
    nowMs,
  );

  if (options.identity) {
    const { id, principalId, clientId } = options.identity;
    account.identity = { type: 'UserAssigned', userAssignedIdentities: { [id]: { principalId, clientId } } };
  } else if (options.key || options.scopes?.some(({ key }) => key)) {
    const principalId = randomUUID();
    account.identity = { type: 'SystemAssigned', principalId, tenantId: world.tenantId };

    for (const key of [options.key, ...(options.scopes ?? []).map((scope) => scope.key)]) {
      if (key) allowStorage(world, key.vault, principalId);
    }
  }

  if (options.key) setKey(world, account, options.key, options);

  if (options.key && !options.ownServiceKeys) {
    const { blob } = account.encryption.services;
    for (const service of ['queue', 'table']) {
      if (blob) account.encryption.services[service] = { ...blob };
    }
  }

  for (const name of options.shares ?? []) {
    account.fileShares.set(name, { name, enabledProtocols: 'SMB', shareQuota: 5120, files: ['readme.txt'] });
  }

  for (const { name, key } of options.scopes ?? []) {
    account.encryptionScopes.set(name.toLowerCase(), scopeOf(world, name, key));
  }

  world.storageAccounts.set(account.name, account);

  return account;
}

function setKey(world: World, account: StorageAccount, key: FleetKey, options: FleetAccount): void {
  const { vault, keyName, mode } = key;
  const version = versionOf(key);
  const reference = { vaultUri: vault.properties.vaultUri, keyName, version: version.version };

  account.encryption = {
    ...account.encryption,
    keySource: 'Microsoft.Keyvault',
    ...(options.identity ? { identity: { userAssignedIdentity: options.identity.id } } : {}),
    keyvaultproperties: {
      ...resolved(world, reference, version),
      keyvaulturi: vault.properties.vaultUri,
      keyname: keyName,
      ...(mode === 'automatic' ? {} : { keyversion: mode === 'pinned' ? version.version : '' }),
    },
  };

  if (!options.unchecked) checkKey(world, reference, encryptionIdentity(world, account.identity, account.encryption));
}

function scopeOf(world: World, name: string, key: FleetKey | undefined): EncryptionScope {
  const now = timestamp(world.clock.nowMs());
  if (!key) return { name, source: 'Microsoft.Storage', state: 'Enabled', creationTime: now, lastModifiedTime: now };

  const version = versionOf(key);
  const reference = { vaultUri: key.vault.properties.vaultUri, keyName: key.keyName, version: version.version };

  return {
    name,
    source: 'Microsoft.KeyVault',
    state: 'Enabled',
    keyVaultProperties: {
      keyUri: keyIdentifier(key.vault, key.keyName, key.mode === 'pinned' ? version.version : undefined),
      currentVersionedKeyIdentifier: versionedIdentifier(reference, version),
      lastKeyRotationTimestamp: now,
    },
    creationTime: now,
    lastModifiedTime: now,
  };
}

function versionOf({ vault, keyName, version }: FleetKey): KeyVersion {
  const found = version ?? vault.keys.get(keyName.toLowerCase())?.versions.at(-1);
  if (!found) {
    throw new Error(`Key '${keyName}' has no version in vault '${vault.name}'. Add one by addKeyVersion first.`);
  }
  return found;
}

/** Gives an identity the role that Storage needs on the keys of a vault. */
export function allowStorage(world: World, vault: Vault, principalId: string): void {
  if (vault.local) {
    assignLocalRole(vault.local, { principalId, role: LOCAL_ROLES.encryptionUser });
    return;
  }

  assignRole(world, {
    scope: vault.id,
    principalId,
    role: BUILT_IN_ROLES['Key Vault Crypto Service Encryption User'],
    settled: true,
  });
}
