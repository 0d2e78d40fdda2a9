import { KeyVaultManagementClient, type Vault as SdkVault } from '@azure/arm-keyvault';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../../azure/cloud.ts';
import { describeFailure } from '../../azure/failure.ts';
import { parseResourceId, type ResourceId } from '../../azure/resource-id.ts';

/** A key vault as Azure Resource Manager shows it. */
export interface Vault {
  /** ARM id. */
  readonly id: string;
  readonly name: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly location: string;
  /** As Azure writes it, with its trailing slash: this is what goes into an account's settings. */
  readonly uri: string;
  readonly tenantId: string;
  readonly sku: 'standard' | 'premium';
  /** False: access policies say who may use its keys, and role assignments do not. */
  readonly rbac: boolean;
  readonly softDelete: boolean;
  readonly purgeProtection: boolean;
}

export interface NewVault {
  readonly location: string;
  readonly tenantId: string;
  readonly sku: 'standard' | 'premium';
  /** 7 to 90. */
  readonly retentionDays: number;
}

/** Permissions that Storage needs on a key (Azure Storage, "Customer-managed keys overview"). */
const STORAGE_PERMISSIONS = ['get', 'wrapKey', 'unwrapKey'];

/** Key vaults through Azure Resource Manager. Errors are the SDK's: read them with `describeFailure`. */
export interface VaultSetup {
  /** Undefined when there is no such vault. */
  get(id: ResourceId): Promise<Vault | undefined>;
  /** Creates a vault with purge protection and role-based access; returns when it can be used. */
  create(id: ResourceId, wanted: NewVault): Promise<Vault>;
  /** Turns on purge protection, and soft delete, which it needs. Neither can be turned off again. */
  protect(id: ResourceId): Promise<Vault>;
  /** Whether a vault of that name is soft-deleted, and so keeps the name taken. */
  isDeleted(subscriptionId: string, name: string, location: string): Promise<boolean>;
  /** Adds an access policy with what Storage needs. Only of use in a vault without role-based access. */
  addPolicy(id: ResourceId, tenantId: string, principalId: string): Promise<void>;
}

export function createVaultSetup(credential: TokenCredential, cloud: Cloud): VaultSetup {
  const clients = new Map<string, KeyVaultManagementClient>();
  const clientOf = (subscriptionId: string): KeyVaultManagementClient => {
    const client =
      clients.get(subscriptionId) ??
      new KeyVaultManagementClient(credential, subscriptionId, {
        endpoint: cloud.resourceManager,
        credentials: { scopes: [cloud.resourceManagerScope] },
      });
    clients.set(subscriptionId, client);
    return client;
  };
  return {
    async get(id) {
      try {
        return required(await clientOf(id.subscriptionId).vaults.get(id.resourceGroup, id.name));
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return undefined;
        throw error;
      }
    },
    async create(id, { location, tenantId, sku, retentionDays }) {
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
            softDeleteRetentionInDays: retentionDays,
            enablePurgeProtection: true,
          },
        },
        { updateIntervalInMs: 1_000 },
      );
      return required(await poller.pollUntilDone());
    },
    async protect(id) {
      const properties = { enableSoftDelete: true, enablePurgeProtection: true };
      return required(await clientOf(id.subscriptionId).vaults.update(id.resourceGroup, id.name, { properties }));
    },
    async isDeleted(subscriptionId, name, location) {
      try {
        await clientOf(subscriptionId).vaults.getDeleted(name, location);
        return true;
      } catch (error) {
        // Whoever may not look cannot tell; the creation will.
        const { kind } = describeFailure(error);
        if (kind === 'notFound' || kind === 'forbidden') return false;
        throw error;
      }
    },
    async addPolicy(id, tenantId, principalId) {
      const policy = { tenantId, objectId: principalId, permissions: { keys: STORAGE_PERMISSIONS } };
      await clientOf(id.subscriptionId).vaults.updateAccessPolicy(id.resourceGroup, id.name, 'add', {
        properties: { accessPolicies: [policy] },
      });
    },
  };
}

function required(vault: SdkVault): Vault {
  const known = toVault(vault);
  if (!known) throw new TypeError('Azure answered with a vault without an id or URI.');
  return known;
}

function toVault({ id, location, properties }: SdkVault): Vault | undefined {
  const parsed = parseResourceId(id ?? '');
  if (!parsed || !properties?.vaultUri) return undefined;
  return {
    id: parsed.id,
    name: parsed.name,
    subscriptionId: parsed.subscriptionId,
    resourceGroup: parsed.resourceGroup,
    location: location ?? '',
    uri: properties.vaultUri,
    tenantId: properties.tenantId,
    sku: properties.sku.name.toLowerCase() === 'premium' ? 'premium' : 'standard',
    rbac: properties.enableRbacAuthorization ?? false,
    // On for every vault since 2020 unless it says no.
    softDelete: properties.enableSoftDelete ?? true,
    purgeProtection: properties.enablePurgeProtection ?? false,
  };
}
