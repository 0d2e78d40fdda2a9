import { KeyVaultManagementClient, type ManagedHsm, type Vault as SdkVault } from '@azure/arm-keyvault';
import type { TokenCredential } from '@azure/identity';
import { clientPer } from '../azure/client-per.ts';
import type { Cloud } from '../azure/cloud.ts';
import { unlessMissing } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import { aborting, armOptions } from '../azure/resource-manager.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

/** The key permissions of one entry of a vault's access policies. */
export interface KeyPolicy {
  readonly objectId: string;
  readonly keyPermissions: readonly string[];
}

/** A vault, or a Managed HSM, as Azure Resource Manager shows it. */
export interface VaultProperties {
  /** ARM id. */
  readonly id: string;
  readonly location: string;
  readonly purgeProtection: boolean;
  readonly softDelete: boolean;
  /** `local`: a Managed HSM has its own access control, which ARM does not show. */
  readonly accessModel: 'rbac' | 'accessPolicies' | 'local';
  readonly policies: readonly KeyPolicy[];
  /** The Entra tenant whose principals may sign in to it. */
  readonly tenantId: string;
  readonly network: VaultNetwork;
}

/** Whom the network lets in to a vault. */
export interface VaultNetwork {
  readonly publicAccess: 'enabled' | 'disabled' | 'byPerimeter';
  /** Who is in no rule is let in. */
  readonly allowsOthers: boolean;
  /** Azure's trusted services, Storage among them, are let in whatever the rules say. */
  readonly allowsTrustedServices: boolean;
}

/** A key vault with what is needed to set one up. */
export interface Vault extends VaultProperties {
  readonly kind: ManagedVault['kind'];
  readonly name: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  /** As Azure writes it, with its trailing slash: this is what goes into an account's settings. */
  readonly uri: string;
  /** A Managed HSM counts as premium: its keys are in hardware. */
  readonly sku: 'standard' | 'premium';
}

interface NewVault {
  readonly location: string;
  readonly tenantId: string;
  readonly sku: 'standard' | 'premium';
}

/** Vaults through Azure Resource Manager. Errors are the SDK's: read them with `describeFailure`. */
export interface Vaults {
  get(vault: ManagedVault, signal?: AbortSignal): Promise<VaultProperties>;
}

/** Sets vaults up, with the same errors. */
interface VaultSetup extends Vaults {
  /** Of a vault or a Managed HSM; undefined when there is none of that id. */
  find(id: ResourceId): Promise<Vault | undefined>;
  /** Creates a vault with purge protection and role-based access; returns when it can be used. */
  create(id: ResourceId, wanted: NewVault): Promise<Vault>;
  /** Turns on purge protection, and soft delete, which it needs. Neither can be turned off again. */
  protect(id: ResourceId): Promise<Vault>;
  /**
   * Whether a vault of that name is soft-deleted, and so keeps the name taken.
   *
   * @throws Azure's 403 where the caller may not check: neither answer would be certain
   */
  isDeleted(subscriptionId: string, name: string, location: string): Promise<boolean>;
  /** Adds key permissions to a principal's access policy. Only of use in a vault without role-based access. */
  addPolicy(id: ResourceId, tenantId: string, principalId: string, permissions: readonly string[]): Promise<void>;
}

type Named = Pick<ManagedVault, 'kind' | 'subscriptionId' | 'resourceGroup' | 'name'>;

