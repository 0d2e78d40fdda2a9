import { KeyVaultManagementClient, type ManagedHsm, type Vault as SdkVault } from '@azure/arm-keyvault';
import type { TokenCredential } from '@azure/identity';
import { cacheRecent } from '../azure/cache-recent.ts';
import type { Cloud } from '../azure/cloud.ts';
import { readUnlessMissing } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import { createArmOptions, toAbortOption } from '../azure/resource-manager.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

/** The key permissions of one entry of a vault's access policies. */
export interface KeyPolicy {
  readonly objectId: string;
  readonly keyPermissions: readonly string[];
}

/** Properties of a vault or a Managed HSM in Azure Resource Manager. */
export interface VaultProperties {
  /** ARM id. */
  readonly id: string;
  readonly location: string;
  readonly purgeProtection: boolean;
  readonly softDelete: boolean;
  /** `local`: a Managed HSM has its own access control, which ARM does not return. */
  readonly accessModel: 'rbac' | 'accessPolicies' | 'local';
  readonly policies: readonly KeyPolicy[];
  /** The Entra tenant of the principals that may sign in to the vault. */
  readonly tenantId: string;
  readonly network: VaultNetwork;
}

/** Clients that the vault's network rules permit. */
export interface VaultNetwork {
  readonly publicAccess: 'enabled' | 'disabled' | 'byPerimeter';
  /** Whether the vault permits clients that match no rule. */
  readonly allowsOthers: boolean;
  /** Whether the vault permits Azure's trusted services regardless of its rules. Storage is a trusted service. */
  readonly allowsTrustedServices: boolean;
}

/** A key vault with the properties that its setup needs. */
export interface Vault extends VaultProperties, Named {
  /** Azure's spelling, with the trailing slash. The encryption settings of accounts use this value. */
  readonly uri: string;
  /** `premium` for a Managed HSM, because its keys are in hardware. */
  readonly sku: 'standard' | 'premium';
}

export interface Vaults {
  get(vault: ManagedVault, signal?: AbortSignal): Promise<VaultProperties>;
}

type Named = Pick<ManagedVault, 'kind' | 'subscriptionId' | 'resourceGroup' | 'name'>;
type NewVault = Pick<Vault, 'location' | 'tenantId' | 'sku'>;

/** Vaults in Azure Resource Manager. Throws the SDK's errors: read them with `describeFailure`. */
export function createVaults(credential: TokenCredential, cloud: Cloud, limits?: CallLimits) {
  const clientOf = cacheRecent(
    (subscriptionId) => new KeyVaultManagementClient(credential, subscriptionId, createArmOptions(cloud, limits)),
  );
  const get = async ({ kind, subscriptionId, resourceGroup, name }: Named, signal?: AbortSignal): Promise<Vault> => {
    const { vaults, managedHsms } = clientOf(subscriptionId);
    return kind === 'vault'
      ? toVault(await vaults.get(resourceGroup, name, toAbortOption(signal)))
      : toHsm(await managedHsms.get(resourceGroup, name, toAbortOption(signal)));
  };

  return {
    get,
    /** Finds a vault or a Managed HSM; undefined if it does not exist. */
    find: (id: ResourceId) =>
      readUnlessMissing(() => get({ ...id, kind: /\/managedHSMs$/i.test(id.type) ? 'managedHsm' : 'vault' })),
    /** Creates a vault with purge protection and role-based access. Returns once the vault is usable. */
    async create(id: ResourceId, { location, tenantId, sku }: NewVault): Promise<Vault> {
      const poller = clientOf(id.subscriptionId).vaults.createOrUpdate(
        id.resourceGroup,
        id.name,
        {
          location,
          properties: {
            tenantId,
            sku: { family: 'A', name: sku },
            accessPolicies: [],
            enableRbacAuthorization: true,
            enableSoftDelete: true,
            softDeleteRetentionInDays: 90,
            enablePurgeProtection: true,
          },
        },
        { updateIntervalInMs: 1_000 },
      );

      return toVault(await poller.pollUntilDone());
    },
    /** Turns on purge protection and soft delete, its prerequisite. Azure never turns them off again. */
    async protect({ subscriptionId, resourceGroup, name }: Named): Promise<Vault> {
      const properties = { enableSoftDelete: true, enablePurgeProtection: true };
      return toVault(await clientOf(subscriptionId).vaults.update(resourceGroup, name, { properties }));
    },
    /** Whether a soft-deleted vault reserves the name. @throws Azure's 403 if the caller may not check */
    async isDeleted(subscriptionId: string, name: string, location: string): Promise<boolean> {
      const { vaults } = clientOf(subscriptionId);
      return (await readUnlessMissing(() => vaults.getDeleted(name, location))) !== undefined;
    },
    /** Adds key permissions to a principal's access policy. Has no effect in a vault with role-based access. */
    async addPolicy(vault: Vault, objectId: string, keys: readonly string[]): Promise<void> {
      const { subscriptionId, resourceGroup, name, tenantId } = vault;
      const accessPolicies = [{ tenantId, objectId, permissions: { keys: [...keys] } }];
      const { vaults } = clientOf(subscriptionId);
      await vaults.updateAccessPolicy(resourceGroup, name, 'add', { properties: { accessPolicies } });
    },
  };
}

