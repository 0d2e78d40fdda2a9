import { randomUUID } from 'node:crypto';
import { CLIENT_IDS, SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from './constants.ts';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addOtherResource,
  addResourceGroup,
  addRoleAssignment,
  addSubscription,
  addVault,
  allowStorage,
} from './fleet.ts';
import { BUILT_IN_ROLES } from './roles/built-in-roles.ts';
import type { ResourceGroup, RoleDefinition, Subscription, Vault, World } from './world.ts';

/** The functions that Key Vault's events go to, each with the one event type it handles. */
const eventFunctions = {
  keyNewVersionCreated: 'Microsoft.KeyVault.KeyNewVersionCreated',
  keyNearExpiry: 'Microsoft.KeyVault.KeyNearExpiry',
  keyExpired: 'Microsoft.KeyVault.KeyExpired',
} as const;

/** The fleet that `npm start` shows and people script against. Its names are part of the contract of the local run. */
export function sampleFleet(world: World): void {
  const main = addSubscription(world, { subscriptionId: SUBSCRIPTION_ID, displayName: 'Local Files' });
  const second = addSubscription(world, { subscriptionId: SECOND_SUBSCRIPTION_ID, displayName: 'Local Records' });
  const app = addResourceGroup(world, main, 'rg-cmk');
  const keys = addResourceGroup(world, main, 'rg-keys');
  const files = addResourceGroup(world, main, 'rg-files');
  const archive = addResourceGroup(world, main, 'rg-archive');
  const plain = addResourceGroup(world, main, 'rg-plain');
  const records = addResourceGroup(world, second, 'rg-records');

  const kvFiles = addVault(world, keys, 'kv-files');
  const kvRecords = addVault(world, keys, 'kv-records');
  const kvOther = addVault(world, keys, 'kv-other');
  addKeyVersion(world, kvFiles, 'files-key');
  const archiveVersion = addKeyVersion(world, kvFiles, 'archive-key');
  addKeyVersion(world, kvRecords, 'records-key');
  addKeyVersion(world, kvOther, 'other-key');

  const identity = addIdentity(world, files, 'id-storage');
  for (const vault of [kvFiles, kvRecords]) allowStorage(world, vault, identity.principalId);

  const shares = ['share1', 'share2'];
  const filesKey = { vault: kvFiles, keyName: 'files-key' };
  const archiveKey = { vault: kvFiles, keyName: 'archive-key', mode: 'pinned' } as const;
  const recordsKey = { vault: kvRecords, keyName: 'records-key', mode: 'pinned' } as const;
  for (const n of ['01', '02', '03', '04', '05', '06']) {
    addAccount(world, files, {
      name: `stfiles${n}`,
      identity,
      shares,
      key: { ...filesKey, mode: 'pinned' },
      ...(n === '06' ? { scopes: [{ name: 'scope1', key: { ...filesKey, mode: 'pinned' } as const }] } : {}),
    });
  }
  addAccount(world, files, { name: 'stfiles07', identity, shares, key: { ...filesKey, mode: 'automatic' } });
  addAccount(world, files, { name: 'stfiles08', identity, shares, key: { ...filesKey, mode: 'automaticEmpty' } });
  for (const name of ['starchive01', 'starchive02'])
    addAccount(world, archive, { name, identity, shares, key: archiveKey });
  // Not storage accounts, and cut off by the same key all the same: a dry run shows them.
  const archiveKeyId = `https://kv-files.vault.azure.net/keys/archive-key/${archiveVersion.version}`;
  addOtherResource(world, archive, 'Microsoft.Compute/diskEncryptionSets', 'des-archive', {
    activeKey: { keyUrl: archiveKeyId, sourceVault: { id: kvFiles.id } },
    encryptionType: 'EncryptionAtRestWithCustomerKey',
    rotationToLatestKeyVersionEnabled: false,
    provisioningState: 'Succeeded',
  });
  addOtherResource(world, archive, 'Microsoft.Sql/servers', 'sql-archive', {
    fullyQualifiedDomainName: 'sql-archive.database.windows.net',
    keyId: archiveKeyId,
    state: 'Ready',
    version: '12.0',
  });
  // In another subscription: their own, system-assigned identities.
  for (const name of ['strecords01', 'strecords02']) addAccount(world, records, { name, shares, key: recordsKey });
  addAccount(world, plain, { name: 'stplain01', shares });

  addIdentity(world, app, 'id-cmk-app', {
    clientId: CLIENT_IDS.appUserAssigned,
    principalId: world.principals.get(CLIENT_IDS.appUserAssigned)?.objectId ?? '',
  });
  grantApp(world, { vaults: [kvFiles, kvRecords], subscriptions: [main, second] });
  for (const vault of [kvFiles, kvRecords]) subscribeApp(world, vault, app);
}

