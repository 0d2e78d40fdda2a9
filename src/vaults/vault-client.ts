import { KeyVaultManagementClient, type ManagedHsm, type Vault } from '@azure/arm-keyvault';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { aborting } from '../azure/storage-management.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

/** The key permissions of one entry of a vault's access policies. */
export interface KeyPolicy {
  readonly objectId: string;
  readonly keyPermissions: readonly string[];
}

/** A vault as Azure Resource Manager shows it. */
export interface VaultProperties {
  readonly id: string;
  readonly location: string;
  readonly purgeProtection: boolean;
  readonly softDelete: boolean;
  /** `local`: a Managed HSM has its own access control, which ARM does not show. */
  readonly accessModel: 'rbac' | 'accessPolicies' | 'local';
  readonly policies: readonly KeyPolicy[];
}

/** Vaults through Azure Resource Manager. Errors are the SDK's: read them with `describeFailure`. */
export interface Vaults {
  get(vault: ManagedVault, signal?: AbortSignal): Promise<VaultProperties>;
}

export function createVaults(credential: TokenCredential, cloud: Cloud): Vaults {
  const clients = new Map<string, KeyVaultManagementClient>();
  const clientOf = (subscriptionId: string): KeyVaultManagementClient => {
    const known = clients.get(subscriptionId);
    if (known) return known;
    const client = new KeyVaultManagementClient(credential, subscriptionId, {
      endpoint: cloud.resourceManager,
      credentials: { scopes: [cloud.resourceManagerScope] },
      retryOptions: { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 },
    });
    clients.set(subscriptionId, client);
    return client;
  };
  return {
    async get(vault, signal) {
      const { subscriptionId, resourceGroup, name } = vault;
      const client = clientOf(subscriptionId);
      return vault.kind === 'vault'
        ? ofVault(vault, await client.vaults.get(resourceGroup, name, aborting(signal)))
        : ofHsm(vault, await client.managedHsms.get(resourceGroup, name, aborting(signal)));
    },
  };
}

function ofVault({ id }: ManagedVault, { location = '', properties }: Vault): VaultProperties {
  return {
    id,
    location,
    purgeProtection: properties.enablePurgeProtection ?? false,
    // Absent on the oldest vaults, and cannot be off on any made since December 2020 (Key Vault, soft-delete overview).
    softDelete: properties.enableSoftDelete ?? false,
    accessModel: properties.enableRbacAuthorization ? 'rbac' : 'accessPolicies',
    policies: (properties.accessPolicies ?? [])
      // A policy for an application on behalf of somebody does nothing for the principal by itself.
      .filter(({ applicationId }) => !applicationId)
      .map(({ objectId, permissions }) => ({ objectId, keyPermissions: permissions.keys ?? [] })),
  };
}

function ofHsm({ id }: ManagedVault, { location = '', properties }: ManagedHsm): VaultProperties {
  return {
    id,
    location,
    purgeProtection: properties?.enablePurgeProtection ?? false,
    // A Managed HSM always has it (Managed HSM, soft-delete overview).
    softDelete: properties?.enableSoftDelete ?? true,
    accessModel: 'local',
    policies: [],
  };
}
