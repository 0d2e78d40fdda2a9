import type { TokenCredential } from '@azure/identity';
import {
  KeyClient,
  type KeyProperties,
  type KeyRotationPolicy,
  type JsonWebKey as KeyVaultJwk,
  type KeyVaultKey,
} from '@azure/keyvault-keys';
import { cacheRecent } from '../azure/cache-recent.ts';
import { NOT_ANSWERED, runWithAbortSignal, withDeadline } from '../azure/deadline.ts';
import { describeFailure, readUnlessMissing } from '../azure/failure.ts';
import { type CallLimits, callOptions } from '../azure/limits.ts';
import { compareAge, type KeyVersion } from './key-versions.ts';
import type { ManagedKey, ManagedVault } from './managed-vaults.ts';

/** A rotation policy. Key Vault accepts one Rotate and one Notify action ("Configure key auto-rotation"). */
export interface RotationPolicy {
  readonly rotates: boolean;
  /** Time between creation and rotation of a version: an ISO 8601 duration. */
  readonly afterCreate?: string;
  /** Time between rotation and expiry of a version: an ISO 8601 duration. */
  readonly beforeExpiry?: string;
  /** Time between Key Vault's near-expiry event and the expiry: an ISO 8601 duration. */
  readonly notifyBeforeExpiry?: string;
  /** Lifetime of a rotated version: an ISO 8601 duration. Absent: the version never expires. */
  readonly expiresIn?: string;
}

/** Changes to a version. Omitted fields keep their values; `tags` replaces all tags. */
export interface KeyVersionChange {
  readonly enabled?: boolean;
  readonly expiresOn?: Date;
  readonly tags?: Record<string, string>;
}

export type Keys = ReturnType<typeof createKeys>;

/** Maximum number of requests per recovery, because the client polls until it is done. */
const RECOVERY_REQUESTS = 5;

/**
 * The keys of the managed vaults. {@link ManagedKey} as parameter prevents calls to any other host. Errors are those of
 * `@azure/keyvault-keys`: read them with `describeFailure`.
 */
