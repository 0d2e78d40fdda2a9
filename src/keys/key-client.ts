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
  /** The same by the pages of the list alone: the order of versions made in one second is not settled. */
  listVersionsUnsettled(key: ManagedKey): Promise<KeyVersion[]>;
  /** Brings a soft-deleted key back, with its versions as they were; false when there is no deleted key of that name. */
  recover(key: ManagedKey): Promise<boolean>;
  /** Makes a new version with new key material. */
  rotate(key: ManagedKey): Promise<KeyVersion>;
  updateVersion(key: ManagedKey, version: string, change: KeyVersionChange): Promise<KeyVersion>;
  rotationPolicy(key: ManagedKey): Promise<RotationPolicySummary>;
}

export interface KeysOptions {
  /** Retries by the SDK, which waits as long as the service asks. */
  readonly maxRetries: number;
  /** Longest time for one request, in milliseconds; undefined: the SDK's. */
  readonly timeoutMs?: number;
}

/** Few and short retries; what takes longer goes back to the queue. */
export const WORKER_OPTIONS: KeysOptions = { maxRetries: 2, timeoutMs: 30_000 };
/** A person waits, and a hanging request must not hold up the others: whoever calls sees to the retries. */
export const URGENT_OPTIONS: KeysOptions = { maxRetries: 0, timeoutMs: 3_000 };

/** Errors are those of `@azure/keyvault-keys`: read them with `describeFailure`. */
export function createKeys(credential: TokenCredential, options: KeysOptions): Keys {
  const clients = new Map<string, KeyClient>();
  const clientOf = (vault: ManagedVault): KeyClient => {
    const known = clients.get(vault.uri);
    if (known) return known;
    const client = new KeyClient(vault.uri, credential, {
      retryOptions: { maxRetries: options.maxRetries, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 },
    });
    clients.set(vault.uri, client);
    return client;
  };

  /** The time limit of one request, or of a list with its pages. */
  const limit = (requests = 1) =>
    options.timeoutMs === undefined ? {} : { abortSignal: AbortSignal.timeout(options.timeoutMs * requests) };

  const listVersionsUnsettled = async (key: ManagedKey): Promise<KeyVersion[]> => {
    const versions: KeyVersion[] = [];
    const pages = clientOf(key.vault).listPropertiesOfKeyVersions(key.name, limit(2)).byPage();
    try {
      for await (const page of pages) versions.push(...page.map((version) => toKeyVersion(version, false)));
    } catch (error) {
      if (describeFailure(error).kind === 'notFound') return [];
      throw error;
    }
    return versions.sort(compareAge);
  };

  return {
    listVersionsUnsettled,
    async listVersions(key) {
      const versions = await listVersionsUnsettled(key);
      const [newest, second] = [versions.at(-1), versions.at(-2)];
      if (!newest || newest.createdOn.getTime() !== second?.createdOn.getTime()) return versions;
      // Creation times are whole seconds: of two in the same second only Key Vault knows which one is the latest.
      const { properties: latest } = await clientOf(key.vault).getKey(key.name, limit());
      return versions.map((version) => ({ ...version, latest: version.version === latest.version })).sort(compareAge);
    },
    async recover(key) {
      const client = clientOf(key.vault);
      try {
        await client.getDeletedKey(key.name, limit());
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return false;
        throw error;
      }
      const poller = await client.beginRecoverDeletedKey(key.name, { intervalInMs: 1_000 });
      await poller.pollUntilDone();
      return true;
    },
    async rotate(key) {
      return toKeyVersion((await clientOf(key.vault).rotateKey(key.name, limit())).properties, true);
    },
    async updateVersion(key, version, change) {
      const updated = await clientOf(key.vault).updateKeyProperties(key.name, version, {
        ...change,
        ...limit(),
      });
      return toKeyVersion(updated.properties, false);
    },
    async rotationPolicy(key) {
      try {
        const policy = await clientOf(key.vault).getKeyRotationPolicy(key.name, limit());
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
    updatedOn: properties.updatedOn,
    notBefore: properties.notBefore,
    expiresOn: properties.expiresOn,
    tags: properties.tags ?? {},
    latest,
  };
}