/** @throws TypeError if the response describes no vault */
function toVault({ id, location = '', properties }: SdkVault): Vault {
  return {
    ...placeOf(id, properties.vaultUri),
    kind: 'vault',
    sku: properties.sku.name.toLowerCase() === 'premium' ? 'premium' : 'standard',
    location,
    purgeProtection: properties.enablePurgeProtection ?? false,
    // Absent counts as on: vaults created since December 2020 always have soft delete (Key Vault, soft-delete
    // overview). An older vault is no risk: Storage requires purge protection, which requires soft delete.
    softDelete: properties.enableSoftDelete ?? true,
    accessModel: properties.enableRbacAuthorization ? 'rbac' : 'accessPolicies',
    policies: (properties.accessPolicies ?? [])
      // A policy for an application on behalf of a user grants the principal itself no access.
      .filter(({ applicationId }) => !applicationId)
      .map(({ objectId, permissions }) => ({ objectId, keyPermissions: permissions.keys ?? [] })),
    tenantId: properties.tenantId,
    network: networkOf(properties.publicNetworkAccess, properties.networkAcls),
  };
}

/** @throws TypeError if the response describes no Managed HSM */
function toHsm({ id, location = '', properties }: ManagedHsm): Vault {
  return {
    ...placeOf(id, properties?.hsmUri),
    kind: 'managedHsm',
    sku: 'premium',
    location,
    purgeProtection: properties?.enablePurgeProtection ?? false,
    // A Managed HSM always has soft delete (Managed HSM, soft-delete overview).
    softDelete: properties?.enableSoftDelete ?? true,
    accessModel: 'local',
    policies: [],
    tenantId: properties?.tenantId ?? '',
    network: networkOf(properties?.publicNetworkAccess, properties?.networkAcls),
  };
}

function placeOf(armId: string | undefined, uri: string | undefined) {
  const parsed = parseResourceId(armId ?? '');
  if (!parsed || !uri) throw new TypeError('Azure returned a vault without an id or URI.');
  const { id, name, subscriptionId, resourceGroup } = parsed;
  return { id, name, subscriptionId, resourceGroup, uri };
}

/** Absent settings count as open: `bypass` defaults to `AzureServices` (Key Vault, REST, "NetworkRuleSet"). */
function networkOf(
  publicAccess: string | undefined,
  rules: { readonly bypass?: string; readonly defaultAction?: string } | undefined,
): VaultNetwork {
  return {
    publicAccess: publicAccessOf(publicAccess),
    allowsOthers: rules?.defaultAction?.toLowerCase() !== 'deny',
    allowsTrustedServices: rules?.bypass?.toLowerCase() !== 'none',
  };
}

function publicAccessOf(setting: string | undefined): VaultNetwork['publicAccess'] {
  const access = setting?.toLowerCase();
  if (access === 'disabled') return 'disabled';
  return access === 'securedbyperimeter' ? 'byPerimeter' : 'enabled';
}

/**
 * Why Storage cannot reach the keys; undefined if it can. Storage reads keys as a trusted service, which the `bypass`
 * setting permits (Azure Storage, "Customer-managed keys overview").
 *
 * @returns not certain if the vault's settings alone do not show whether the perimeter blocks an account
 */
export function findStorageHindrance(network: VaultNetwork) {
  if (network.publicAccess === 'byPerimeter') {
    const is =
      'A network security perimeter guards it and blocks trusted services. Only accounts in the same perimeter reach its keys, and the app cannot read whether they are.';
    return { is, certain: false };
  }
  if (network.allowsTrustedServices || (network.allowsOthers && network.publicAccess === 'enabled')) return undefined;
  const closed =
    network.publicAccess === 'disabled' ? 'Its public network access is off' : 'Its network rules deny other clients';
  return { is: `${closed}, and it blocks trusted services. Storage cannot reach its keys.`, certain: true };
}
