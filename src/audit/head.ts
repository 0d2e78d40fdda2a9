import { dayOf } from '../time/duration.ts';
import type { AuditFiles } from './audit-files.ts';
import { compareFileNames, fileAfter, fileName, parseFileName, trailFiles } from './file-name.ts';
import { LINE_FEED } from './lines.ts';
import { type AuditRecord, CHAIN_START, type ChainEnd, MOST_RECORDS, parseRecord, sha256 } from './record.ts';

/** Where the next record goes. */
export interface Head extends ChainEnd {
  readonly file: string;
  /** Length of the file in bytes: the next record is appended there or nowhere. */
  readonly position: number;
  readonly blocks: number;
  /** The file ends within a line, which only damage can do: the next record starts with a line feed. */
  readonly midLine: boolean;
}

/** Enough for dozens of records: one read finds the last one. */
const TAIL_BYTES = 64 * 1024;
/** No more is read of a file's end: who may write it can put gigabytes there that end no line. */
const MOST_TAIL_BYTES = 16 * 1024 * 1024;

/**
 * Finds the end of the chain: one list call, and the last bytes of the last file.
 *
 * A damaged end does not stop the trail. The record that follows carries the hash of what stands there, so that
 * verification points at the damage and at nothing after it.
 *
 * @param today day in UTC, for the first file of all
 */
export async function findHead(files: AuditFiles, today: string): Promise<Head> {
  const listed = trailFiles(await files.list()).filter(({ name }) => isOfWriter(name, today));
  const last = listed.filter(({ size }) => size > 0).at(-1);
  const start = { position: 0, blocks: 0, midLine: false };
  if (!last) return { ...CHAIN_START, ...start, file: listed[0]?.name ?? fileName({ day: today, part: 0 }) };
  const { next, ...end } = await readEnd(files, last.name, last.size);
  if (next !== undefined && mayFollow(next, last.name, today)) return { ...end, ...start, file: next };
  return last.appendable ? { ...end, file: last.name } : { ...end, ...start, file: fileAfter(last.name, today) };
}

/** Whether the chain goes on in a file that a record names. */
export function mayFollow(next: string, last: string, today: string): boolean {
  return compareFileNames(next, last) > 0 && isOfWriter(next, today);
}

const MOST_PARTS = 100_000;

/** Whether a writer can have made the file: one of a day to come would take all records of the days before it. */
function isOfWriter(name: string, today: string): boolean {
  const { day, part } = parseFileName(name) ?? { day: '', part: MOST_PARTS };
  // A writer's clock may be some minutes ahead.
  return part < MOST_PARTS && day <= dayOf(new Date(Date.parse(`${today}T23:59:59Z`) + 10 * 60_000));
}

type End = Omit<Head, 'file'> & { readonly next: string | undefined };

/** The record in a line; undefined for what the trail cannot have written. */
function believable(line: Buffer): AuditRecord | undefined {
  const record = parseRecord(line);
  return record?.intact && record.seq < MOST_RECORDS ? record : undefined;
}

async function readEnd(files: AuditFiles, name: string, size: number): Promise<End> {
  for (let window = TAIL_BYTES; ; window *= 4) {
    const from = Math.max(0, size - window);
    const slice = await files.read(name, from);
    if (!slice) throw new Error(`${name} became shorter while it was read.`);
    const lines = splitLines(slice.bytes);
    // The first line of the window may have begun before it.
    const whole = from === 0 || window >= MOST_TAIL_BYTES ? lines : lines.slice(1);
    const line = whole.at(-1);
    if (!line) {
      if (from === 0) throw new Error(`${name} became empty while it was read.`);
      continue;
    }
    const record = believable(line);
    return {
      ...(record ? { seq: record.seq, hash: record.hash } : endOfDamage(whole, line)),
      next: record?.next,
      position: slice.size,
      blocks: slice.blocks,
      midLine: slice.bytes.at(-1) !== LINE_FEED,
    };
  }
}

/** Counts on from the last record that can be read. */
function endOfDamage(lines: readonly Buffer[], last: Buffer): ChainEnd {
  for (let back = 1; back < lines.length; back += 1) {
    const record = believable(lines[lines.length - 1 - back] ?? Buffer.alloc(0));
    if (record) return { seq: record.seq + back, hash: sha256(last) };
  }
  return { seq: lines.length, hash: sha256(last) };
}

/** Lines without their line feeds; what follows the last line feed is a line if it is not empty. */
function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, start)) {
    lines.push(bytes.subarray(start, at));
    start = at + 1;
  }
  if (start < bytes.length) lines.push(bytes.subarray(start));
  return lines;
}
