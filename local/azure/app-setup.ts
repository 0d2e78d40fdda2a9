import { randomUUID } from 'node:crypto';
import { KEY_USER_TYPES } from './arm/other-resources.ts';
import { CLIENT_IDS } from './constants.ts';
import { assignLocalRole } from './key-vault/local-access.ts';
import { assignRole } from './roles/assign-role.ts';
import { BUILT_IN_ROLES } from './roles/built-in-roles.ts';
import type {
  LocalAccess,
  LocalRoleDefinition,
  ResourceGroup,
  RoleDefinition,
  Subscription,
  Vault,
  World,
} from './world.ts';

/** The functions that handle Key Vault's events, with the one event type of each. */
const eventFunctions = {
  keyNewVersionCreated: 'Microsoft.KeyVault.KeyNewVersionCreated',
  keyNearExpiry: 'Microsoft.KeyVault.KeyNearExpiry',
  keyExpired: 'Microsoft.KeyVault.KeyExpired',
} as const;

/** The app lists blobs and reads none, as in infra/. */
const LIST_BLOBS_ALONE =
  "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'} AND NOT SubOperationMatches{'Blob.List'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals '-'))";

/** Gives the app's identities the least rights they need: Reader, changing encryption, updating and rotating keys. */
export function grantApp(
  world: World,
  targets: { vaults: readonly Vault[]; subscriptions: readonly Subscription[]; hsms?: readonly Vault[] },
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
      'Microsoft.PolicyInsights/policyStates/queryResults/action',
    ],
  });

  // At the subscription, so that it outlives a vault that is deleted and recovered.
  const eventRole = customRole(world, scopes, 'CMK event operator', {
    actions: [
      'Microsoft.EventGrid/eventSubscriptions/write',
      'Microsoft.EventGrid/systemTopics/eventSubscriptions/write',
      'Microsoft.KeyVault/vaults/eventGridFilters/write',
    ],
  });

  const logRole = customRole(world, scopes, 'CMK usage reader', {
    actions: [
      'Microsoft.OperationalInsights/workspaces/query/read',
      'Microsoft.OperationalInsights/workspaces/query/AzureDiagnostics/read',
      'Microsoft.OperationalInsights/workspaces/query/AZKVAuditLogs/read',
    ],
  });

  // What the deployment grants with allowBlobProbe.
  const blobRole = customRole(world, scopes, 'CMK blob lister', {
    dataActions: ['Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'],
  });

  for (const clientId of [CLIENT_IDS.app, CLIENT_IDS.appUserAssigned]) {
    const principalId = world.principals.get(clientId)?.objectId;
    if (!principalId) continue;

    for (const vault of targets.vaults) {
      assignRole(world, { scope: vault.id, principalId, role: keyRole, settled: true });
    }

    for (const { local } of targets.hsms ?? []) {
      if (local) grantInHsm(local, principalId);
    }
    for (const { id } of world.workspaces.values()) {
      assignRole(world, { scope: id, principalId, role: logRole, settled: true });
    }

    for (const scope of scopes) {
      for (const role of [
        BUILT_IN_ROLES.Reader,
        storageRole,
        eventRole,
        BUILT_IN_ROLES['Storage File Data Privileged Reader'],
      ]) {
        assignRole(world, { scope, principalId, role, settled: true });
      }

      const lister = assignRole(world, { scope, principalId, role: blobRole, settled: true });
      Object.assign(lister, { condition: LIST_BLOBS_ALONE, conditionVersion: '2.0' });
    }
  }
}

const local = (...actions: string[]) => actions.map((action) => `Microsoft.KeyVault/managedHsm/${action}/action`);

/** The local roles that docs/how-to/managed-hsm.md tells the administrator of a Managed HSM to assign. */
export const APP_LOCAL_ROLES = [
  {
    name: '5f3f0e0a-3c59-4c39-9a6b-0d2c1e1f7a11',
    roleName: 'CMK Autopilot',
    description: 'Read, rotate, disable and enable keys',
    dataActions: local('keys/read', 'keys/write', 'keys/rotate'),
    scope: '/keys',
  },
  {
    name: '8a0d9c52-6f0e-4f4b-8f0c-3f6a5f1c2b22',
    roleName: 'CMK Autopilot roles reader',
    description: 'See who has which local role',
    dataActions: local('roleAssignments/read', 'roleDefinitions/read'),
    scope: '/',
  },
] as const;

