import { randomUUID } from 'node:crypto';
import { writtenBy } from './arm/vault-body.ts';
import { CLIENT_IDS } from './constants.ts';
import { createKeyVersion, resumeVault } from './key-vault/keys.ts';
import { assignLocalRole, LOCAL_ROLES } from './key-vault/local-access.ts';
import { readRotationPolicy } from './key-vault/rotation-policy.ts';
import type {
  KeyVersion,
  OtherResource,
  Principal,
  ResourceGroup,
  Subscription,
  UserAssignedIdentity,
  Vault,
  World,
} from './world.ts';

export { addAccount, allowStorage, type FleetAccount, type FleetKey, type KeyMode } from './fleet-account.ts';
export { assignRole as addRoleAssignment } from './roles/assign-role.ts';

/** Adds a subscription. `subscriptionId` is random by default. */
export function addSubscription(
  world: World,
  options: { subscriptionId?: string; displayName?: string } = {},
): Subscription {
  const subscriptionId = (options.subscriptionId ?? randomUUID()).toLowerCase();
  const subscription: Subscription = { subscriptionId, displayName: options.displayName ?? 'Local', state: 'Enabled' };
  world.subscriptions.set(subscriptionId, subscription);
  return subscription;
}

/** Adds a resource group. */
export function addResourceGroup(
  world: World,
  subscription: Subscription,
  name: string,
  location = 'westeurope',
): ResourceGroup {
  const id = `/subscriptions/${subscription.subscriptionId}/resourceGroups/${name}`;
  const group: ResourceGroup = { id, name, location, tags: {} };
  world.resourceGroups.set(id.toLowerCase(), group);
  return group;
}

/** Adds a vault with RBAC, soft delete and purge protection, unless `properties` says otherwise. */
export function addVault(
  world: World,
  group: ResourceGroup,
  name: string,
  properties: Partial<Vault['properties']> = {},
): Vault {
  const owner = world.principals.get(CLIENT_IDS.owner);
  const vault: Vault = {
    id: `${group.id}/providers/Microsoft.KeyVault/vaults/${name}`,
    name,
    location: group.location,
    tags: {},
    properties: {
      sku: { family: 'A', name: 'standard' },
      tenantId: world.tenantId,
      accessPolicies: [],
      enabledForDeployment: false,
      enableSoftDelete: true,
      softDeleteRetentionInDays: 90,
      enableRbacAuthorization: true,
      enablePurgeProtection: true,
      vaultUri: `https://${name}.vault.azure.net/`,
      provisioningState: 'Succeeded',
      publicNetworkAccess: 'Enabled',
      ...properties,
    },
    keys: new Map(),
    deletedKeys: new Map(),
    ...(owner ? { systemData: writtenBy(world, owner) } : {}),
  };

  world.vaults.set(name.toLowerCase(), vault);

  return vault;
}

/** Adds an activated Managed HSM with purge protection. */
export function addManagedHsm(
  world: World,
  group: ResourceGroup,
  name: string,
  properties: Partial<Vault['properties']> = {},
): Vault {
  const hsm: Vault = {
    id: `${group.id}/providers/Microsoft.KeyVault/managedHSMs/${name}`,
    name,
    location: group.location,
    tags: {},
    properties: {
      sku: { family: 'B', name: 'Standard_B1' },
      tenantId: world.tenantId,
      initialAdminObjectIds: [],
      enableSoftDelete: true,
      softDeleteRetentionInDays: 90,
      enablePurgeProtection: true,
      vaultUri: `https://${name}.managedhsm.azure.net/`,
      provisioningState: 'Succeeded',
      statusMessage: 'The Managed HSM is provisioned and ready to use.',
      publicNetworkAccess: 'Enabled',
      networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow', ipRules: [], virtualNetworkRules: [] },
      ...properties,
    },
    keys: new Map(),
    deletedKeys: new Map(),
    local: { roleAssignments: new Map(), roleDefinitions: new Map() },
  };

  world.managedHsms.set(name.toLowerCase(), hsm);

  const owners = [...world.principals.values()].filter(({ clientId }) => OWNERS.includes(clientId));
  for (const { objectId: principalId } of owners) {
    for (const role of [LOCAL_ROLES.administrator, LOCAL_ROLES.cryptoOfficer, LOCAL_ROLES.cryptoUser]) {
      if (hsm.local) assignLocalRole(hsm.local, { principalId, role, scope: '/' });
    }
  }

  return hsm;
}

const OWNERS: readonly string[] = [CLIENT_IDS.owner, CLIENT_IDS.ownerUser];

/** Adds a key version. Publishes its event only if `publish` is true. */
export function addKeyVersion(
  world: World,
  vault: Vault,
  keyName: string,
  options: Parameters<typeof createKeyVersion>[3] = {},
): KeyVersion {
  return createKeyVersion(world, vault, keyName, { publish: false, ...options });
}

/** Sets the rotation policy of a key after Key Vault's checks. */
export function setRotationPolicy(world: World, vault: Vault, keyName: string, policy: Record<string, unknown>): void {
  const key = vault.keys.get(keyName.toLowerCase());
  if (!key) throw new Error(`There is no key '${keyName}' in vault '${vault.name}'.`);
  key.rotationPolicy = readRotationPolicy(vault, policy, key.rotationPolicy, world.clock.nowSeconds());
  resumeVault(world, vault);
}

/** Adds a user-assigned identity. */
export function addIdentity(
  world: World,
  group: ResourceGroup,
  name: string,
  ids: { clientId?: string; principalId?: string } = {},
): UserAssignedIdentity {
  const identity: UserAssignedIdentity = {
    id: `${group.id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`,
    name,
    location: group.location,
    tags: {},
    principalId: ids.principalId ?? randomUUID(),
    clientId: ids.clientId ?? randomUUID(),
  };

  world.identities.set(identity.id.toLowerCase(), identity);
  return identity;
}

/** Adds a resource of another service. `type` as Azure spells it: `Microsoft.Sql/servers`. */
export function addOtherResource(
  world: World,
  group: ResourceGroup,
  type: string,
  name: string,
  properties: Record<string, unknown>,
  identity?: unknown,
): OtherResource {
  // A child stands below its parent: `san1/group1`.
  const [provider = '', ...types] = type.split('/');
  const names = name.split('/');
  const path = types.map((one, at) => `${one}/${names[at]}`).join('/');
  const id = `${group.id}/providers/${provider}/${path}`;
  const resource = { id, type, location: group.location, properties, ...(identity ? { identity } : {}) };
  world.otherResources.set(resource.id.toLowerCase(), resource);
  return resource;
}

/** Adds a principal that can sign in. */
export function addPrincipal(world: World, options: Partial<Principal> & { displayName: string }): Principal {
  const principal: Principal = {
    clientId: randomUUID(),
    objectId: randomUUID(),
    secret: randomUUID(),
    kind: 'application',
    appRoles: [],
    ...options,
  };

  world.principals.set(principal.clientId, principal);
  return principal;
}