/** Gives the app's identities the least they need: Reader, changing encryption, and updating and rotating keys. */
export function grantApp(
  world: World,
  targets: { vaults: readonly Vault[]; subscriptions: readonly Subscription[] },
): void {
  const scopes = targets.subscriptions.map(({ subscriptionId }) => `/subscriptions/${subscriptionId}`);
  const keyRole = customRole(world, scopes, 'CMK key operator', {
    dataActions: [
      'Microsoft.KeyVault/vaults/keys/read',
      'Microsoft.KeyVault/vaults/keys/update/action',
      'Microsoft.KeyVault/vaults/keys/rotate/action',
      'Microsoft.KeyVault/vaults/keyrotationpolicies/read',
    ],
  });
  const storageRole = customRole(world, scopes, 'CMK storage operator', {
    actions: [
      'Microsoft.Storage/storageAccounts/read',
      'Microsoft.Storage/storageAccounts/write',
      'Microsoft.Storage/storageAccounts/encryptionScopes/read',
      'Microsoft.Storage/storageAccounts/encryptionScopes/write',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action',
    ],
  });
  for (const clientId of [CLIENT_IDS.app, CLIENT_IDS.appUserAssigned]) {
    const principalId = world.principals.get(clientId)?.objectId;
    if (!principalId) continue;
    for (const vault of targets.vaults)
      addRoleAssignment(world, { scope: vault.id, principalId, role: keyRole, settled: true });
    for (const scope of scopes) {
      for (const role of [BUILT_IN_ROLES.Reader, storageRole, BUILT_IN_ROLES['Storage File Data Privileged Reader']]) {
        addRoleAssignment(world, { scope, principalId, role, settled: true });
      }
    }
  }
}

function customRole(
  world: World,
  assignableScopes: string[],
  roleName: string,
  rights: { actions?: string[]; dataActions?: string[] },
): RoleDefinition {
  const role: RoleDefinition = {
    id: `${assignableScopes[0]}/providers/Microsoft.Authorization/roleDefinitions/${randomUUID()}`,
    roleName,
    type: 'CustomRole',
    actions: rights.actions ?? [],
    notActions: [],
    dataActions: rights.dataActions ?? [],
    notDataActions: [],
    assignableScopes,
  };
  world.roleDefinitions.set(role.id.toLowerCase(), role);
  return role;
}

/** Subscribes the app's functions to a vault's events, as the deployment does: one event subscription for each function. */
export function subscribeApp(world: World, vault: Vault, appGroup: ResourceGroup): void {
  const storage = `${appGroup.id}/providers/Microsoft.Storage/storageAccounts/stcmkapp`;
  for (const [functionName, eventType] of Object.entries(eventFunctions)) {
    const id = `${vault.id}/providers/Microsoft.EventGrid/eventSubscriptions/cmk-${functionName}`;
    world.eventSubscriptions.set(id.toLowerCase(), {
      id,
      name: `cmk-${functionName}`,
      topic: vault.id,
      properties: {
        topic: vault.id,
        provisioningState: 'Succeeded',
        destination: {
          endpointType: 'AzureFunction',
          properties: {
            resourceId: `${appGroup.id}/providers/Microsoft.Web/sites/func-cmk/functions/${functionName}`,
            maxEventsPerBatch: 1,
            preferredBatchSizeInKilobytes: 64,
          },
        },
        filter: {
          subjectBeginsWith: '',
          subjectEndsWith: '',
          includedEventTypes: [eventType],
          enableAdvancedFilteringOnArrays: true,
        },
        labels: null,
        eventDeliverySchema: 'CloudEventSchemaV1_0',
        retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 },
        deadLetterDestination: {
          endpointType: 'StorageBlob',
          properties: { resourceId: storage, blobContainerName: 'cmk-deadletter' },
        },
      },
    });
  }
}
