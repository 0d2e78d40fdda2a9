import type { RoleDefinition } from '../world.ts';

interface Rights {
  actions?: string[];
  notActions?: string[];
  dataActions?: string[];
  description?: string;
}

function builtIn(guid: string, roleName: string, rights: Rights): RoleDefinition {
  return {
    id: `/providers/Microsoft.Authorization/roleDefinitions/${guid}`,
    roleName,
    type: 'BuiltInRole',
    actions: rights.actions ?? [],
    notActions: rights.notActions ?? [],
    dataActions: rights.dataActions ?? [],
    notDataActions: [],
    assignableScopes: ['/'],
    ...(rights.description ? { description: rights.description } : {}),
  };
}

const support = ['Microsoft.Resources/deployments/*', 'Microsoft.Insights/alertRules/*', 'Microsoft.Support/*'];
const common = ['Microsoft.Authorization/*/read', 'Microsoft.Resources/subscriptions/resourceGroups/read', ...support];
const blobContainers = 'Microsoft.Storage/storageAccounts/blobServices/containers';
const vaultReads = [
  'Microsoft.KeyVault/checkNameAvailability/read',
  'Microsoft.KeyVault/deletedVaults/read',
  'Microsoft.KeyVault/locations/*/read',
  'Microsoft.KeyVault/vaults/*/read',
  'Microsoft.KeyVault/operations/read',
];
const fileShares = 'Microsoft.Storage/storageAccounts/fileServices/fileshares/files';

const definitions = [
  builtIn('8e3af657-a8ff-443c-a75c-2fe8c4bcb635', 'Owner', { actions: ['*'] }),
  builtIn('b24988ac-6180-42a0-ab88-20f7382dd24c', 'Contributor', {
    actions: ['*'],
    notActions: [
      'Microsoft.Authorization/*/Delete',
      'Microsoft.Authorization/*/Write',
      'Microsoft.Authorization/elevateAccess/Action',
    ],
  }),
  builtIn('acdd72a7-3385-48ef-bd42-f606fba81ae7', 'Reader', {
    actions: ['*/read'],
    description: 'View all resources, but does not allow you to make any changes.',
  }),
  builtIn('73c42c96-874c-492b-b04d-ab87d138a893', 'Log Analytics Reader', { actions: ['*/read'] }),
  builtIn('18d7d88d-d35e-4fb5-a5c3-7773c20a72d9', 'User Access Administrator', {
    actions: ['*/read', 'Microsoft.Authorization/*', 'Microsoft.Support/*'],
  }),
  builtIn('f58310d9-a9f6-439a-9e8d-f62e7b41a168', 'Role Based Access Control Administrator', {
    actions: [
      'Microsoft.Authorization/roleAssignments/write',
      'Microsoft.Authorization/roleAssignments/delete',
      '*/read',
      'Microsoft.Support/*',
    ],
  }),
  builtIn('00482a5a-887f-4fb3-b363-3b7fe8e74483', 'Key Vault Administrator', {
    actions: [...common, ...vaultReads],
    dataActions: ['Microsoft.KeyVault/vaults/*'],
  }),
  builtIn('f25e0fa2-a7c8-4377-a976-54943a77a395', 'Key Vault Contributor', {
    actions: [...common, 'Microsoft.KeyVault/*'],
    notActions: ['Microsoft.KeyVault/locations/deletedVaults/purge/action', 'Microsoft.KeyVault/hsmPools/*'],
  }),
  builtIn('21090545-7ca7-4776-b22c-e363652d74d2', 'Key Vault Reader', {
    actions: [...common, ...vaultReads],
    dataActions: ['Microsoft.KeyVault/vaults/*/read', 'Microsoft.KeyVault/vaults/secrets/readMetadata/action'],
  }),
  builtIn('14b46e9e-c2b7-41b4-b07b-48a6ebf60603', 'Key Vault Crypto Officer', {
    actions: [...common, ...vaultReads],
    dataActions: ['Microsoft.KeyVault/vaults/keys/*', 'Microsoft.KeyVault/vaults/keyrotationpolicies/*'],
  }),
  builtIn('12338af0-0e69-4776-bea7-57ae8d297424', 'Key Vault Crypto User', {
    dataActions: [
      'Microsoft.KeyVault/vaults/keys/read',
      'Microsoft.KeyVault/vaults/keys/update/action',
      'Microsoft.KeyVault/vaults/keys/backup/action',
      'Microsoft.KeyVault/vaults/keys/encrypt/action',
      'Microsoft.KeyVault/vaults/keys/decrypt/action',
      'Microsoft.KeyVault/vaults/keys/wrap/action',
      'Microsoft.KeyVault/vaults/keys/unwrap/action',
      'Microsoft.KeyVault/vaults/keys/sign/action',
      'Microsoft.KeyVault/vaults/keys/verify/action',
    ],
  }),
  builtIn('e147488a-f6f5-4113-8e2d-b22465e65bf6', 'Key Vault Crypto Service Encryption User', {
    actions: [
      'Microsoft.EventGrid/eventSubscriptions/write',
      'Microsoft.EventGrid/eventSubscriptions/read',
      'Microsoft.EventGrid/eventSubscriptions/delete',
    ],
    dataActions: [
      'Microsoft.KeyVault/vaults/keys/read',
      'Microsoft.KeyVault/vaults/keys/wrap/action',
      'Microsoft.KeyVault/vaults/keys/unwrap/action',
    ],
  }),
  builtIn('17d1049b-9a84-46fb-8f53-869881c3d3ab', 'Storage Account Contributor', {
    actions: [...common, 'Microsoft.Storage/storageAccounts/*', 'Microsoft.ResourceHealth/availabilityStatuses/read'],
  }),
  builtIn('69566ab7-960f-475b-8e7c-b3118f30c6bd', 'Storage File Data Privileged Contributor', {
    dataActions: [
      `${fileShares}/read`,
      `${fileShares}/write`,
      `${fileShares}/delete`,
      'Microsoft.Storage/storageAccounts/fileServices/readFileBackupSemantics/action',
      'Microsoft.Storage/storageAccounts/fileServices/writeFileBackupSemantics/action',
    ],
  }),
  builtIn('b8eda974-7b85-4f76-af95-65846b26df6d', 'Storage File Data Privileged Reader', {
    dataActions: [
      `${fileShares}/read`,
      'Microsoft.Storage/storageAccounts/fileServices/readFileBackupSemantics/action',
    ],
  }),
  builtIn('ba92f5b4-2d11-453d-a403-e96b0029c9fe', 'Storage Blob Data Contributor', {
    actions: [
      `${blobContainers}/delete`,
      `${blobContainers}/read`,
      `${blobContainers}/write`,
      'Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action',
    ],
    dataActions: ['delete', 'read', 'write', 'move/action', 'add/action'].map(
      (verb) => `${blobContainers}/blobs/${verb}`,
    ),
  }),
  builtIn('974c5e8b-45b9-4653-ba55-5f855dd0fb88', 'Storage Queue Data Contributor', {
    actions: ['delete', 'read', 'write'].map(
      (verb) => `Microsoft.Storage/storageAccounts/queueServices/queues/${verb}`,
    ),
    dataActions: ['delete', 'read', 'write', 'process/action', 'add/action'].map(
      (verb) => `Microsoft.Storage/storageAccounts/queueServices/queues/messages/${verb}`,
    ),
  }),
  builtIn('0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3', 'Storage Table Data Contributor', {
    actions: ['read', 'write', 'delete'].map(
      (verb) => `Microsoft.Storage/storageAccounts/tableServices/tables/${verb}`,
    ),
    dataActions: ['read', 'write', 'delete', 'add/action', 'update/action'].map(
      (verb) => `Microsoft.Storage/storageAccounts/tableServices/tables/entities/${verb}`,
    ),
  }),
  builtIn('f1a07417-d97a-45cb-824c-7a7467783830', 'Managed Identity Operator', {
    actions: [
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action',
      ...common,
    ],
  }),
  builtIn('e40ec5ca-96e0-45a2-b4ff-59039f2c2b59', 'Managed Identity Contributor', {
    actions: [
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/write',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/delete',
      ...common,
    ],
  }),
  builtIn('428e0ff0-5e57-4d9c-a221-2c70d0e0a443', 'EventGrid EventSubscription Contributor', {
    actions: [
      ...common,
      'Microsoft.EventGrid/eventSubscriptions/*',
      'Microsoft.EventGrid/systemTopics/eventSubscriptions/*',
    ],
  }),
  builtIn('2414bbcf-6497-4faf-8c65-045460748405', 'EventGrid EventSubscription Reader', {
    actions: [
      ...common,
      'Microsoft.EventGrid/eventSubscriptions/read',
      'Microsoft.EventGrid/systemTopics/eventSubscriptions/read',
    ],
  }),
  builtIn('1e241071-0855-49ea-94dc-649edcd759de', 'EventGrid Contributor', {
    actions: [...common, 'Microsoft.EventGrid/*'],
  }),
] as const;

