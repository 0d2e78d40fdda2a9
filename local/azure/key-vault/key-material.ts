import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { KeyVersion } from '../world.ts';
import { badParameter } from './errors.ts';
import { takeRsaKey } from './rsa-pool.ts';

export type KeyType = KeyVersion['kty'];

/** Key Vault's curve names, with OpenSSL's names and the sizes in bits. */
const curves: Record<string, { namedCurve: string; bits: number }> = {
  'P-256': { namedCurve: 'prime256v1', bits: 256 },
  'P-384': { namedCurve: 'secp384r1', bits: 384 },
  'P-521': { namedCurve: 'secp521r1', bits: 521 },
  'P-256K': { namedCurve: 'secp256k1', bits: 256 },
  // Another name of the same curve. The answer repeats the name of the request (seen in a recording).
  SECP256K1: { namedCurve: 'secp256k1', bits: 256 },
};

export interface KeyMaterial {
  readonly privateKey: KeyObject;
  /** Bits. */
  keySize: number;
}

/** The operations of a key whose request names none (recorded for RSA). */
export function defaultKeyOps(kty: KeyType): string[] {
  if (kty.startsWith('EC')) return ['sign', 'verify'];
  return ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'];
}

/** Generates a key. Throws a 400 for a size, curve or type that Key Vault does not offer. */
export function generateKeyMaterial(kty: KeyType, size: number | undefined, crv?: string): KeyMaterial {
  if (kty === 'RSA' || kty === 'RSA-HSM') {
    const keySize = checkRsaSize(size ?? 2048);
    let made: KeyObject | undefined;

    return {
      keySize,
      // Most keys are never used, and each takes 50 ms of a core.
      get privateKey() {
        made ??= takeRsaKey(keySize);
        return made;
      },
    };
  }

  if (kty === 'EC' || kty === 'EC-HSM') {
    const curve = curves[crv ?? curveOfSize(size)];
    if (!curve) throw badParameter(`Unsupported curve: ${crv}`);

    const { privateKey } = generateKeyPairSync('ec', { namedCurve: curve.namedCurve });
    if (crv === 'SECP256K1') nameCurve(privateKey, crv);

    return { privateKey, keySize: curve.bits };
  }

  throw badParameter(`Key type '${kty}' is only supported by Managed HSM.`);
}

/** The key material of an import. Throws a 400 unless it is a complete private RSA or EC key. */
export function importKeyMaterial(jwk: Record<string, unknown>): KeyMaterial & { kty: KeyType } {
  const kty = jwk.kty;
  if (kty !== 'RSA' && kty !== 'RSA-HSM' && kty !== 'EC' && kty !== 'EC-HSM') {
    throw badParameter(`The key type '${String(kty)}' cannot be imported.`);
  }

  const crv = jwk.crv === 'P-256K' || jwk.crv === 'SECP256K1' ? 'secp256k1' : jwk.crv;
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: { ...jwk, kty: kty.replace('-HSM', ''), crv } as JsonWebKey, format: 'jwk' });
  } catch (cause) {
    throw badParameter(`Invalid key material: ${cause instanceof Error ? cause.message : String(cause)}`);
  }

  if (kty.startsWith('RSA')) {
    const size = privateKey.asymmetricKeyDetails?.modulusLength ?? 0;

    // Key Vault imports keys of 1024 bits, but does not generate them (seen in a recording).
    return { kty, privateKey, keySize: size === 1024 ? size : checkRsaSize(size) };
  }

  const named = privateKey.asymmetricKeyDetails?.namedCurve;
  const curve = Object.values(curves).find((known) => known.namedCurve === named);

  if (jwk.crv === 'SECP256K1') nameCurve(privateKey, jwk.crv);
  if (!curve) throw badParameter(`Unsupported curve: ${String(jwk.crv)}`);

  return { kty, privateKey, keySize: curve.bits };
}

const publicHalves = new WeakMap<KeyObject, Record<string, string>>();

/** The public half of a key as on the wire: `n` and `e`, or `crv`, `x` and `y`. */
export function publicMaterial(privateKey: KeyObject): Record<string, string> {
  const known = publicHalves.get(privateKey) ?? exportPublic(privateKey);
  publicHalves.set(privateKey, known);
  return known;
}

/** Keeps the name that the request used for the key's curve. */
function nameCurve(privateKey: KeyObject, crv: string): void {
  publicHalves.set(privateKey, { ...exportPublic(privateKey), crv });
}

function exportPublic(privateKey: KeyObject): Record<string, string> {
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
  if (jwk.kty === 'RSA') return { n: jwk.n ?? '', e: jwk.e ?? '' };
  return { crv: jwk.crv === 'secp256k1' ? 'P-256K' : (jwk.crv ?? ''), x: jwk.x ?? '', y: jwk.y ?? '' };
}

/** Key Vault's name of an EC key's curve. */
export function curveOf(privateKey: KeyObject): string | undefined {
  const named = privateKey.asymmetricKeyDetails?.namedCurve;
  return Object.entries(curves).find(([, curve]) => curve.namedCurve === named)?.[0];
}

function curveOfSize(size: number | undefined): string {
  return size === 384 || size === 521 ? `P-${size}` : 'P-256';
}

function checkRsaSize(size: number): number {
  if (size !== 2048 && size !== 3072 && size !== 4096) throw badParameter('Unsupported key size');
  return size;
}
