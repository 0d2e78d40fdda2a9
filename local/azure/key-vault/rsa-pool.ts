import { generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** How many key pairs of one size are kept ready. A burst beyond that waits for its own (about 40 ms for 2048 bits). */
const ready = 2;

const pools = new Map<number, KeyObject[]>();
const refilling = new Set<number>();

/** A fresh RSA private key of `modulusLength` bits: one made ahead, or else made now. */
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
    if (error) return; // the synchronous way reports what is wrong
    pool.push(privateKey);
    refill(modulusLength, pool);
  });
}
