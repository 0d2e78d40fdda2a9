import { describe, expect, it } from 'vitest';
import { readUpdates } from '../../src/key-users/read-updates.ts';
import type { GraphResource } from '../../src/key-users/resource-graph-client.ts';
import { findUseOfKey } from '../../src/key-users/resource-graph-query.ts';
import { KEY, versionName } from '../support/keys.ts';

const vault = 'https://kv-files.vault.azure.net';
const id = `${vault}/keys/files-key`;
const old = versionName(1);
const pinned = `${id}/${old}`;
const parts = (change: object = {}) => ({ keyVaultUri: vault, keyName: 'files-key', ...change });

function row(type: string, properties: unknown): GraphResource {
  const name = type.replace(/\W/g, '-');
  return { id: `/x/${name}`, name, type: type.toLowerCase(), location: 'y', subscriptionId: 'z', properties };
}

/** Twenty types as their providers show them, each with how it takes up a new version. */
const USERS: readonly (readonly [type: string, properties: object, mode: string])[] = [
  [
    'Microsoft.AppConfiguration/configurationStores',
    { encryption: { keyVaultProperties: { keyIdentifier: id } } },
    'automatic',
  ],
  [
    'Microsoft.Automation/automationAccounts',
    { encryption: { keyVaultProperties: parts({ keyVersion: old }) } },
    'byHand',
  ],
  ['Microsoft.Batch/batchAccounts', { encryption: { keyVaultProperties: { keyIdentifier: pinned } } }, 'pinned'],
  [
    'Microsoft.Cache/redisEnterprise',
    { encryption: { customerManagedKeyEncryption: { keyEncryptionKeyUrl: pinned } } },
    'byHand',
  ],
  [
    'Microsoft.CognitiveServices/accounts',
    { encryption: { keyVaultProperties: parts({ keyVersion: old }) } },
    'byHand',
  ],
  [
    'Microsoft.Compute/diskEncryptionSets',
    { activeKey: { keyUrl: pinned }, rotationToLatestKeyVersionEnabled: true },
    'automatic',
  ],
  [
    'Microsoft.Compute/diskEncryptionSets',
    { activeKey: { keyUrl: pinned }, rotationToLatestKeyVersionEnabled: false },
    'pinned',
  ],
  [
    'Microsoft.ContainerRegistry/registries',
    { encryption: { keyVaultProperties: { keyIdentifier: id, versionedKeyIdentifier: pinned } } },
    'automatic',
  ],
  [
    'Microsoft.ContainerService/managedClusters',
    { securityProfile: { azureKeyVaultKms: { enabled: true, keyId: pinned } } },
    'byHand',
  ],
  [
    'Microsoft.DataFactory/factories',
    { encryption: { vaultBaseUrl: vault, keyName: 'files-key', keyVersion: old } },
    'byHand',
  ],
  [
    'Microsoft.DataProtection/backupVaults',
    { securitySettings: { encryptionSettings: { keyVaultProperties: { keyUri: pinned } } } },
    'pinned',
  ],
  [
    'Microsoft.Databricks/workspaces',
    { encryption: { entities: { managedServices: { keyVaultProperties: parts({ keyVersion: old }) } } } },
    'byHand',
  ],
  ['Microsoft.DBforMySQL/flexibleServers', { dataEncryption: { primaryKeyURI: pinned } }, 'byHand'],
  ['Microsoft.DBforMySQL/flexibleServers', { dataEncryption: { primaryKeyURI: id } }, 'unknown'],
  ['Microsoft.DBforPostgreSQL/flexibleServers', { dataEncryption: { primaryKeyURI: pinned } }, 'pinned'],
  ['Microsoft.DocumentDB/databaseAccounts', { keyVaultKeyUri: id, keyVaultKeyUriVersion: pinned }, 'automatic'],
  ['Microsoft.EventHub/namespaces', { encryption: { keyVaultProperties: [parts()] } }, 'automatic'],
  [
    'Microsoft.HDInsight/clusters',
    { diskEncryptionProperties: { vaultUri: vault, keyName: 'files-key', keyVersion: old } },
    'byHand',
  ],
  ['Microsoft.Kusto/clusters', { keyVaultProperties: parts({ keyVersion: old }) }, 'pinned'],
  ['Microsoft.OperationalInsights/clusters', { keyVaultProperties: parts({ keyVersion: '' }) }, 'automatic'],
  ['Microsoft.RecoveryServices/vaults', { encryption: { keyVaultProperties: { keyUri: pinned } } }, 'pinned'],
  [
    'Microsoft.ServiceBus/namespaces',
    { encryption: { keyVaultProperties: [parts(), parts({ keyVersion: old })] } },
    'pinned',
  ],
  ['Microsoft.Sql/servers', { keyId: pinned }, 'unknown'],
  [
    'Microsoft.Storage/storageAccounts',
    {
      encryption: {
        keyvaultproperties: { keyvaulturi: vault, keyname: 'files-key', currentVersionedKeyIdentifier: pinned },
      },
    },
    'automatic',
  ],
  ['Microsoft.Synapse/workspaces', { encryption: { cmk: { key: { keyVaultUrl: id } } } }, 'byHand'],
  ['contoso.vaults/boxes', { keyId: pinned }, 'unknown'],
];

describe('how a resource takes up a new version of its key', () => {
  it.each(USERS)('The mode of %s with %j is %s', (type, properties, mode) => {
    expect(findUseOfKey(row(type, properties), KEY)?.mode).toBe(mode);
  });

  it('The version in use is the one that Azure shows, not one that a resource moves away from', () => {
    const uses = [
      { path: 'previousKeys', version: versionName(1) },
      { path: 'activeKey.keyUrl', version: versionName(2) },
    ];
    expect(readUpdates('Microsoft.Compute/diskEncryptionSets', {}, uses).version).toBe(versionName(2));
  });

  it('A disk encryption set says what Microsoft documents of an expired key, and that reports contradict it', () => {
    const [, properties] = USERS.find(([type]) => type.endsWith('diskEncryptionSets')) ?? [];
    const user = findUseOfKey(row('Microsoft.Compute/diskEncryptionSets', properties), KEY);
    expect(user?.whenRevoked).toMatch(/Virtual machines with such a disk shut down/);
    expect(user?.fieldReports).toMatch(/virtual machines kept running/);
  });
});
