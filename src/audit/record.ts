import { createHash } from 'node:crypto';
import { z } from 'zod';

/** The caller in the form of the trail. The app stores it with a change until the trail has the record. */
export const RECORDED_CALLER = z.object({
  objectId: z.string(),
  appId: z.string(),
  /** Absent in records of versions before 0.3. */
  kind: z.enum(['person', 'application']).optional(),
  tokenId: z.string().optional(),
  name: z.string().optional(),
});

const AUDIT_ENTRY = z.object({
  /** Idempotency key: readers show an id only once. */
  id: z.string().optional().describe('Id of the event, if several processes may record it.'),
  action: z.string().describe('Action: `key.revoke`, `account.move`.'),
  reason: z.string().describe('Reason code of the outcome.'),
  resource: z.string().describe('Key identifier or ARM id.'),
  caller: RECORDED_CALLER.loose().optional().describe('Caller of the action; absent: the app acted automatically.'),
  /** Of the call, whose log records share it. */
  correlationId: z.string().optional(),
  /** Further evidence: old and new version, each version's state before and after. Must be JSON. */
  details: z.record(z.string(), z.unknown()).optional(),
});
export type AuditEntry = Readonly<Omit<z.output<typeof AUDIT_ENTRY>, 'caller' | 'details'>> & {
  readonly caller?: Readonly<z.output<typeof RECORDED_CALLER>>;
  readonly details?: Readonly<Record<string, unknown>>;
};

/** Number and hash of a record in the chain, with which the record can be verified later. */
export interface AuditReceipt {
  readonly file: string;
  readonly seq: number;
  readonly hash: string;
}

/** End of a chain, which the next record must follow. */
export interface ChainEnd {
  /** Number of the last record; 0: the chain is empty. */
  readonly seq: number;
  readonly hash: string;
}

/** Predecessor of the very first record. */
export const CHAIN_START: ChainEnd = { seq: 0, hash: '0'.repeat(64) };

/**
 * Upper limit of record numbers. A line above this limit counts as damage: a forger could otherwise use up all numbers.
 */
export const MOST_RECORDS = 1e12;

/** A record has an entry, or closes its file and names the next file. */
export type RecordContent = { readonly entry: AuditEntry } | { readonly next: string };

/** Resource of records about all keys: the app. */
export const EVERY_KEY = 'cmk-autopilot/keys';

const HASH = /^[0-9a-f]{64}$/;
const RECORD = z.strictObject({
  v: z.literal(1),
  seq: z.int().min(1),
  id: z.string().min(1),
  time: z.iso.datetime(),
  prev: z.string().regex(HASH),
  entry: AUDIT_ENTRY.loose().optional(),
  next: z.string().optional(),
});

export type AuditRecord = z.output<typeof RECORD> & Pick<AuditRecordView, 'hash' | 'intact'>;

/** A record as the API and the command line show it. */
export const AUDIT_RECORD = z.object({
  seq: z.int().positive().describe('Number of the record in the chain.'),
  id: z.string(),
  time: z.iso.datetime(),
  hash: z.string().describe('SHA-256 of the line without its hash, in hexadecimal.'),
  intact: z.boolean().describe('Whether `hash` is the hash of this record.'),
  file: z.string().describe('File of the trail that has the record.'),
  entry: AUDIT_ENTRY.loose().describe('The recorded event.'),
});
export type AuditRecordView = z.output<typeof AUDIT_RECORD>;
export type RecordedEntry = Omit<AuditRecordView, 'file'>;

/** A record with its entry; undefined for a closing record. */
export function toRecordedEntry({ seq, id, time, hash, intact, entry }: AuditRecord): RecordedEntry | undefined {
  return entry && { seq, id, time, hash, intact, entry };
}

export function hashSha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/**
 * Formats the record that follows `end` as a line of JSON with a line feed. The hash is last in the line and covers the
 * line's text without the hash. The next record has it as `prev`, so verification needs no canonical form.
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
  const hash = hashSha256(body);
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}\n`, end: { seq, hash } };
}

const HASH_MEMBER = /,"hash":"([0-9a-f]{64})"\}$/;

/** Parses a line without its line feed; undefined if it is not a record. */
export function parseRecord(line: Uint8Array): AuditRecord | undefined {
  try {
    // Fatal and with the byte order mark: decoding must not hide a changed byte.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line);
    const match = HASH_MEMBER.exec(text);
    const hash = match?.[1];
    if (!match || !hash) return undefined;

    const body = `${text.slice(0, match.index)}}`;
    const record = RECORD.safeParse(JSON.parse(body)).data;

    return record && { ...record, hash, intact: hashSha256(body) === hash };
  } catch {
    return undefined;
  }
}
