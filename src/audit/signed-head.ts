import { createHash, createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { z } from 'zod';
import type { AuditReceipt } from './record.ts';

/** Signatures that heads are made with, by the type of key. Source: Key Vault, signing algorithms. */
const ALGORITHMS = ['ES256', 'PS256'] as const;
export type HeadAlgorithm = (typeof ALGORITHMS)[number];

const HASH = /^[0-9a-f]{64}$/;

/** Where the chain ended on a day, signed by a key that whoever writes the trail does not hold. */
export const SIGNED_HEAD = z.object({
  v: z.literal(1),
  /** Address of the container that the trail is in: a head of another trail proves nothing here. */
  trail: z.string().min(1).max(500),
  /** Day in UTC on which it was looked at. */
  day: z.iso.date(),
  signedOn: z.iso.datetime(),
  file: z.string().min(1).max(100),
  seq: z.int().min(1),
  hash: z.string().regex(HASH),
  /** Identifier of the key, with its version. */
  key: z.string().max(500).optional(),
  algorithm: z.enum(ALGORITHMS).optional(),
  /** Base64url; absent: there is no key to sign with, or it was out of reach. */
  signature: z.string().max(1_000).optional(),
});

export type SignedHead = z.output<typeof SIGNED_HEAD>;
/** A head that nobody has signed yet. */
export type PlainHead = Omit<SignedHead, 'key' | 'algorithm' | 'signature'>;

/** SHA-256 of what is signed: the fields in words, one a line, so that nobody has to agree on a form of JSON. */
export function headDigest(head: PlainHead): Buffer {
  return createHash('sha256').update(headText(head)).digest();
}

function headText({ trail, day, signedOn, file, seq, hash }: PlainHead): string {
  return ['cmk-autopilot audit head 1', trail, day, signedOn, file, seq, hash].join('\n');
}

/** Whether the signature is that of the key. */
export function isSignedBy(head: SignedHead, jwk: JsonWebKey): boolean {
  const { algorithm, signature } = head;
  if (algorithm === undefined || signature === undefined) return false;
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const wanted = key.asymmetricKeyType === 'ec' ? 'ES256' : 'PS256';
    if (algorithm !== wanted) return false;
    const options = wanted === 'ES256' ? { dsaEncoding: 'ieee-p1363' as const } : { padding: 6, saltLength: 32 };
    return verify('sha256', Buffer.from(headText(head)), { key, ...options }, Buffer.from(signature, 'base64url'));
  } catch {
    return false; // no key at all
  }
}

/** The head of a trail as it was found. */
export function plainHead(trail: string, { file, seq, hash }: AuditReceipt, now: Date): PlainHead {
  const signedOn = now.toISOString();
  return { v: 1, trail, day: signedOn.slice(0, 10), signedOn, file, seq, hash };
}

/** Whether a head that is kept says more of the same trail than another one, and is not to be replaced by it. */
export function isAheadOf(kept: SignedHead | undefined, head: SignedHead): boolean {
  return kept !== undefined && kept.trail === head.trail && kept.seq > head.seq;
}
