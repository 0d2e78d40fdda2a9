import type { Encryption, EncryptionScope, StorageAccount } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import { aborting, storageManagement } from '../azure/storage-management.ts';
import type { Account, Scope } from './account.ts';

/** Storage accounts through Azure Resource Manager. Errors are the SDK's: read them with `describeFailure`. */
export interface StorageAccounts {
  /** Every account of a subscription, page by page. */
  list(subscriptionId: string, signal?: AbortSignal): AsyncIterable<Account>;
  get(account: ResourceId): Promise<Account>;
  /** One PATCH of the encryption object, and nothing else of the account; the answer is the proof. */
  updateEncryption(account: ResourceId, encryption: Encryption): Promise<Account>;
  /** The scopes that use a key of Key Vault. */
  listScopes(account: ResourceId, signal?: AbortSignal): AsyncIterable<Scope>;
  /** One scope; undefined when it does not use a key of Key Vault. */
  getScope(account: ResourceId, scope: string): Promise<Scope | undefined>;
  /** Points a scope at a key identifier; its state and its other settings stay. */
  updateScopeKey(account: ResourceId, scope: string, keyUri: string): Promise<Scope>;
}

export function createStorageAccounts(credential: TokenCredential, cloud: Cloud): StorageAccounts {
  const clientOf = storageManagement(credential, cloud);
  return {
    async *list(subscriptionId, signal) {
      for await (const account of clientOf(subscriptionId).storageAccounts.list(aborting(signal))) {
        const read = toAccount(account);
        if (read) yield read;
      }
    },
    async get(id) {
      return accountOf(await clientOf(id.subscriptionId).storageAccounts.getProperties(id.resourceGroup, id.name));
    },
    async updateEncryption(id, encryption) {
      const client = clientOf(id.subscriptionId);
      return accountOf(await client.storageAccounts.update(id.resourceGroup, id.name, { encryption }));
    },
    async *listScopes(id, signal) {
      const { encryptionScopes } = clientOf(id.subscriptionId);
      for await (const scope of encryptionScopes.list(id.resourceGroup, id.name, aborting(signal))) {
        const read = toScope(scope);
        if (read) yield read;
      }
    },
    async getScope(id, scope) {
      const { encryptionScopes } = clientOf(id.subscriptionId);
      return toScope(await encryptionScopes.get(id.resourceGroup, id.name, scope));
    },
    async updateScopeKey(id, scope, keyUri) {
      const client = clientOf(id.subscriptionId);
      const updated = await client.encryptionScopes.patch(id.resourceGroup, id.name, scope, {
        source: 'Microsoft.KeyVault',
        keyVaultProperties: { keyUri },
      });
      const read = toScope(updated);
      if (!read) throw new TypeError(`Azure answered with an encryption scope without a key: ${scope}.`);
      return read;
    },
  };
}

/**
 * An account as Azure answered with it.
 *
 * @throws TypeError when the answer is no storage account
 */
export function accountOf(account: StorageAccount): Account {
  const read = toAccount(account);
  if (!read) throw new TypeError('Azure answered with a storage account without an id or encryption.');
  return read;
}

function toAccount(account: StorageAccount): Account | undefined {
  const id = parseResourceId(account.id ?? '');
  if (!id || !account.encryption) return undefined;
  return {
    ...id,
    location: account.location,
    tags: account.tags ?? {},
    userAssignedIdentities: Object.keys(account.identity?.userAssignedIdentities ?? {}),
    principalIds: principalIds(account.identity?.userAssignedIdentities ?? {}),
    systemPrincipalId: account.identity?.principalId,
    encryption: account.encryption,
  };
}

function principalIds(identities: Record<string, { principalId?: string } | null>): Record<string, string> {
  const known = Object.entries(identities).flatMap(([id, identity]) =>
    identity?.principalId ? [[id.toLowerCase(), identity.principalId] as const] : [],
  );
  return Object.fromEntries(known);
}

function toScope(scope: EncryptionScope): Scope | undefined {
  const keyUri = scope.keyVaultProperties?.keyUri;
  if (!scope.name || !keyUri || scope.source?.toLowerCase() !== 'microsoft.keyvault') return undefined;
  return {
    name: scope.name,
    enabled: scope.state !== 'Disabled',
    keyUri,
    currentKeyId: scope.keyVaultProperties?.currentVersionedKeyIdentifier,
  };
}
