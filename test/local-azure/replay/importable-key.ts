import { generateKeyPairSync } from 'node:crypto';
import type { Pair } from './more-recordings.ts';

const namedCurves: Record<string, string> = {
  'P-256': 'P-256',
  'P-384': 'P-384',
  'P-521': 'P-521',
  'P-256K': 'secp256k1',
  SECP256K1: 'secp256k1',
};

const made = new Map<string, object>();

/** The body of a request. The recordings leave the private part of imported keys out: a key of the same type and size. */
export function importableKey({ body }: Pair): unknown {
  const key = body?.key as Record<string, string> | undefined;
  if (!key?.d?.startsWith('(left out')) return body;
  const { kty = '', crv, n } = key;
  const size = `${kty} ${crv ?? Buffer.from(n ?? '', 'base64url').length * 8}`;
  const fresh = made.get(size) ?? generate(crv, n);
  made.set(size, fresh);
  return { ...body, key: { ...key, ...fresh, kty, ...(crv ? { crv } : {}) } };
}

function generate(crv: string | undefined, n: string | undefined): object {
  const pair = crv
    ? generateKeyPairSync('ec', { namedCurve: namedCurves[crv] ?? crv })
    : generateKeyPairSync('rsa', { modulusLength: Buffer.from(n ?? '', 'base64url').length * 8 });
  return pair.privateKey.export({ format: 'jwk' });
}
