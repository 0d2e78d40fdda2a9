import type { TokenCredential } from '@azure/identity';
import { KeyClient, type KeyProperties } from '@azure/keyvault-keys';
import { describeFailure } from '../azure/failure.ts';
import type { KeyVersion } from './key-versions.ts';
import { compareAge } from './key-versions.ts';
import type { ManagedKey, ManagedVault } from './managed-vaults.ts';
import type { RotationPolicySummary } from './rotation.ts';

/** What may be changed about a version. Fields left out stay as they are; `tags` replaces them all. */
export interface KeyVersionChange {
  readonly enabled?: boolean;
  readonly expiresOn?: Date;
  readonly tags?: Record<string, string>;
}

/** The keys of the managed vaults. It takes {@link ManagedKey}s alone, so no other host can be reached through it. */
export interface Keys {
  /** Every version, oldest first, disabled and expired ones too; empty when the key does not exist. */
  listVersions(key: ManagedKey): Promise<KeyVersion[]>;
  /** Makes a new version with new key material. */
  rotate(key: ManagedKey): Promise<KeyVersion>;
  updateVersion(key: ManagedKey, version: string, change: KeyVersionChange): Promise<KeyVersion>;
  rotationPolicy(key: ManagedKey): Promise<RotationPolicySummary>;
}

/**
 * Errors are those of `@azure/keyvault-keys`: read them with `describeFailure`. Retries are few and short; what takes
 * longer goes back to the queue.
 */
export function createKeys(credential: TokenCredential): Keys {
  const clients = new Map<string, KeyClient>();
  const clientOf = (vault: ManagedVault): KeyClient => {
    const known = clients.get(vault.uri);
    if (known) return known;
    const client = new KeyClient(vault.uri, credential, {
      retryOptions: { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 },
    });
    clients.set(vault.uri, client);
    return client;
  };

  return {
    async listVersions(key) {
      const client = clientOf(key.vault);
      const properties: KeyProperties[] = [];
      try {
        for await (const version of client.listPropertiesOfKeyVersions(key.name)) properties.push(version);
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return [];
        throw error;
      }
      const versions = properties.map((version) => toKeyVersion(version, false)).sort(compareAge);
      const [newest, second] = [versions.at(-1), versions.at(-2)];
      if (!newest || newest.createdOn.getTime() !== second?.createdOn.getTime()) return versions;
      // Creation times are whole seconds: of two in the same second only Key Vault knows which one is the latest.
      const { properties: latest } = await client.getKey(key.name);
      return versions.map((version) => ({ ...version, latest: version.version === latest.version })).sort(compareAge);
    },
    async rotate(key) {
      return toKeyVersion((await clientOf(key.vault).rotateKey(key.name)).properties, true);
    },
    async updateVersion(key, version, change) {
      const updated = await clientOf(key.vault).updateKeyProperties(key.name, version, change);
      return toKeyVersion(updated.properties, false);
    },
    async rotationPolicy(key) {
      try {
        const policy = await clientOf(key.vault).getKeyRotationPolicy(key.name);
        return { rotates: (policy.lifetimeActions ?? []).some((action) => action.action.toLowerCase() === 'rotate') };
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return { rotates: false };
        throw error;
      }
    },
  };
}

function toKeyVersion(properties: KeyProperties, latest: boolean): KeyVersion {
  return {
    id: properties.id ?? '',
    version: (properties.version ?? '').toLowerCase(),
    // Absent counts as disabled: what is not known to be usable is not used.
    enabled: properties.enabled ?? false,
    createdOn: properties.createdOn ?? new Date(0),
    notBefore: properties.notBefore,
    expiresOn: properties.expiresOn,
    tags: properties.tags ?? {},
    latest,
  };
}
