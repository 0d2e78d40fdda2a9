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

/** An RSA private key in the format of RFC 7518. */
export type RsaJwk = Readonly<Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi', string>>;

/** What the app reads of the keys of a vault. */
export type KeyCatalog = Pick<ReturnType<typeof createKeyAdmin>, 'names' | 'material' | 'isDeleted'>;

/** The keys of a vault. Throws the errors of `@azure/keyvault-keys`: read them with `describeFailure`. */
export function createKeyAdmin(credential: TokenCredential, limits: CallLimits) {
  const clientOfUri = cachePer((uri) => new KeyClient(uri, credential, callOptions(limits)));
  const clientOf = ({ uri }: ManagedVault): KeyClient => clientOfUri(uri);
  return {
    /** Names of the vault's keys. Keys that belong to a certificate are omitted. */
    async names(vault: ManagedVault): Promise<string[]> {
      const names: string[] = [];
      for await (const { name, managed } of clientOf(vault).listPropertiesOfKeys()) {
        if (!managed) names.push(name);
      }
      return names;
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
      (await unlessMissing(() => clientOf(key.vault).getDeletedKey(key.name))) !== undefined,
    /** Undefined if the key does not exist. */
    describe: (key: ManagedKey) => unlessMissing(async () => toDescription(await clientOf(key.vault).getKey(key.name))),
    async create(
      key: ManagedKey,
      { kty, size, expiresOn }: { kty: 'RSA' | 'RSA-HSM'; size: number; expiresOn: Date | undefined },
    ): Promise<KeyDescription> {
      const wanted = { keySize: size, hsm: kty === 'RSA-HSM', ...(expiresOn ? { expiresOn } : {}) };
      return toDescription(await clientOf(key.vault).createRsaKey(key.name, wanted));
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
