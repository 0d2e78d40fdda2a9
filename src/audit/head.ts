import { dayOf } from '../time/duration.ts';
import type { AuditFile, AuditFiles } from './audit-files.ts';
import { compareFileNames, fileAfter, fileName, parseFileName, trailFiles } from './file-name.ts';
import { LINE_FEED } from './lines.ts';
import { type AuditRecord, CHAIN_START, type ChainEnd, MOST_RECORDS, parseRecord, sha256 } from './record.ts';

/** Where the next record goes. */
export interface Head extends ChainEnd {
  readonly file: string;
  /** Length of the file in bytes: the next record is appended there or nowhere. */
  readonly position: number;
  /** Blocks that the file has. */
  readonly blocks: number;
  /** The file ends within a line, which only damage can do: the next record starts with a line feed. */
  readonly midLine: boolean;
}

/** Enough for dozens of records: one read finds the last one. */
const TAIL_BYTES = 64 * 1024;
/** No more is read of a file's end: who may write it can put gigabytes there that end no line. */
const MOST_TAIL_BYTES = 16 * 1024 * 1024;

/**
 * Finds the end of the chain: one list call, and the last bytes of two files.
 *
 * A damaged end does not stop the trail. The record that follows carries the hash of what stands there, so that
 * verification points at the damage and at nothing after it.
 *
 * @param today day in UTC, for the first file of all
 */
export async function findHead(files: AuditFiles, today: string): Promise<Head> {
  const listed = trailFiles(await files.list()).reverse();
  const filled = listed.filter((file) => file.size > 0 && !isAhead(file.name, today));
  const found = await lastOfChain(files, filled, new Set(listed.map(({ name }) => name)), today);
  if (!found) {
    const empty = listed.filter(({ size, name }) => size === 0 && !isAhead(name, today)).at(-1)?.name;
    const file = empty ?? freeName(listed, fileName({ day: today, part: 0 }), today);
    return { ...CHAIN_START, file, position: 0, blocks: 0, midLine: false };
  }
  const { last, end } = found;
  const { next, ...head } = end;
  const elsewhere =
    next !== undefined && mayFollow(next, last.name, today)
      ? next
      : last.appendable
        ? undefined
        : fileAfter(last.name, today);
  if (!elsewhere) return { ...head, file: last.name };
  return { seq: head.seq, hash: head.hash, file: elsewhere, position: 0, blocks: 0, midLine: false };
}

/**
 * Whether the chain goes on in a file that a record names. Who may write the container may name any: one that is over, or that
 * no writer comes to for years, is not gone to.
 */
export function mayFollow(next: string, last: string, today: string): boolean {
  const part = parseFileName(next)?.part;
  return part !== undefined && part < MOST_PARTS && compareFileNames(next, last) > 0 && !isAhead(next, today);
}

/** No day has so many files. Behind the last name that there is, no file could follow: nobody is let lead the chain there. */
const MOST_PARTS = 100_000;

/** How far the clock of a writer may be ahead of this one's, in milliseconds, and then some. */
const CLOCK_AHEAD_MS = 10 * 60_000;

/** Whether no writer can have made that file yet, whatever stands in it. */
function isAhead(name: string, today: string, now: Date = new Date(`${today}T23:59:59Z`)): boolean {
  const day = parseFileName(name)?.day ?? '';
  return day > dayOf(new Date(now.getTime() + CLOCK_AHEAD_MS));
}

/** A name in which nobody has put anything: who may write the container may have been there before. */
export function freeName(listed: readonly AuditFile[], wanted: string, today: string): string {
  let name = wanted;
  while (listed.some((file) => file.name === name && (file.size > 0 || !file.appendable)))
    name = fileAfter(name, today);
  return name;
}

type End = Omit<Head, 'file'> & { readonly next: string | undefined; readonly intact: boolean };

/** So many files are looked through for the one that leads to another; as a rule it is the one before. */
const MOST_BEFORE = 31;
/** Of so many files it is asked whether one leads to them; as a rule it is the last one. */
const MOST_ASKED = 1_000;

/**
 * The last file that the chain has come to. A file that none before it leads to was put there by somebody else, and the
 * chain goes past it. Many of them may stand between two files of the chain: where one is found that is led to, the chain is
 * followed from there on by what the files name.
 *
 * @param filled newest first
 */
async function lastOfChain(
  files: AuditFiles,
  filled: readonly AuditFile[],
  there: ReadonlySet<string>,
  today: string,
): Promise<{ readonly last: AuditFile; readonly end: End } | undefined> {
  const ends = new Map<string, Promise<End>>();
  const endOf = ({ name, size }: AuditFile): Promise<End> => {
    const end = ends.get(name) ?? readEnd(files, name, size);
    ends.set(name, end);
    return end;
  };
  for (const [index, file] of filled.entries()) {
    const before = filled.slice(index + 1, index + 1 + MOST_BEFORE);
    const isFirst = index + 1 + before.length === filled.length || index >= MOST_ASKED;
    if (!(await isLedTo(files, file.name, { before, isFirst, there, endOf }))) continue;
    let last = file;
    for (;;) {
      const end = await endOf(last);
      const next = filled.find(({ name }) => name === end.next && mayFollow(name, last.name, today));
      if (!next) return { last, end };
      last = next;
    }
  }
  return undefined;
}

/**
 * Whether a file before it leads to a file: names it, or ends with the record that its first one follows. Between the two may
 * lie files that are damaged or gone, and files of somebody else.
 *
 * @param isFirst no other files are before those: where all of them are damaged, it cannot be told any more, and is believed
 */
async function isLedTo(
  files: AuditFiles,
  name: string,
  {
    before,
    isFirst,
    there,
    endOf,
  }: {
    readonly before: readonly AuditFile[];
    readonly isFirst: boolean;
    readonly there: ReadonlySet<string>;
    readonly endOf: (file: AuditFile) => Promise<End>;
  },
): Promise<boolean> {
  let first: Promise<AuditRecord | undefined> | undefined;
  const damaged = new Set<string>();
  for (const one of before) {
    const { intact, next, seq, hash } = await endOf(one);
    if (!intact) {
      damaged.add(one.name);
      continue;
    }
    if (next === name) return true;
    first ??= firstOf(files, name);
    const record = await first;
    if (record?.seq === seq + 1 && record.prev === hash) return true;
    if (next === undefined) continue;
    // What it leads to was damaged, or removed together with what followed.
    if (damaged.has(next) || (!there.has(next) && record !== undefined && record.seq > seq + 1)) return true;
  }
  return isFirst && damaged.size === before.length;
}

async function firstOf(files: AuditFiles, name: string): Promise<AuditRecord | undefined> {
  const slice = await files.read(name, 0, TAIL_BYTES);
  const line = slice && splitLines(slice.bytes)[0];
  return line && believable(line);
}

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
      intact: record !== undefined,
      next: record?.next && parseFileName(record.next) ? record.next : undefined,
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