function grantInHsm(access: LocalAccess, principalId: string): void {
  for (const { scope, ...rest } of APP_LOCAL_ROLES) {
    const role: LocalRoleDefinition = { ...rest, type: 'CustomRole', notDataActions: [] };
    access.roleDefinitions.set(role.name, role);
    assignLocalRole(access, { principalId, role, scope });
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

/** What the app watches in each subscription, as infra/ has it: one list for each event subscription. */
const WATCHED = [
  ...['write', 'delete', 'encryptionScopes/write'].map((one) => `Microsoft.Storage/storageAccounts/${one}`),
  ...['write', 'delete'].map((one) => `Microsoft.ManagedIdentity/userAssignedIdentities/${one}`),
  'Microsoft.Resources/subscriptions/resourceGroups/delete',
  ...['roleAssignments', 'roleDefinitions', 'locks'].flatMap((type) => [
    `Microsoft.Authorization/${type}/write`,
    `Microsoft.Authorization/${type}/delete`,
  ]),
  ...['vaults/write', 'vaults/delete', 'vaults/accessPolicies/write', 'managedHSMs/write', 'managedHSMs/delete'].map(
    (one) => `Microsoft.KeyVault/${one}`,
  ),
  ...['write', 'delete'].map((one) => `Microsoft.Insights/diagnosticSettings/${one}`),
  ...['eventSubscriptions/write', 'eventSubscriptions/delete', 'systemTopics/delete'].map(
    (one) => `Microsoft.EventGrid/${one}`,
  ),
  ...['write', 'delete'].map((one) => `Microsoft.EventGrid/systemTopics/eventSubscriptions/${one}`),
];

/** The second list: perimeters, and other services' resources that use keys. */
const KEY_USERS_WATCHED = [
  ...['write', 'delete'].map((one) => `Microsoft.Network/networkSecurityPerimeters/resourceAssociations/${one}`),
  ...KEY_USER_TYPES.map((type) => `${type.startsWith('Microsoft.Sql/') ? `${type}/encryptionProtector` : type}/write`),
];

/** Deploys the app's code to a function app. Event Grid takes only deployed functions as destinations. */
export function deployCode(world: World, siteId: string): void {
  for (const name of [...Object.keys(eventFunctions), 'resourceChanged']) {
    world.functions.add(`${siteId}/functions/${name}`.toLowerCase());
  }
}

/**
 * Subscribes the app's functions to a vault's events, one event subscription for each function, as the deployment does.
 */
export function subscribeApp(world: World, vault: Vault, appGroup: ResourceGroup): void {
  for (const [functionName, eventType] of Object.entries(eventFunctions)) {
    subscribe(world, vault.id, appGroup, functionName, { includedEventTypes: [eventType] });
  }
}

/** Subscribes the app to a subscription's changes, except those that the app itself makes. */
export function watchChanges(world: World, { subscriptionId }: Subscription, appGroup: ResourceGroup): void {
  const source = `/subscriptions/${subscriptionId}`;

  for (const [ending, values] of Object.entries({ resourceChanged: WATCHED, resourceChanged2: KEY_USERS_WATCHED })) {
    const filter = {
      includedEventTypes: ['Microsoft.Resources.ResourceWriteSuccess', 'Microsoft.Resources.ResourceDeleteSuccess'],
      advancedFilters: [
        { operatorType: 'StringIn', key: 'data.operationName', values },
        { operatorType: 'StringNotIn', key: 'data.claims.appid', values: [CLIENT_IDS.appUserAssigned] },
      ],
    };

    subscribe(world, source, appGroup, 'resourceChanged', filter, ending);
  }
}

function subscribe(
  world: World,
  source: string,
  appGroup: ResourceGroup,
  functionName: string,
  filter: Record<string, unknown>,
  ending = functionName,
): void {
  const id = `${source}/providers/Microsoft.EventGrid/eventSubscriptions/cmk-${ending}`;
  const site = `${appGroup.id}/providers/Microsoft.Web/sites/func-cmk`;
  deployCode(world, site);

  const resourceId = `${site}/functions/${functionName}`;
  world.eventSubscriptions.set(id.toLowerCase(), {
    id,
    name: `cmk-${ending}`,
    topic: source,
    properties: {
      topic: source,
      provisioningState: 'Succeeded',
      destination: {
        endpointType: 'AzureFunction',
        properties: {
          resourceId,
          maxEventsPerBatch: 1,
          preferredBatchSizeInKilobytes: 64,
        },
      },
      filter: { subjectBeginsWith: '', subjectEndsWith: '', enableAdvancedFilteringOnArrays: true, ...filter },
      labels: null,
      eventDeliverySchema: 'CloudEventSchemaV1_0',
      retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 },
      deadLetterDestination: {
        endpointType: 'StorageBlob',
        properties: {
          resourceId: `${appGroup.id}/providers/Microsoft.Storage/storageAccounts/stcmkapp`,
          blobContainerName: 'cmk-deadletter',
        },
      },
    },
  });
}