export function createKeys(credential: TokenCredential, limits: CallLimits) {
  const clientOfUri = cacheRecent((uri) => new KeyClient(uri, credential, callOptions(limits)));
  const clientOf = ({ uri }: ManagedVault): KeyClient => clientOfUri(uri);

  async function* pages(key: ManagedKey): AsyncGenerator<readonly KeyVersion[]> {
    for await (const page of clientOf(key.vault).listPropertiesOfKeyVersions(key.name).byPage()) {
      // Key Vault may return an empty page for a key that does not exist.
      if (page.length > 0) yield page.map((version) => toKeyVersion(version, false));
    }
  }

  /** Like `listVersions`, but does not determine the order of versions created in the same second. */
  const listVersionsUnsettled = async (key: ManagedKey): Promise<KeyVersion[]> => {
    const read = async () => (await Array.fromAsync(pages(key))).flat().sort(compareAge);
    return (await readUnlessMissing(read)) ?? [];
  };

  return {
    listVersionsUnsettled,
    /**
     * Streams every version, page by page and unsorted. Yields nothing if the key does not exist. The client retries a
     * page once after a timeout or a transient error.
     */
    async *versionPages(key: ManagedKey): AsyncIterable<readonly KeyVersion[]> {
      try {
        yield* pages(key);
      } catch (error) {
        if (describeFailure(error).kind !== 'notFound') throw error;
      }
    },
    /** Undefined if the key or the version does not exist. */
    getVersion: (key: ManagedKey, version: string) =>
      readUnlessMissing(async () => {
        const { properties } = await clientOf(key.vault).getKey(key.name, { version });
        return toKeyVersion(properties, false);
      }),
    /** Every version, oldest first, disabled and expired versions included. Empty if the key does not exist. */
    async listVersions(key: ManagedKey): Promise<KeyVersion[]> {
      const versions = await listVersionsUnsettled(key);
      const newest = versions.at(-1);
      const second = versions.at(-2);
      if (!newest || newest.createdOn.getTime() !== second?.createdOn.getTime()) return versions;
      // Creation times are whole seconds: only Key Vault can order two versions of the same second.
      const { properties: latest } = await clientOf(key.vault).getKey(key.name);
      return versions.map((version) => ({ ...version, latest: version.version === latest.version })).sort(compareAge);
    },
    /** Newest version of a soft-deleted key; undefined if no deleted key has the name. */
    deletedVersion: (key: ManagedKey) =>
      readUnlessMissing(async () => {
        const { properties } = await clientOf(key.vault).getDeletedKey(key.name);
        return toKeyVersion(properties, true);
      }),
    /** Recovers a soft-deleted key with its versions; false if no deleted key has the name. */
    async recover(key: ManagedKey): Promise<boolean> {
      const client = clientOf(key.vault);
      const deleted = await readUnlessMissing(() => client.getDeletedKey(key.name));
      if (!deleted) return false;
      await runWithAbortSignal(limits.requestMs * RECOVERY_REQUESTS, async (limit) => {
        const poller = await client.beginRecoverDeletedKey(key.name, { intervalInMs: 1_000, ...limit });
        await poller.pollUntilDone();
      });
      return true;
    },
    /** Creates a version with new key material. Never retried: Key Vault creates a version for each request. */
    async rotate(key: ManagedKey): Promise<KeyVersion> {
      const send = (abortSignal: AbortSignal) => clientOf(key.vault).rotateKey(key.name, { abortSignal });
      const { properties } = await withDeadline(limits.wholeWriteMs, NOT_ANSWERED, send);
      return toKeyVersion(properties, true);
    },
    async updateVersion(key: ManagedKey, version: string, change: KeyVersionChange): Promise<KeyVersion> {
      const updated = await clientOf(key.vault).updateKeyProperties(key.name, version, change);
      return toKeyVersion(updated.properties, false);
    },
    async rotationPolicy(key: ManagedKey): Promise<RotationPolicy> {
      return summaryOf(await readUnlessMissing(() => clientOf(key.vault).getKeyRotationPolicy(key.name)));
    },
  };
}

function summaryOf(policy: KeyRotationPolicy | undefined): RotationPolicy {
  const actionOf = (name: string) =>
    (policy?.lifetimeActions ?? []).find(({ action }) => action.toLowerCase() === name);
  const rotate = actionOf('rotate');
  const notify = actionOf('notify');

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
    id: (properties.id ?? '').toLowerCase(),
    keyName: properties.name,
    version: (properties.version ?? '').toLowerCase(),
    // An absent value counts as disabled: the app uses a version only if Key Vault reports it enabled.
    enabled: properties.enabled ?? false,
    createdOn: properties.createdOn ?? new Date(0),
    updatedOn: properties.updatedOn,
    notBefore: properties.notBefore,
    expiresOn: properties.expiresOn,
    tags: properties.tags ?? {},
    latest,
  };
}

/** Type, size and permitted operations of a key version. */
export interface KeyKind {
  /** `RSA`, `RSA-HSM`, `EC` … */
  readonly type: string;
  /** Bits of an RSA key. */
  readonly size: number | undefined;
  /** `wrapKey`, `unwrapKey` …; undefined if Key Vault does not return them. */
  readonly operations?: readonly string[] | undefined;
}

export interface KeyDescription extends KeyKind {
  readonly version: string;
  /** RSA modulus, base64url: equal keys have equal moduli. */
  readonly modulus: string | undefined;
}

/** An RSA private key in the format of RFC 7518. */
export type RsaJwk = Readonly<Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi', string>>;

interface NewKey {
  readonly kty: 'RSA' | 'RSA-HSM';
  readonly size: number;
  readonly expiresOn: Date | undefined;
  readonly tags: Record<string, string> | undefined;
}

/** What the app reads of the keys of a vault. */
export type KeyCatalog = Pick<ReturnType<typeof createKeyAdmin>, 'names' | 'material' | 'isDeleted'>;