export function createVaults(credential: TokenCredential, cloud: Cloud, limits?: CallLimits): VaultSetup {
  const clientOf = clientPer(
    (subscriptionId) => new KeyVaultManagementClient(credential, subscriptionId, armOptions(cloud, limits)),
  );
  const get = async ({ kind, subscriptionId, resourceGroup, name }: Named, signal?: AbortSignal): Promise<Vault> => {
    const { vaults, managedHsms } = clientOf(subscriptionId);
    return kind === 'vault'
      ? toVault(await vaults.get(resourceGroup, name, aborting(signal)))
      : toHsm(await managedHsms.get(resourceGroup, name, aborting(signal)));
  };
  return {
    get,
    find: (id) => unlessMissing(() => get({ ...id, kind: /\/managedHSMs$/i.test(id.type) ? 'managedHsm' : 'vault' })),
    async create(id, { location, tenantId, sku }) {
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
    async protect(id) {
      const properties = { enableSoftDelete: true, enablePurgeProtection: true };
      return toVault(await clientOf(id.subscriptionId).vaults.update(id.resourceGroup, id.name, { properties }));
    },
    async isDeleted(subscriptionId, name, location) {
      const { vaults } = clientOf(subscriptionId);
      return (await unlessMissing(() => vaults.getDeleted(name, location))) !== undefined;
    },
    async addPolicy(id, tenantId, principalId, permissions) {
      const policy = { tenantId, objectId: principalId, permissions: { keys: [...permissions] } };
      await clientOf(id.subscriptionId).vaults.updateAccessPolicy(id.resourceGroup, id.name, 'add', {
        properties: { accessPolicies: [policy] },
      });
    },
  };
}

/** @throws TypeError when the answer is no vault */
function toVault({ id, location = '', properties }: SdkVault): Vault {
  return {
    ...placeOf(id, properties.vaultUri),
    kind: 'vault',
    sku: properties.sku.name.toLowerCase() === 'premium' ? 'premium' : 'standard',
    location,
    purgeProtection: properties.enablePurgeProtection ?? false,
    // Absent is on: no vault made since December 2020 can be without it (Key Vault, soft-delete overview). Nothing rests on
    // it for an older one: what Storage needs is purge protection, which there is none of without soft delete.
    softDelete: properties.enableSoftDelete ?? true,
    accessModel: properties.enableRbacAuthorization ? 'rbac' : 'accessPolicies',
    policies: (properties.accessPolicies ?? [])
      // A policy for an application on behalf of a user grants the principal itself nothing.
      .filter(({ applicationId }) => !applicationId)
      .map(({ objectId, permissions }) => ({ objectId, keyPermissions: permissions.keys ?? [] })),
    tenantId: properties.tenantId,
    network: networkOf(properties.publicNetworkAccess, properties.networkAcls),
  };
}

/** @throws TypeError likewise */
function toHsm({ id, location = '', properties }: ManagedHsm): Vault {
  return {
    ...placeOf(id, properties?.hsmUri),
    kind: 'managedHsm',
    sku: 'premium',
    location,
    purgeProtection: properties?.enablePurgeProtection ?? false,
    // A Managed HSM always has it (Managed HSM, soft-delete overview).
    softDelete: properties?.enableSoftDelete ?? true,
    accessModel: 'local',
    policies: [],
    tenantId: properties?.tenantId ?? '',
    network: networkOf(properties?.publicNetworkAccess, properties?.networkAcls),
  };
}

function placeOf(armId: string | undefined, uri: string | undefined) {
  const parsed = parseResourceId(armId ?? '');
  if (!parsed || !uri) throw new TypeError('Azure answered with a vault without an id or URI.');
  const { id, name, subscriptionId, resourceGroup } = parsed;
  return { id, name, subscriptionId, resourceGroup, uri };
}

/** What is not said is open: `bypass` is `AzureServices` unless it is set (Key Vault, REST, "NetworkRuleSet"). */
function networkOf(
  publicAccess: string | undefined,
  rules: { readonly bypass?: string; readonly defaultAction?: string } | undefined,
): VaultNetwork {
  const access = publicAccess?.toLowerCase();
  return {
    publicAccess: access === 'disabled' ? 'disabled' : access === 'securedbyperimeter' ? 'byPerimeter' : 'enabled',
    allowsOthers: rules?.defaultAction?.toLowerCase() !== 'deny',
    allowsTrustedServices: rules?.bypass?.toLowerCase() !== 'none',
  };
}

/**
 * What of a vault's network keeps Storage from its keys: it reads them as one of the trusted services, which network rules may
 * let by (Azure Storage, "Customer-managed keys overview").
 */
interface NetworkHindrance {
  readonly is: string;
  /** False: whether it keeps an account out is not seen in the vault. */
  readonly certain: boolean;
}

/** Undefined: Storage reaches the keys. */
export function storageHindrance(network: VaultNetwork): NetworkHindrance | undefined {
  if (network.publicAccess === 'byPerimeter') {
    const is =
      'A network security perimeter guards it, which lets in no trusted service by itself: only accounts in the same perimeter reach its keys, and whether they are is not seen here.';
    return { is, certain: false };
  }
  if (network.allowsTrustedServices || (network.allowsOthers && network.publicAccess === 'enabled')) return undefined;
  const closed =
    network.publicAccess === 'disabled' ? 'Its public network access is off' : 'Its network rules deny others';
  return { is: `${closed}, and trusted services are not let by: Storage does not reach its keys.`, certain: true };
}
