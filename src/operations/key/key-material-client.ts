import type { TokenCredential } from '@azure/identity';
import { KeyClient, type JsonWebKey as KeyVaultJwk, type KeyVaultKey } from '@azure/keyvault-keys';
import { describeFailure } from '../../azure/failure.ts';
import type { ManagedKey, ManagedVault } from '../../keys/managed-vaults.ts';
import type { RotationPolicy } from '../../keys/rotation-policy-summary.ts';

/** What kind of key the newest version is. */
export interface KeyDescription {
  readonly version: string;
  /** `RSA`, `RSA-HSM`, `EC` … */
  readonly kty: string;
  /** Bits of an RSA key; undefined for other types. */
  readonly size: number | undefined;
  /** RSA modulus, base64url: tells whether two keys are the same. */
  readonly modulus: string | undefined;
}

export interface NewKey {
  readonly kty: 'RSA' | 'RSA-HSM';
  readonly size: number;
  readonly expiresOn: Date | undefined;
}

/** An RSA private key, as RFC 7518 writes it. */
export type RsaJwk = Readonly<Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi', string>>;

/** Makes and describes keys. Errors are those of `@azure/keyvault-keys`: read them with `describeFailure`. */
export interface KeyMaterial {
  /** Undefined when there is no such key. */
  describe(key: ManagedKey): Promise<KeyDescription | undefined>;
  create(key: ManagedKey, wanted: NewKey): Promise<KeyDescription>;
  importKey(
    key: ManagedKey,
    jwk: RsaJwk,
    options: { hardware: boolean; expiresOn: Date | undefined; tags: Record<string, string> },
  ): Promise<KeyDescription>;
  /** Undefined when the key never had one. */
  policy(key: ManagedKey): Promise<RotationPolicy | undefined>;
  setPolicy(key: ManagedKey, policy: RotationPolicy): Promise<void>;
  /** Whether a key of that name is soft-deleted, and so keeps the name taken. */
  isDeleted(key: ManagedKey): Promise<boolean>;
}

export function createKeyMaterial(credential: TokenCredential): KeyMaterial {
  const clients = new Map<string, KeyClient>();
  const clientOf = (vault: ManagedVault): KeyClient => {
    const client = clients.get(vault.uri) ?? new KeyClient(vault.uri, credential);
    clients.set(vault.uri, client);
    return client;
  };
  return {
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
    policy: (key) =>
      unlessMissing(async () => {
        const { expiresIn, lifetimeActions = [] } = await clientOf(key.vault).getKeyRotationPolicy(key.name);
        return {
          expiresIn: expiresIn || undefined,
          actions: lifetimeActions.map(({ action, timeAfterCreate, timeBeforeExpiry }) => ({
            action: action.toLowerCase() === 'rotate' ? ('Rotate' as const) : ('Notify' as const),
            ...(timeAfterCreate ? { timeAfterCreate } : {}),
            ...(timeBeforeExpiry ? { timeBeforeExpiry } : {}),
          })),
        };
      }),
    async setPolicy(key, { expiresIn, actions }) {
      await clientOf(key.vault).updateKeyRotationPolicy(key.name, {
        ...(expiresIn ? { expiresIn } : {}),
        lifetimeActions: [...actions],
      });
    },
    isDeleted: async (key) => {
      try {
        await clientOf(key.vault).getDeletedKey(key.name);
        return true;
      } catch (error) {
        const { kind } = describeFailure(error);
        if (kind === 'notFound' || kind === 'forbidden') return false;
        throw error;
      }
    },
  };
}

async function unlessMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (describeFailure(error).kind === 'notFound') return undefined;
    throw error;
  }
}

function toDescription({ keyType, key, properties }: KeyVaultKey): KeyDescription {
  const modulus = key?.n && Buffer.from(key.n);
  return {
    version: (properties.version ?? '').toLowerCase(),
    kty: keyType ?? key?.kty ?? '',
    size: modulus ? modulus.length * 8 : undefined,
    modulus: modulus?.toString('base64url'),
  };
}
