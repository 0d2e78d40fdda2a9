import type { TokenCredential } from '@azure/identity';
import { KeyClient, type KeyProperties, type KeyRotationPolicy } from '@azure/keyvault-keys';
import { describeFailure } from '../azure/failure.ts';
import { SharedReads } from '../azure/shared-reads.ts';
import { withinTime } from '../azure/time-box.ts';
import type { KeyVersion } from './key-versions.ts';
import { compareAge } from './key-versions.ts';
import type { ManagedKey, ManagedVault } from './managed-vaults.ts';
import type { RotationPolicySummary } from './rotation-policy-summary.ts';

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
  /** Makes a new version with new key material. Asked for once, never retried: each request that arrives makes one. */
  rotate(key: ManagedKey): Promise<KeyVersion>;
  updateVersion(key: ManagedKey, version: string, change: KeyVersionChange): Promise<KeyVersion>;
  rotationPolicy(key: ManagedKey): Promise<RotationPolicySummary>;
}

export interface KeysOptions {
  /** Retries by the SDK, which waits as long as the service asks. */
  readonly maxRetries: number;
  /** Longest time for one request, in milliseconds; undefined: the SDK's. */
  readonly timeoutMs?: number;
  /** Those who list the versions of one key at the same time share the requests. */
  readonly shareReads?: boolean;
}

/**
 * Few and short retries; what takes longer goes back to the queue. The messages about the accounts of one key all want
 * to know its versions.
 */
export const WORKER_OPTIONS: KeysOptions = { maxRetries: 2, timeoutMs: 30_000, shareReads: true };
/** A person waits, and a hanging request must not hold up the others: whoever calls sees to the retries. */
export const URGENT_OPTIONS: KeysOptions = { maxRetries: 0, timeoutMs: 3_000 };

/** Errors are those of `@azure/keyvault-keys`: read them with `describeFailure`. */
export function createKeys(credential: TokenCredential, options: KeysOptions): Keys {
  const clientOf = clientsWith(credential, options.maxRetries);
  const onceClientOf = clientsWith(credential, 0);

  /** Runs requests within the time limit of so many. */
  const limited = <T>(run: (limit: { abortSignal?: AbortSignal }) => Promise<T>, requests = 1): Promise<T> =>
    options.timeoutMs === undefined ? run({}) : withinTime(options.timeoutMs * requests, run);

  const listVersionsUnsettled = async (key: ManagedKey): Promise<KeyVersion[]> => {
    const versions: KeyVersion[] = [];
    const read = async (limit: { abortSignal?: AbortSignal }): Promise<void> => {
      const pages = clientOf(key.vault).listPropertiesOfKeyVersions(key.name, limit).byPage();
      for await (const page of pages) versions.push(...page.map((version) => toKeyVersion(version, false)));
    };
    try {
      await limited(read, 2);
    } catch (error) {
      if (describeFailure(error).kind === 'notFound') return [];
      throw error;
    }
    return versions.sort(compareAge);
  };

  const listVersions = async (key: ManagedKey): Promise<KeyVersion[]> => {
    const versions = await listVersionsUnsettled(key);
    const [newest, second] = [versions.at(-1), versions.at(-2)];
    if (!newest || newest.createdOn.getTime() !== second?.createdOn.getTime()) return versions;
    // Creation times are whole seconds: of two in the same second only Key Vault knows which one is the latest.
    const { properties: latest } = await limited((limit) => clientOf(key.vault).getKey(key.name, limit));
    return versions.map((version) => ({ ...version, latest: version.version === latest.version })).sort(compareAge);
  };
  const lists = new SharedReads<KeyVersion[]>();

  return {
    listVersionsUnsettled,
    async listVersions(key) {
      return options.shareReads ? [...(await lists.read(key.id, () => listVersions(key)))] : listVersions(key);
    },
    async recover(key) {
      const client = clientOf(key.vault);
      try {
        await limited((limit) => client.getDeletedKey(key.name, limit));
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return false;
        throw error;
      }
      // One limit for the whole: the poller hands its signal to every request.
      await limited(async (limit) => {
        const poller = await client.beginRecoverDeletedKey(key.name, { intervalInMs: 1_000, ...limit });
        await poller.pollUntilDone();
      }, 5);
      return true;
    },
    async rotate(key) {
      const created = await limited((limit) => onceClientOf(key.vault).rotateKey(key.name, limit));
      return toKeyVersion(created.properties, true);
    },
    async updateVersion(key, version, change) {
      const updated = await limited((limit) =>
        clientOf(key.vault).updateKeyProperties(key.name, version, { ...change, ...limit }),
      );
      return toKeyVersion(updated.properties, false);
    },
    async rotationPolicy(key) {
      try {
        return summaryOf(await limited((limit) => clientOf(key.vault).getKeyRotationPolicy(key.name, limit)));
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return { rotates: false };
        throw error;
      }
    },
  };
}

function clientsWith(credential: TokenCredential, maxRetries: number): (vault: ManagedVault) => KeyClient {
  const clients = new Map<string, KeyClient>();
  return ({ uri }) => {
    const retryOptions = { maxRetries, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 };
    const client = clients.get(uri) ?? new KeyClient(uri, credential, { retryOptions });
    clients.set(uri, client);
    return client;
  };
}

function summaryOf({ lifetimeActions = [] }: KeyRotationPolicy): RotationPolicySummary {
  const actionOf = (name: string) => lifetimeActions.find(({ action }) => action.toLowerCase() === name);
  const [rotate, notify] = [actionOf('rotate'), actionOf('notify')];
  return {
    rotates: rotate !== undefined,
    ...(rotate?.timeAfterCreate ? { afterCreate: rotate.timeAfterCreate } : {}),
    ...(rotate?.timeBeforeExpiry ? { beforeExpiry: rotate.timeBeforeExpiry } : {}),
    ...(notify?.timeBeforeExpiry ? { notifyBeforeExpiry: notify.timeBeforeExpiry } : {}),
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