/** The keys of a vault. Throws the errors of `@azure/keyvault-keys`: read them with `describeFailure`. */
export function createKeyAdmin(credential: TokenCredential, limits: CallLimits) {
  const clientOfUri = cacheRecent((uri) => new KeyClient(uri, credential, callOptions(limits)));
  const clientOf = ({ uri }: ManagedVault): KeyClient => clientOfUri(uri);

  return {
    /** Names of the vault's keys. Keys that belong to a certificate are omitted. */
    async names(vault: ManagedVault): Promise<string[]> {
      const keys = await Array.fromAsync(clientOf(vault).listPropertiesOfKeys());
      return keys.flatMap(({ name, managed }) => (managed ? [] : name));
    },
    /**
     * Describes the given version, or the newest. Undefined if Key Vault does not return it, as for a disabled version.
     */
    async material(key: ManagedKey, version?: string): Promise<KeyKind | undefined> {
      try {
        return toDescription(await clientOf(key.vault).getKey(key.name, version === undefined ? {} : { version }));
      } catch (error) {
        const failure = describeFailure(error);
        // Azure's documentation contradicts its behavior on reading disabled keys. The list shows their state.
        if (failure.kind === 'notFound' || /disabled/i.test(`${failure.code} ${failure.message}`)) return undefined;
        throw error;
      }
    },
    /** Whether a soft-deleted key reserves the name. @throws Key Vault's 403 if the caller may not check */
    isDeleted: async (key: ManagedKey) =>
      (await readUnlessMissing(() => clientOf(key.vault).getDeletedKey(key.name))) !== undefined,
    /** Undefined if the key does not exist. */
    describe: (key: ManagedKey) =>
      readUnlessMissing(async () => toDescription(await clientOf(key.vault).getKey(key.name))),
    async create(key: ManagedKey, { kty, size, expiresOn, tags }: NewKey): Promise<KeyDescription> {
      const created = await clientOf(key.vault).createRsaKey(key.name, {
        keySize: size,
        hsm: kty === 'RSA-HSM',
        ...(tags ? { tags } : {}),
        ...(expiresOn ? { expiresOn } : {}),
      });

      return toDescription(created);
    },
    async importKey(
      key: ManagedKey,
      jwk: RsaJwk,
      { hardware, expiresOn, tags }: { hardware: boolean; expiresOn: Date | undefined; tags: Record<string, string> },
    ): Promise<KeyDescription> {
      const parts = Object.entries(jwk).map(([name, value]) => [name, Buffer.from(value, 'base64url')]);
      const material: KeyVaultJwk = { kty: hardware ? 'RSA-HSM' : 'RSA', ...Object.fromEntries(parts) };
      const imported = await clientOf(key.vault).importKey(key.name, material, {
        hardwareProtected: hardware,
        tags,
        ...(expiresOn ? { expiresOn } : {}),
      });

      return toDescription(imported);
    },
    async setPolicy(key: ManagedKey, policy: RotationPolicy): Promise<void> {
      const { rotates, afterCreate, beforeExpiry, notifyBeforeExpiry, expiresIn } = policy;
      const rotation = {
        action: 'Rotate' as const,
        ...(afterCreate ? { timeAfterCreate: afterCreate } : {}),
        ...(beforeExpiry ? { timeBeforeExpiry: beforeExpiry } : {}),
      };

      const notice = notifyBeforeExpiry ? [{ action: 'Notify' as const, timeBeforeExpiry: notifyBeforeExpiry }] : [];
      await clientOf(key.vault).updateKeyRotationPolicy(key.name, {
        ...(expiresIn ? { expiresIn } : {}),
        lifetimeActions: [...notice, ...(rotates ? [rotation] : [])],
      });
    },
  };
}

function toDescription({ keyType, key, keyOperations, properties }: KeyVaultKey): KeyDescription {
  const written = key?.n && Buffer.from(key.n);

  // Some tools write the modulus with a leading zero.
  const modulus = written?.subarray(written[0] === 0 ? 1 : 0);

  return {
    version: (properties.version ?? '').toLowerCase(),
    type: keyType || key?.kty || 'unknown',
    size: modulus && modulus.length * 8,
    operations: keyOperations,
    modulus: modulus?.toString('base64url'),
  };
}
