import { describe, expect, it } from 'vitest';
import { describeByHand } from '../../src/key-users/by-hand.ts';
import { createFollowBody } from '../../src/key-users/follow-body.ts';
import { findKeyUserType, listFollowTypes } from '../../src/key-users/key-user-types.ts';
import { keyVersion, versionName } from '../support/keys.ts';

const vault = 'https://kv-files.vault.azure.net';
const key = `${vault}/keys/files-key`;
const pinned = `${key}/${versionName(1)}`;
const geo = 'https://kv-geo.vault.azure.net/keys/geo-key';
const identity = '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1';

/** Properties as a GET shows them, and those of the body, in the form of the API specification's example. */
const BODIES: readonly (readonly [type: string, read: object, sent: object])[] = [
  [
    'Microsoft.Batch/batchAccounts',
    {
      poolAllocationMode: 'BatchService',
      encryption: { keySource: 'Microsoft.KeyVault', keyVaultProperties: { keyIdentifier: pinned } },
    },
    { encryption: { keySource: 'Microsoft.KeyVault', keyVaultProperties: { keyIdentifier: key } } },
  ],
  [
    'Microsoft.Compute/diskEncryptionSets',
    {
      activeKey: { keyUrl: pinned, sourceVault: { id: '/vault' } },
      encryptionType: 'EncryptionAtRestWithCustomerKey',
      previousKeys: [],
      rotationToLatestKeyVersionEnabled: false,
      provisioningState: 'Succeeded',
    },
    // The version stays: this provider rejects an identifier without it.
    {
      activeKey: { keyUrl: pinned },
      encryptionType: 'EncryptionAtRestWithCustomerKey',
      rotationToLatestKeyVersionEnabled: true,
    },
  ],
  [
    'Microsoft.ContainerRegistry/registries',
    {
      adminUserEnabled: false,
      encryption: {
        status: 'enabled',
        keyVaultProperties: {
          keyIdentifier: pinned,
          identity,
          versionedKeyIdentifier: pinned,
          keyRotationEnabled: false,
        },
      },
    },
    { encryption: { status: 'enabled', keyVaultProperties: { keyIdentifier: key, identity } } },
  ],
  [
    'Microsoft.DBforPostgreSQL/flexibleServers',
    {
      state: 'Ready',
      dataEncryption: {
        type: 'AzureKeyVault',
        primaryKeyURI: pinned,
        primaryUserAssignedIdentityId: identity,
        primaryEncryptionKeyStatus: 'Valid',
        geoBackupKeyURI: `${geo}/${versionName(2)}`,
        geoBackupUserAssignedIdentityId: identity,
      },
    },
    {
      createMode: 'Update',
      dataEncryption: {
        type: 'AzureKeyVault',
        primaryKeyURI: key,
        primaryUserAssignedIdentityId: identity,
        geoBackupKeyURI: geo,
        geoBackupUserAssignedIdentityId: identity,
      },
    },
  ],
  [
    'Microsoft.ElasticSan/elasticSans/volumeGroups',
    {
      encryption: 'EncryptionAtRestWithCustomerManagedKey',
      encryptionProperties: {
        keyVaultProperties: {
          keyName: 'files-key',
          keyVersion: versionName(1),
          keyVaultUri: vault,
          currentVersionedKeyIdentifier: pinned,
        },
        identity: { userAssignedIdentity: identity },
      },
    },
    {
      encryption: 'EncryptionAtRestWithCustomerManagedKey',
      encryptionProperties: {
        keyVaultProperties: { keyName: 'files-key', keyVersion: '', keyVaultUri: vault },
        identity: { userAssignedIdentity: identity },
      },
    },
  ],
  [
    'Microsoft.OperationalInsights/clusters',
    {
      keyVaultProperties: { keyVaultUri: vault, keyName: 'files-key', keyVersion: versionName(1), keyRsaSize: 2048 },
      associatedWorkspaces: [],
    },
    { keyVaultProperties: { keyVaultUri: vault, keyName: 'files-key', keyVersion: '', keyRsaSize: 2048 } },
  ],
  [
    'Microsoft.Kusto/clusters',
    {
      keyVaultProperties: {
        keyVaultUri: vault,
        keyName: 'files-key',
        keyVersion: versionName(1),
        userIdentity: identity,
      },
    },
    { keyVaultProperties: { keyVaultUri: vault, keyName: 'files-key', userIdentity: identity } },
  ],
  [
    'Microsoft.DataProtection/backupVaults',
    {
      storageSettings: [],
      securitySettings: {
        softDeleteSettings: { state: 'On', retentionDurationInDays: 14 },
        immutabilitySettings: { state: 'Disabled' },
        encryptionSettings: {
          state: 'Enabled',
          keyVaultProperties: { keyUri: pinned },
          kekIdentity: { identityType: 'SystemAssigned' },
          infrastructureEncryption: 'Enabled',
        },
      },
    },
    {
      securitySettings: {
        softDeleteSettings: { state: 'On', retentionDurationInDays: 14 },
        immutabilitySettings: { state: 'Disabled' },
        encryptionSettings: {
          state: 'Enabled',
          keyVaultProperties: { keyUri: key },
          kekIdentity: { identityType: 'SystemAssigned' },
          infrastructureEncryption: 'Enabled',
        },
      },
    },
  ],
];

describe('the commands for a resource that cmk does not write', () => {
  const newest = keyVersion(3);
  const describe = (type: string, name = 'one') =>
    describeByHand(
      { id: `/subscriptions/s1/resourceGroups/rg1/providers/${type}/${name}`, type: type.toLowerCase() },
      newest,
    );

  it.each([
    [
      'Microsoft.Sql/servers',
      `az sql server key create --server one --resource-group rg1 --subscription s1 --kid ${newest.id} && az sql server tde-key set --server one --resource-group rg1 --subscription s1 --server-key-type AzureKeyVault --kid ${newest.id} --auto-rotation-enabled true`,
    ],
    [
      'Microsoft.ContainerService/managedClusters',
      `az aks update --name one --resource-group rg1 --subscription s1 --azure-keyvault-kms-key-id ${newest.id}`,
    ],
    ['Microsoft.DBforMySQL/flexibleServers', `properties.dataEncryption.primaryKeyURI=${newest.id}`],
    ['Microsoft.Synapse/workspaces', 'Switch it to a temporary key and back'],
    ['Contoso.Vaults/boxes', 'Ask its service'],
  ])('The commands for %s are complete', (type, text) => {
    expect(describe(type)).toContain(text);
  });

  it('A name that a shell could interpret gives no command to copy', () => {
    expect(describe('Microsoft.Sql/servers', 'a"b')).not.toContain('a"b');
  });
});

describe('the write that makes a resource follow new versions', () => {
  it.each(BODIES)('The body for %s is that of the API specification', (type, read, properties) => {
    const write = findKeyUserType(type)?.follow;
    expect(write && createFollowBody(write, read)).toEqual({ properties });
  });

  it('Each type that is written has a test of its body', () => {
    expect(BODIES.map(([type]) => type).sort()).toEqual(listFollowTypes().sort());
  });
});
