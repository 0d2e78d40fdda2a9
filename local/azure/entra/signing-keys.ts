import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** A key that signs tokens. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A new RSA key of 2048 bits, as Entra ID uses. Its id is the thumbprint of the public part. */
export function newSigningKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return { kid: createHash('sha256').update(spki).digest('base64url').slice(0, 27), privateKey, publicKey };
}

/** The public part as an entry of `jwks_uri`. */
export function toJwk(key: SigningKey, issuer: string): Record<string, unknown> {
  return { ...key.publicKey.export({ format: 'jwk' }), kid: key.kid, use: 'sig', alg: 'RS256', issuer };
}
