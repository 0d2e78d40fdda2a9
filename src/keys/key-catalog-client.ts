import type { TokenCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { withinTime } from '../azure/deadline.ts';
import { describeFailure } from '../azure/failure.ts';
import type { ManagedKey, ManagedVault } from './managed-vaults.ts';

/** What a vault holds. Errors are those of `@azure/keyvault-keys`: read them with `describeFailure`. */
export interface KeyCatalog {
  /** The names of its keys, without those that belong to a certificate. */
  names(vault: ManagedVault): Promise<string[]>;
  /** Type and size of a version; undefined where Key Vault does not show them, as it may not for a disabled one. */
  material(key: ManagedKey, version: string): Promise<{ type: string; size: number | undefined } | undefined>;
  /** Whether a key that is not there is soft-deleted. */
  isDeleted(key: ManagedKey): Promise<boolean>;
}

/** Longest time for one request, in milliseconds. A closed-off vault may let connections hang. */
const TIMEOUT_MS = 20_000;

export function createKeyCatalog(credential: TokenCredential): KeyCatalog {
  const clients = new Map<string, KeyClient>();
  const clientOf = ({ uri }: ManagedVault): KeyClient => {
    const known = clients.get(uri);
    if (known) return known;
    const client = new KeyClient(uri, credential, {
      retryOptions: { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 },
    });
    clients.set(uri, client);
    return client;
  };

  return {
    async names(vault) {
      return withinTime(TIMEOUT_MS * 3, async (limit) => {
        const names: string[] = [];
        for await (const { name, managed } of clientOf(vault).listPropertiesOfKeys(limit)) {
          if (!managed) names.push(name);
        }
        return names;
      });
    },
    async material(key, version) {
      try {
        const { keyType, key: jwk } = await withinTime(TIMEOUT_MS, (limit) =>
          clientOf(key.vault).getKey(key.name, { version, ...limit }),
        );
        return { type: keyType ?? jwk?.kty ?? 'unknown', size: bitsOf(jwk?.n) };
      } catch (error) {
        const failure = describeFailure(error);
        // Documentation and practice differ on whether a disabled key may be read; its state is known from the list.
        if (failure.kind === 'notFound' || /disabled/i.test(`${failure.code} ${failure.message}`)) return undefined;
        throw error;
      }
    },
    async isDeleted(key) {
      try {
        await withinTime(TIMEOUT_MS, (limit) => clientOf(key.vault).getDeletedKey(key.name, limit));
        return true;
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return false;
        throw error;
      }
    },
  };
}

/** Size of an RSA modulus, in bits. Some write it with a leading zero. */
function bitsOf(modulus: Uint8Array | undefined): number | undefined {
  return modulus && (modulus.length - (modulus[0] === 0 ? 1 : 0)) * 8;
}