type BuiltInRoleName =
  | 'Owner'
  | 'Contributor'
  | 'Reader'
  | 'User Access Administrator'
  | 'Role Based Access Control Administrator'
  | 'Key Vault Administrator'
  | 'Key Vault Contributor'
  | 'Key Vault Reader'
  | 'Key Vault Crypto Officer'
  | 'Key Vault Crypto User'
  | 'Key Vault Crypto Service Encryption User'
  | 'Storage Account Contributor'
  | 'Storage File Data Privileged Contributor'
  | 'Storage File Data Privileged Reader'
  | 'Storage Blob Data Contributor'
  | 'Storage Queue Data Contributor'
  | 'Storage Table Data Contributor'
  | 'Managed Identity Operator'
  | 'Managed Identity Contributor'
  | 'EventGrid EventSubscription Contributor'
  | 'EventGrid EventSubscription Reader'
  | 'EventGrid Contributor';

/** The built-in roles of Azure that key management needs, by name, with their real GUIDs. */
export const BUILT_IN_ROLES = Object.fromEntries(definitions.map((role) => [role.roleName, role])) as Record<
  BuiltInRoleName,
  RoleDefinition
>;

const byGuid = new Map<string, RoleDefinition>(definitions.map((role) => [guidOf(role.id), role]));

/** The last segment of a role definition's id, lower case. */
export function guidOf(roleDefinitionId: string): string {
  return roleDefinitionId.slice(roleDefinitionId.lastIndexOf('/') + 1).toLowerCase();
}

/** A built-in role by any id that ends in its GUID, such as one under a subscription's scope. */
export function builtInRole(roleDefinitionId: string): RoleDefinition | undefined {
  return byGuid.get(guidOf(roleDefinitionId));
}
