import { grantApp, subscribeApp, watchChanges } from './app-setup.ts';
import { CLIENT_IDS, SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID, WORKSPACE_ID } from './constants.ts';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addManagedHsm,
  addOtherResource,
  addResourceGroup,
  addRoleAssignment,
  addSubscription,
  addVault,
  allowStorage,
  setRotationPolicy,
} from './fleet.ts';
import { BUILT_IN_ROLES } from './roles/built-in-roles.ts';
import type { Vault, World } from './world.ts';

/** A diagnostic setting like the deployment's. */
function addAuditLog(world: World, scope: string, workspaceId: string): void {
  const type = 'Microsoft.Insights/diagnosticSettings';
  const id = `${scope}/providers/${type}/cmk-autopilot`;
  const properties = { workspaceId, logs: [{ categoryGroup: 'audit', enabled: true }], metrics: [] };
  world.extensions.set(id.toLowerCase(), { id, type, scope, properties });
}

/**
 * Gives the owner of the local run what Azure gives one: Owner has no data actions, so without a role on a vault it
 * gets `ForbiddenByRbac`. It has such a role on the sample vaults.
 */
function makePlainOwner(world: World, vaults: readonly Vault[]): void {
  for (const clientId of [CLIENT_IDS.owner, CLIENT_IDS.ownerUser]) {
    const principalId = world.principals.get(clientId)?.objectId;
    if (!principalId) continue;

    for (const [id, { principalId: whose, roleDefinitionId }] of world.roleAssignments) {
      const everywhere = BUILT_IN_ROLES['Key Vault Administrator'].id;
      if (whose === principalId && roleDefinitionId === everywhere) world.roleAssignments.delete(id);
    }

    for (const { id } of vaults) {
      const role = BUILT_IN_ROLES['Key Vault Crypto Officer'];
      addRoleAssignment(world, { scope: id, principalId, role, settled: true });
    }
  }
}

/** The fleet of `npm start`, for demonstrations and scripts. Its names are part of the contract of the local run. */
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

  makePlainOwner(world, [kvFiles, kvRecords, kvOther]);

  const workspaceId = `${app.id}/providers/Microsoft.OperationalInsights/workspaces/log-cmk`;

  world.workspaces.set(WORKSPACE_ID, { id: workspaceId, customerId: WORKSPACE_ID });
  for (const { id } of [kvFiles, kvRecords]) addAuditLog(world, id, workspaceId);

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
  for (const name of ['starchive01', 'starchive02']) {
    addAccount(world, archive, { name, identity, shares, key: archiveKey });
  }

  // Not storage accounts, but the same key cuts them off too: a dry run shows them.
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

  // In another subscription, with system-assigned identities.
  for (const name of ['strecords01', 'strecords02']) addAccount(world, records, { name, shares, key: recordsKey });

  addAccount(world, plain, { name: 'stplain01', shares });

  const hsm = addManagedHsm(world, keys, 'hsm-local');

  addAuditLog(world, hsm.id, workspaceId);
  addKeyVersion(world, hsm, 'vault-key');

  // A Managed HSM rotates a key only if it has a policy, even on demand.
  setRotationPolicy(world, hsm, 'vault-key', {
    lifetimeActions: [{ trigger: { timeAfterCreate: 'P18M' }, action: { type: 'Rotate' } }],
    attributes: { expiryTime: 'P2Y' },
  });
  allowStorage(world, hsm, identity.principalId);

  const vaultKey = { vault: hsm, keyName: 'vault-key', mode: 'pinned' } as const;

  addAccount(world, addResourceGroup(world, main, 'rg-vault'), { name: 'stvault01', identity, shares, key: vaultKey });

  addIdentity(world, app, 'id-cmk-app', {
    clientId: CLIENT_IDS.appUserAssigned,
    principalId: world.principals.get(CLIENT_IDS.appUserAssigned)?.objectId ?? '',
  });
  grantApp(world, { vaults: [kvFiles, kvRecords], subscriptions: [main, second], hsms: [hsm] });
  for (const vault of [kvFiles, kvRecords]) subscribeApp(world, vault, app);
  for (const subscription of [main, second]) watchChanges(world, subscription, app);
}
