import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { CallerKind } from '../http/token-claims.ts';

/** Who did something, as the trail names them: it is kept like that beside what was done, until it is there. */
export const RECORDED_CALLER = z.object({
  objectId: z.string(),
  appId: z.string(),
  kind: z.enum(['person', 'application']).optional(),
  tokenId: z.string().optional(),
  name: z.string().optional(),
});

export interface AuditEntry {
  /** Idempotency key, if several processes may record the same event: an entry with a known id is not appended again. */
  readonly id?: string;
  /** What was done, as `<subject>.<verb>`: `key.revoke`, `account.move`. */
  readonly action: string;
  readonly reason: string;
  /** What it was done to: a key's identifier, an account's ARM id. */
  readonly resource: string;
  /** Who asked for it; absent: the app by itself. */
  readonly caller?: {
    readonly objectId: string;
    readonly appId: string;
    /** A person or an application; absent in records of versions before 0.3. */
    readonly kind?: CallerKind | undefined;
    readonly tokenId?: string | undefined;
    readonly name?: string | undefined;
  };
  /** Finds the log records of the same call. */
  readonly correlationId?: string;
  /** Whatever else proves it: old and new version, each version's before and after. Must be JSON. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Where a record stands in the chain: enough to verify later that it still does. */
export interface AuditReceipt {
  readonly file: string;
  readonly seq: number;
  readonly hash: string;
}

/** The end of a chain: what the next record has to follow. */
export interface ChainEnd {
  /** Number of the last record; 0: there is none yet. */
  readonly seq: number;
  readonly hash: string;
}

/** What a record follows that follows none. */
export const CHAIN_START: ChainEnd = { seq: 0, hash: '0'.repeat(64) };

/**
 * No trail has so many records. Who may write it can forge one with the greatest number that there is, and no number would be
 * left for what follows: such a line is damage.
 */
export const MOST_RECORDS = 1e12;

/** A record carries an entry, or closes its file and names the one that goes on. */
export type RecordContent = { readonly entry: AuditEntry } | { readonly next: string };

/** What is about all keys is recorded about the app. */
export const EVERY_KEY = 'cmk-autopilot/keys';

const HASH = /^[0-9a-f]{64}$/;
const RECORD = z.strictObject({
  v: z.literal(1),
  seq: z.int().min(1),
  id: z.string().min(1),
  time: z.iso.datetime(),
  prev: z.string().regex(HASH),
  entry: z.looseObject({}).optional(),
  next: z.string().optional(),
});

export type AuditRecord = z.output<typeof RECORD> & {
  readonly hash: string;
  /** Whether `hash` is the hash of this very line. */
  readonly intact: boolean;
};

export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/**
 * Writes the record that follows `end`, as a line of JSON with its line feed. The hash, last in the line, is over the
 * line's own text without it, and the next record carries it as `prev`: verifying needs no canonical form.
 *
 * @throws TypeError if the entry is not JSON
 */
export function formatRecord(
  end: ChainEnd,
  content: RecordContent,
  { id, time }: { readonly id: string; readonly time: Date },
): { readonly line: string; readonly end: ChainEnd } {
  const seq = end.seq + 1;
  const body = JSON.stringify({ v: 1, seq, id, time: time.toISOString(), prev: end.hash, ...content });
  const hash = sha256(body);
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}\n`, end: { seq, hash } };
}

const HASH_MEMBER = /,"hash":"([0-9a-f]{64})"\}$/;

/** Reads one line, without its line feed; undefined if it is not a record. */
export function parseRecord(line: Uint8Array): AuditRecord | undefined {
  try {
    // Fatal and with the byte order mark kept: a byte that decoding swallows must not go unnoticed.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line);
    const match = HASH_MEMBER.exec(text);
    const hash = match?.[1];
    if (!match || !hash) return undefined;
    const body = `${text.slice(0, match.index)}}`;
    const record = RECORD.safeParse(JSON.parse(body)).data;
    return record && { ...record, hash, intact: sha256(body) === hash };
  } catch {
    return undefined;
  }
}
