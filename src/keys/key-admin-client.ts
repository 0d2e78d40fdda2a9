import type { TokenCredential } from '@azure/identity';
import { KeyClient, type JsonWebKey as KeyVaultJwk, type KeyVaultKey } from '@azure/keyvault-keys';
import { cachePer } from '../azure/cache-per.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import { type CallLimits, callOptions } from '../azure/limits.ts';
import type { RotationPolicy } from './key-client.ts';
import type { ManagedKey, ManagedVault } from './managed-vaults.ts';

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

interface NewKey {
  readonly kty: 'RSA' | 'RSA-HSM';
  readonly size: number;
  readonly expiresOn: Date | undefined;
}

/** An RSA private key in the format of RFC 7518. */
export type RsaJwk = Readonly<Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi', string>>;

/** The keys of a vault. Throws the errors of `@azure/keyvault-keys`: read them with `describeFailure`. */
export interface KeyCatalog {
  /** Names of the vault's keys. Keys that belong to a certificate are omitted. */
  names(vault: ManagedVault): Promise<string[]>;
  /**
   * Describes the given version, or the newest. Undefined if Key Vault does not return it, as for a disabled version.
   */
  material(key: ManagedKey, version?: string): Promise<KeyKind | undefined>;
  /**
   * Whether a soft-deleted key reserves the name.
   *
   * @throws Key Vault's 403 if the caller may not check
   */
  isDeleted(key: ManagedKey): Promise<boolean>;
}

/** Creates and describes keys. Throws the same errors. */
interface KeyAdmin extends KeyCatalog {
  /** Undefined if the key does not exist. */
  describe(key: ManagedKey): Promise<KeyDescription | undefined>;
  create(key: ManagedKey, wanted: NewKey): Promise<KeyDescription>;
  importKey(
    key: ManagedKey,
    jwk: RsaJwk,
    options: { hardware: boolean; expiresOn: Date | undefined; tags: Record<string, string> },
  ): Promise<KeyDescription>;
  setPolicy(key: ManagedKey, policy: RotationPolicy): Promise<void>;
}

export function createKeyAdmin(credential: TokenCredential, limits: CallLimits): KeyAdmin {
  const clientOfUri = cachePer((uri) => new KeyClient(uri, credential, callOptions(limits)));
  const clientOf = ({ uri }: ManagedVault): KeyClient => clientOfUri(uri);
  return {
    async names(vault) {
      const names: string[] = [];
      for await (const { name, managed } of clientOf(vault).listPropertiesOfKeys()) {
        if (!managed) names.push(name);
      }
      return names;
    },
    async material(key, version) {
      try {
        return toDescription(await clientOf(key.vault).getKey(key.name, version === undefined ? {} : { version }));
      } catch (error) {
        const failure = describeFailure(error);
        // Azure's documentation contradicts its behavior on reading disabled keys. The list shows their state.
        if (failure.kind === 'notFound' || /disabled/i.test(`${failure.code} ${failure.message}`)) return undefined;
        throw error;
      }
    },
    isDeleted: async (key) => (await unlessMissing(() => clientOf(key.vault).getDeletedKey(key.name))) !== undefined,
    describe: (key) => unlessMissing(async () => toDescription(await clientOf(key.vault).getKey(key.name))),
    async create(key, { kty, size, expiresOn }) {
      const created = await clientOf(key.vault).createRsaKey(key.name, {
        keySize: size,
        hsm: kty === 'RSA-HSM',
        ...(expiresOn ? { expiresOn } : {}),
      });
      return toDescription(created);
    },
    async importKey(key, jwk, { hardware, expiresOn, tags }) {
      const parts = Object.entries(jwk).map(([name, value]) => [name, Buffer.from(value, 'base64url')]);
      const material: KeyVaultJwk = { kty: hardware ? 'RSA-HSM' : 'RSA', ...Object.fromEntries(parts) };
      const imported = await clientOf(key.vault).importKey(key.name, material, {
        hardwareProtected: hardware,
        tags,
        ...(expiresOn ? { expiresOn } : {}),
      });
      return toDescription(imported);
    },
    async setPolicy(key, { rotates, afterCreate, beforeExpiry, notifyBeforeExpiry, expiresIn }) {
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
