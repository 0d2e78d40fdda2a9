import type { JsonWebKey } from 'node:crypto';
import type { TokenCredential } from '@azure/identity';
import { CryptographyClient, KeyClient, type KeyVaultKey } from '@azure/keyvault-keys';
import { type CallLimits, callOptions } from '../azure/limits.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { type HeadAlgorithm, headDigest, type PlainHead, type SignedHead } from './signed-head.ts';

/** Signs heads, and hands out what their signatures are checked with. Errors are those of `@azure/keyvault-keys`. */
export interface HeadSigner {
  sign(head: PlainHead): Promise<SignedHead>;
  /** The public half of a version of the key. @param version identifier with the version */
  publicKey(version: string): Promise<JsonWebKey | undefined>;
}

/**
 * A key of Key Vault as the signer. It takes the data actions keys/read and keys/sign/action on that key alone.
 *
 * @param keyId `https://{vault}/keys/{name}`, with or without a version
 */
export function headSigner(keyId: string, credential: TokenCredential, limits: CallLimits): HeadSigner {
  const wanted = parseKeyIdentifier(keyId);
  if (!wanted) throw new Error(`${keyId} is not the identifier of a key.`);
  const keys = new KeyClient(wanted.vaultUri, credential, callOptions(limits));
  return {
    async sign(head) {
      const { version } = wanted;
      const key = await keys.getKey(wanted.keyName, version === undefined ? {} : { version });
      const algorithm = algorithmOf(key);
      // By the key's identifier: a client that is given the key itself looks for ways to work without the service.
      const signer = new CryptographyClient(key.id ?? keyId, credential, callOptions(limits));
      const { result } = await signer.sign(algorithm, headDigest(head));
      return { ...head, key: key.id ?? keyId, algorithm, signature: Buffer.from(result).toString('base64url') };
    },
    async publicKey(version) {
      const named = parseKeyIdentifier(version);
      // Whatever a head says, no other key than the one that is set is believed.
      if (named?.vaultUri !== wanted.vaultUri || named.keyName !== wanted.keyName || !named.version) return undefined;
      const { key } = await keys.getKey(named.keyName, { version: named.version });
      return key && toJwk(key);
    },
  };
}

/** @throws Error for a key that cannot sign so */
function algorithmOf({ keyType = '', key, name }: KeyVaultKey): HeadAlgorithm {
  if (keyType.startsWith('RSA')) return 'PS256';
  if (keyType.startsWith('EC') && key?.crv === 'P-256') return 'ES256';
  throw new Error(`The key ${name} signs neither ES256 (EC, P-256) nor PS256 (RSA).`);
}

function toJwk({ kty = '', crv, n, e, x, y }: NonNullable<KeyVaultKey['key']>): JsonWebKey {
  const text = (part: Uint8Array | undefined): string => Buffer.from(part ?? []).toString('base64url');
  return kty.startsWith('EC')
    ? { kty: 'EC', crv: crv ?? '', x: text(x), y: text(y) }
    : { kty: 'RSA', n: text(n), e: text(e) };
}
