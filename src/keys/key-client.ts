import type { TokenCredential } from '@azure/identity';
import { KeyClient, type KeyProperties, type KeyRotationPolicy } from '@azure/keyvault-keys';
import { clientPer } from '../azure/client-per.ts';
import { wholeWrite, withinTime } from '../azure/deadline.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import { type CallLimits, callOptions } from '../azure/limits.ts';
import { compareAge, type KeyVersion } from './key-versions.ts';
import type { ManagedKey, ManagedVault } from './managed-vaults.ts';

/** A rotation policy: Key Vault takes one Rotate and one Notify action ("Configure key auto-rotation"). */
export interface RotationPolicy {
  readonly rotates: boolean;
  /** So long after a version was made: an ISO 8601 duration. */
  readonly afterCreate?: string;
  /** So long before a version expires: an ISO 8601 duration. */
  readonly beforeExpiry?: string;
  /** So long before a version expires Key Vault raises its near-expiry event: an ISO 8601 duration. */
  readonly notifyBeforeExpiry?: string;
  /** Lifetime of versions that a rotation makes: an ISO 8601 duration; absent: they never expire. */
  readonly expiresIn?: string;
}

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
  /**
   * Every version, page by page as the list arrives, in no order; nothing when the key does not exist. A page that hung or
   * failed in a way that may pass is asked for once more by itself.
   */
  versionPages(key: ManagedKey): AsyncIterable<readonly KeyVersion[]>;
  /** Undefined when there is no such key, or no such version of it. */
  getVersion(key: ManagedKey, version: string): Promise<KeyVersion | undefined>;
  /** The same by the pages of the list alone: the order of versions made in one second is not settled. */
  listVersionsUnsettled(key: ManagedKey): Promise<KeyVersion[]>;
  /** The newest version of a key that is soft-deleted; undefined when there is no deleted key of that name. */
  deletedVersion(key: ManagedKey): Promise<KeyVersion | undefined>;
  /** Brings a soft-deleted key back, with its versions as they were; false when there is no deleted key of that name. */
  recover(key: ManagedKey): Promise<boolean>;
  /** Makes a new version with new key material. Asked for once, never retried: each request that arrives makes one. */
  rotate(key: ManagedKey): Promise<KeyVersion>;
  updateVersion(key: ManagedKey, version: string, change: KeyVersionChange): Promise<KeyVersion>;
  rotationPolicy(key: ManagedKey): Promise<RotationPolicy>;
}

/** A recovery is a poll of many requests: so many times the limit of one. */
const RECOVERY_REQUESTS = 5;

/** Errors are those of `@azure/keyvault-keys`: read them with `describeFailure`. */
export function createKeys(credential: TokenCredential, limits: CallLimits): Keys {
  const clientOfUri = clientPer((uri) => new KeyClient(uri, credential, callOptions(limits)));
  const clientOf = ({ uri }: ManagedVault): KeyClient => clientOfUri(uri);

  async function* pages(key: ManagedKey): AsyncGenerator<readonly KeyVersion[]> {
    for await (const page of clientOf(key.vault).listPropertiesOfKeyVersions(key.name).byPage()) {
      // Of a key that does not exist, Key Vault may send an empty page.
      if (page.length > 0) yield page.map((version) => toKeyVersion(version, false));
    }
  }

  const listVersionsUnsettled = async (key: ManagedKey): Promise<KeyVersion[]> => {
    const read = async (): Promise<KeyVersion[]> => {
      const versions: KeyVersion[] = [];
      for await (const page of pages(key)) versions.push(...page);
      return versions.sort(compareAge);
    };
    return (await unlessMissing(read)) ?? [];
  };

  return {
    listVersionsUnsettled,
    async *versionPages(key) {
      try {
        yield* pages(key);
      } catch (error) {
        if (describeFailure(error).kind !== 'notFound') throw error;
      }
    },
    getVersion: (key, version) =>
      unlessMissing(async () => {
        const { properties } = await clientOf(key.vault).getKey(key.name, { version });
        return toKeyVersion(properties, false);
      }),
    async listVersions(key) {
      const versions = await listVersionsUnsettled(key);
      const [newest, second] = [versions.at(-1), versions.at(-2)];
      if (!newest || newest.createdOn.getTime() !== second?.createdOn.getTime()) return versions;
      // Creation times are whole seconds: of two in the same second only Key Vault knows which one is the latest.
      const { properties: latest } = await clientOf(key.vault).getKey(key.name);
      return versions.map((version) => ({ ...version, latest: version.version === latest.version })).sort(compareAge);
    },
    deletedVersion: (key) =>
      unlessMissing(async () => {
        const { properties } = await clientOf(key.vault).getDeletedKey(key.name);
        return toKeyVersion(properties, true);
      }),
    async recover(key) {
      const client = clientOf(key.vault);
      const deleted = await unlessMissing(() => client.getDeletedKey(key.name));
      if (!deleted) return false;
      await withinTime(limits.requestMs * RECOVERY_REQUESTS, async (limit) => {
        const poller = await client.beginRecoverDeletedKey(key.name, { intervalInMs: 1_000, ...limit });
        await poller.pollUntilDone();
      });
      return true;
    },
    async rotate(key) {
      const created = await wholeWrite(limits.wholeWriteMs, (limit) => clientOf(key.vault).rotateKey(key.name, limit));
      return toKeyVersion(created.properties, true);
    },
    async updateVersion(key, version, change) {
      const updated = await clientOf(key.vault).updateKeyProperties(key.name, version, change);
      return toKeyVersion(updated.properties, false);
    },
    async rotationPolicy(key) {
      return summaryOf(await unlessMissing(() => clientOf(key.vault).getKeyRotationPolicy(key.name)));
    },
  };
}

function summaryOf(policy: KeyRotationPolicy | undefined): RotationPolicy {
  const actionOf = (name: string) =>
    (policy?.lifetimeActions ?? []).find(({ action }) => action.toLowerCase() === name);
  const [rotate, notify] = [actionOf('rotate'), actionOf('notify')];
  return {
    rotates: rotate !== undefined,
    ...(rotate?.timeAfterCreate ? { afterCreate: rotate.timeAfterCreate } : {}),
    ...(rotate?.timeBeforeExpiry ? { beforeExpiry: rotate.timeBeforeExpiry } : {}),
    ...(notify?.timeBeforeExpiry ? { notifyBeforeExpiry: notify.timeBeforeExpiry } : {}),
    ...(policy?.expiresIn ? { expiresIn: policy.expiresIn } : {}),
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
