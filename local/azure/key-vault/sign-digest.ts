import {
  constants,
  createECDH,
  createHash,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';

/** Makes signatures from a digest, as Key Vault does: Node's own functions need the signed text. */
export interface DigestSigner {
  sign(privateKey: KeyObject, digest: Buffer): Buffer;
  verify(privateKey: KeyObject, digest: Buffer, signature: Buffer): boolean;
}

const SHA256_BYTES = 32;

// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt as long as the digest (RFC 8017, sections 8.1 and 9.1).

export const PS256: DigestSigner = {
  sign(privateKey, digest) {
    const bits = (privateKey.asymmetricKeyDetails?.modulusLength ?? 2048) - 1;
    const length = Math.ceil(bits / 8);
    const salt = randomBytes(SHA256_BYTES);
    const hash = sha256(Buffer.concat([Buffer.alloc(8), digest, salt]));
    const block = Buffer.alloc(length - SHA256_BYTES - 1);

    block[block.length - SHA256_BYTES - 1] = 1;
    salt.copy(block, block.length - SHA256_BYTES);

    const masked = xor(block, mask(hash, block.length));

    masked[0] = (masked[0] ?? 0) & (0xff >> (8 * length - bits));

    const encoded = Buffer.concat([masked, hash, Buffer.from([0xbc])]);

    return privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, encoded);
  },
  verify(privateKey, digest, signature) {
    const bits = (privateKey.asymmetricKeyDetails?.modulusLength ?? 2048) - 1;
    let encoded: Buffer;
    try {
      encoded = publicEncrypt({ key: createPublicKey(privateKey), padding: constants.RSA_NO_PADDING }, signature);
    } catch {
      return false; // no signature of this key has another length
    }

    const hash = encoded.subarray(-SHA256_BYTES - 1, -1);
    const masked = encoded.subarray(0, -SHA256_BYTES - 1);
    const block = xor(masked, mask(hash, masked.length));

    block[0] = (block[0] ?? 0) & (0xff >> (8 * encoded.length - bits));

    const zeros = block.subarray(0, -SHA256_BYTES - 1);
    const salt = block.subarray(-SHA256_BYTES);

    return (
      encoded.at(-1) === 0xbc &&
      zeros.every((byte) => byte === 0) &&
      block.at(-SHA256_BYTES - 1) === 1 &&
      sha256(Buffer.concat([Buffer.alloc(8), digest, salt])).equals(hash)
    );
  },
};

function sha256(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}

/** MGF1. */
function mask(seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let n = 0; n * SHA256_BYTES < length; n++) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(n);
    blocks.push(sha256(Buffer.concat([seed, counter])));
  }
  return Buffer.concat(blocks).subarray(0, length);
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));
}

// ECDSA over P-256 (FIPS 186-5, section 6.4; the curve is in SP 800-186). A signature is r and s, 32 bytes each.

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const G: Point = {
  x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
};

interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

export const ES256: DigestSigner = {
  sign(privateKey, digest) {
    const secret = toNumber(Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url'));
    for (;;) {
      // A number below the order of the curve, and its point, both from OpenSSL.
      const once = createECDH('prime256v1');
      const r = toNumber(once.generateKeys().subarray(1, 33)) % N;
      const s = modulo(inverse(toNumber(once.getPrivateKey()), N) * (toNumber(digest) + r * secret), N);
      if (r !== 0n && s !== 0n) return Buffer.concat([toBytes(r), toBytes(s)]);
    }
  },
  verify(privateKey, digest, signature) {
    const r = toNumber(signature.subarray(0, 32));
    const s = toNumber(signature.subarray(32));
    if (signature.length !== 64 || r === 0n || s === 0n || r >= N || s >= N) return false;
    const { x = '', y = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
    const own = { x: toNumber(Buffer.from(x, 'base64url')), y: toNumber(Buffer.from(y, 'base64url')) };
    const w = inverse(s, N);
    const sum = add(times(G, modulo(toNumber(digest) * w, N)), times(own, modulo(r * w, N)));
    return sum !== undefined && sum.x % N === r;
  },
};

/** Undefined is the point at infinity. */
function add(a: Point | undefined, b: Point | undefined): Point | undefined {
  if (!a || !b) return a ?? b;
  if (a.x === b.x && (a.y !== b.y || a.y === 0n)) return undefined;
  const slope =
    a.x === b.x ? (3n * a.x * a.x - 3n) * inverse(2n * a.y, P) : (b.y - a.y) * inverse(modulo(b.x - a.x, P), P);
  const x = modulo(slope * slope - a.x - b.x, P);
  return { x, y: modulo(slope * (a.x - x) - a.y, P) };
}

function times(point: Point, factor: bigint): Point | undefined {
  let sum: Point | undefined;
  let doubled: Point | undefined = point;
  for (let left = factor; left > 0n; left >>= 1n) {
    if (left & 1n) sum = add(sum, doubled);
    doubled = add(doubled, doubled);
  }
  return sum;
}

function inverse(value: bigint, modulus: bigint): bigint {
  let a = modulo(value, modulus);
  let b = modulus;
  let x = 1n;
  let y = 0n;
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return modulo(x, modulus);
}

function modulo(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

function toNumber(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex') || '0'}`);
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
}
