import { StorageManagementClient } from '@azure/arm-storage';
import { ClientSecretCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { ShareClient } from '@azure/storage-file-share';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addResourceGroup,
  addSubscription,
  addVault,
  allowStorage,
} from '../../local/azure/fleet.ts';
import type { LocalAzure } from '../../local/azure/server.ts';
import type { Vault } from '../../local/azure/world.ts';

/** The unmodified SDKs, signed in as the owner of the tenant. */
export function ownersClients(azure: LocalAzure) {
  const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = azure.owner;
  const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET);
  const options = { retryOptions: { maxRetries: 0 } };

  return {
    credential,
    keys: (vault: Vault) => new KeyClient(vault.properties.vaultUri, credential, options),
    storage: (subscriptionId: string) => new StorageManagementClient(credential, subscriptionId, options),
    readShare: async (account: string) => {
      const url = `https://${account}.file.core.windows.net/share1`;
      const share = new ShareClient(url, credential, {
        fileRequestIntent: 'backup',
        retryOptions: { maxTries: 1 },
      });

      await Array.fromAsync(share.rootDirectoryClient.listFilesAndDirectories());
    },
  };
}

let made = 0;

/** A group with a vault, a key and an identity that may use it, and an account with a share that is not yet on the key. */
export function addSite(azure: LocalAzure) {
  made += 1;

  const { world } = azure;
  const subscription = addSubscription(world);
  const group = addResourceGroup(world, subscription, 'rg');
  const vault = addVault(world, group, `kv-site${made}`);
  const version = addKeyVersion(world, vault, 'key');
  const identity = addIdentity(world, group, 'id');

  allowStorage(world, vault, identity.principalId);

  const account = addAccount(world, group, { name: `stplain${made}`, identity, shares: ['share1'] });
  const key = { vault, keyName: 'key', mode: 'pinned' } as const;
  const encrypted = addAccount(world, group, { name: `stsite${made}`, identity, key, shares: ['share1'] });

  const encryption = {
    keySource: 'Microsoft.Keyvault',
    keyVaultProperties: { keyVaultUri: vault.properties.vaultUri, keyName: 'key' },
    encryptionIdentity: { encryptionUserAssignedIdentity: identity.id },
  };

  return { subscription, group, vault, version, identity, account, encrypted, encryption };
}
