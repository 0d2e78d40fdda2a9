import { generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** Number of key pairs of each size in store. A larger burst waits for its own (about 40 ms for 2048 bits). */
const ready = 2;

const pools = new Map<number, KeyObject[]>();
const refilling = new Set<number>();

/** A new RSA private key of `modulusLength` bits, from the store or generated now. */
export function takeRsaKey(modulusLength: number): KeyObject {
  const pool = pools.get(modulusLength) ?? [];
  pools.set(modulusLength, pool);
  const key = pool.pop() ?? generateKeyPairSync('rsa', { modulusLength }).privateKey;
  refill(modulusLength, pool);
  return key;
}

function refill(modulusLength: number, pool: KeyObject[]): void {
  if (pool.length >= ready || refilling.has(modulusLength)) return;
  refilling.add(modulusLength);
  generateKeyPair('rsa', { modulusLength }, (error, _publicKey, privateKey) => {
    refilling.delete(modulusLength);
    if (error) return; // the synchronous generation throws the error
    pool.push(privateKey);
    refill(modulusLength, pool);
  });
}
