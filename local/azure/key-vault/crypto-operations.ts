import { constants, privateDecrypt, publicEncrypt } from 'node:crypto';
import type { KeyVersion } from '../world.ts';
import { badParameter, forbidden } from './errors.ts';
import { keyIdentifier } from './keys.ts';
import { type KeyVaultRequest, type Operation, requireBody, requireKeyVersion } from './operation.ts';
import { type DigestSigner, ES256, PS256 } from './sign-digest.ts';

type CryptoOperation = 'wrapKey' | 'unwrapKey' | 'encrypt' | 'decrypt' | 'sign' | 'verify';

/** Wrap and unwrap, encrypt and decrypt, sign and verify, with the real key of the version. */
export const cryptoOperations: Operation[] = (
  ['wrapKey', 'unwrapKey', 'encrypt', 'decrypt', 'sign', 'verify'] as const
).flatMap((operation) =>
  // Without a version the newest is used. The id of a version cannot be the name of an operation.
  [`/keys/:name/:version/${operation}`, `/keys/:name/${operation}`].map((route) => ({
    method: 'POST',
    route,
    permission: operation,
    cost: 'other' as const,
    run: (request: KeyVaultRequest) =>
      operation === 'sign' || operation === 'verify' ? signature(request, operation) : transform(request, operation),
  })),
);

const paddings: Record<string, { padding: number; oaepHash?: string }> = {
  'RSA-OAEP': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
  'RSA-OAEP-256': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
  RSA1_5: { padding: constants.RSA_PKCS1_PADDING },
};

function transform(
  request: KeyVaultRequest,
  operation: Exclude<CryptoOperation, 'sign' | 'verify'>,
): Record<string, unknown> {
  const { world, vault } = request;
  const { key, version } = requireKeyVersion(request);

  refuseUnusable(version, operation, world.clock.nowSeconds());

  const { alg, value } = requireBody(request);
  const padding = paddings[String(alg)];
  if (!padding || !version.kty.startsWith('RSA')) {
    throw badParameter(`Key type ${version.kty} does not support the algorithm ${String(alg)}.`);
  }

  if (typeof value !== 'string' || !/^[\w-]+$/.test(value)) throw badParameter('value must be base64url.');

  const input = Buffer.from(value, 'base64url');
  const forward = operation === 'wrapKey' || operation === 'encrypt';
  let output: Buffer;
  try {
    output = (forward ? publicEncrypt : privateDecrypt)({ key: version.privateKey, ...padding }, input);
  } catch {
    throw badParameter(forward ? 'The value is too long for this key.' : 'The value cannot be decrypted by this key.');
  }

  return { kid: keyIdentifier(vault, key.name, version.version), value: output.toString('base64url') };
}

/** The algorithms that sign a SHA-256 digest, by name. */
const signing: Record<string, { readonly kty: 'EC' | 'RSA'; readonly signer: DigestSigner }> = {
  ES256: { kty: 'EC', signer: ES256 },
  PS256: { kty: 'RSA', signer: PS256 },
};
const DIGEST_BYTES = 32;

/** Signs a digest, or verifies its signature. */
function signature(request: KeyVaultRequest, operation: 'sign' | 'verify'): Record<string, unknown> {
  const { world, vault } = request;
  const { key, version } = requireKeyVersion(request);

  refuseUnusable(version, operation, world.clock.nowSeconds());

  const { alg, value, digest = value } = requireBody(request);
  const algorithm = signing[String(alg)];
  const fits = algorithm && version.kty.startsWith(algorithm.kty) && (algorithm.kty === 'RSA' || isP256(version));
  if (!fits) {
    throw badParameter(`Key and signing algorithm are incompatible. Key ${version.kty} and algorithm ${String(alg)}.`);
  }

  const hashed = fromBase64url(digest, 'value');
  if (hashed.length !== DIGEST_BYTES) throw badParameter(`Invalid length of 'value': ${hashed.length} bytes.`);

  const { signer } = algorithm;

  if (operation === 'sign') {
    const made = signer.sign(version.privateKey, hashed);
    return { kid: keyIdentifier(vault, key.name, version.version), value: made.toString('base64url') };
  }

  const given = fromBase64url(value, 'value');

  return { value: signer.verify(version.privateKey, hashed, given) };
}

function isP256({ privateKey }: KeyVersion): boolean {
  return privateKey.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

function fromBase64url(value: unknown, name: string): Buffer {
  if (typeof value !== 'string' || !/^[\w-]+$/.test(value)) throw badParameter(`${name} must be base64url.`);
  return Buffer.from(value, 'base64url');
}

/** A disabled key does nothing. An expired key, or one that is not active yet, still decrypts and unwraps. */
function refuseUnusable(version: KeyVersion, operation: CryptoOperation, nowSeconds: number): void {
  if (!version.keyOps.includes(operation)) {
    throw forbidden(`Operation ${operation} is not permitted on this key.`, 'KeyOperationForbidden');
  }

  if (!version.enabled) throw forbidden(`Operation ${operation} is not allowed on a disabled key.`, 'KeyDisabled');
  if (operation === 'unwrapKey' || operation === 'decrypt' || operation === 'verify') return;

  if (version.exp !== undefined && version.exp <= nowSeconds) {
    throw forbidden(`Operation ${operation} is not allowed on an expired key.`, 'KeyExpired');
  }

  if (version.nbf !== undefined && version.nbf > nowSeconds) {
    throw forbidden(`Operation ${operation} is not allowed on a key that is not yet valid.`, 'KeyNotYetValid');
  }
}
