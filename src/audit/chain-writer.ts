import { dayOf } from '../time/duration.ts';
import type { AuditFiles } from './audit-files.ts';
import { compareFileNames, fileAfter, fileName, parseFileName, trailFiles } from './file-name.ts';
import { LINE_FEED } from './lines.ts';
import {
  type AuditEntry,
  type AuditReceipt,
  type AuditRecord,
  CHAIN_START,
  type ChainEnd,
  formatRecord,
  MOST_RECORDS,
  parseRecord,
  sha256,
} from './record.ts';

/** Blocks that an append blob takes. Source: Azure Storage, scalability targets of Blob storage. */
const MAX_BLOCKS = 50_000;

export interface ChainWriterOptions {
  readonly now: () => Date;
  readonly newId: () => string;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** From 0 to 1, spreads writers that collided. */
  readonly random: () => number;
  readonly maxBlocks?: number;
  /** Times that the end of the chain may turn out to be elsewhere. */
  readonly maxRounds?: number;
  /** Tries that may fail for want of an answer, beside those of the storage client itself. */
  readonly maxFailures?: number;
}

/** Appends entries, all in one block. Calls must not overlap. */
type WriteChain = (entries: readonly AuditEntry[]) => Promise<readonly AuditReceipt[]>;

/**
 * Writes one unbroken chain from any number of instances without a lease: a block is appended only where the writer
 * believes the file to end, so of two writers that saw the same end one is refused, reads the new end and tries again.
 *
 * If the answer to an append is lost, its result is indeterminate. The writer then appends the same bytes again at the same
 * position. If Azure refuses that, the bytes at that position show whose block it was, so that nothing is written twice.
 *
 * Before the chain continues in another file (a new day, or a full file), the writer appends a closing record that names that file
 * to the old one, under the same condition. So a writer with a slow clock cannot fork the chain in the old file. (Only the very
 * first record has no condition but its own file.)
 */
export function chainWriter(files: AuditFiles, options: ChainWriterOptions): WriteChain {
  const { maxBlocks = MAX_BLOCKS, maxRounds = 50, maxFailures = 2 } = options;
  let known: Head | undefined;

  /** Closes the head's file in favour of the next one; undefined: find the head again. */
  async function moveOn(
    head: Head,
    today: string,
    spend: (error: unknown) => Promise<void>,
  ): Promise<Head | undefined> {
    const listed = await files.list();
    // Another instance was faster and has written the next file.
    if (listed.some(({ name, size }) => name === head.file && size > head.position)) return undefined;
    const file = fileAfter(head.file, today);
    await files.create(file);
    const { line, end } = formatRecord(head, { next: file }, { id: options.newId(), time: options.now() });
    const outcome = await appendAt(files, head, line, spend);
    if (outcome === undefined) return undefined;
    const start = { file, position: 0, blocks: 0, midLine: false };
    // A full file cannot be closed any more; verification reports that it is not.
    return outcome === 'full' ? { ...start, seq: head.seq, hash: head.hash } : { ...start, ...end };
  }

  return async (entries) => {
    let failures = 0;
    const spend = async (error: unknown) => {
      failures += 1;
      if (failures > maxFailures) throw error;
      await options.sleep(50 * failures * options.random());
    };
    // Ids are given once: they stay with the entries through every try.
    const identified = entries.map((entry) => ({ entry, id: options.newId() }));

    for (let round = 1; round <= maxRounds; round += 1) {
      const today = dayOf(options.now());
      known ??= await findHead(files, today);
      const head: Head = known;
      const isFull = head.blocks >= maxBlocks - 1;
      if (isFull || (parseFileName(head.file)?.day ?? today) < today) {
        known = await moveOn(head, today, spend);
      } else {
        const { text, end, receipts } = formatRecords(head, identified, options.now());
        const outcome = await appendAt(files, head, text, spend);
        if (outcome === 'full') {
          known = { ...head, file: fileAfter(head.file, today), position: 0, blocks: 0, midLine: false };
          continue;
        }
        known = outcome && { ...outcome, ...end, file: head.file, midLine: false };
        if (outcome) return receipts;
      }
      if (!known) await options.sleep(Math.min(100, 5 * round) * options.random());
    }
    throw new Error(`Other writers were faster ${maxRounds} times in a row.`);
  };
}

/** Appends at the head; undefined: the chain ends elsewhere by now, nothing of this was written. */
async function appendAt(files: AuditFiles, head: Head, text: string, spend: (error: unknown) => Promise<void>) {
  const bytes = Buffer.from(head.midLine ? `\n${text}` : text);
  let isCreated = false;
  for (;;) {
    const outcome = await files.append(head.file, head.position, bytes);
    switch (outcome.result) {
      case 'appended':
        return { position: head.position + bytes.length, blocks: outcome.blocks };
      case 'moved': {
        const there = await files.read(head.file, head.position, head.position + bytes.length);
        if (!there?.bytes.equals(bytes)) return undefined;
        return { position: head.position + bytes.length, blocks: there.blocks };
      }
      case 'absent':
        if (head.position > 0) return undefined;
        if (isCreated) throw new Error(`${head.file} was made and is gone at once.`);
        await files.create(head.file);
        isCreated = true;
        break;
      case 'full':
        return 'full' as const;
      case 'unknown':
        await spend(outcome.error);
    }
  }
}

function formatRecords(
  head: Head,
  entries: readonly { readonly entry: AuditEntry; readonly id: string }[],
  time: Date,
): { readonly text: string; readonly end: ChainEnd; readonly receipts: readonly AuditReceipt[] } {
  const receipts: AuditReceipt[] = [];
  let end: ChainEnd = head;
  let text = '';
  for (const { entry, id } of entries) {
    const record = formatRecord(end, { entry }, { id, time });
    end = record.end;
    text += record.line;
    receipts.push({ file: head.file, ...end });
  }
  return { text, end, receipts };
}

/** Where the next record goes. */
interface Head extends ChainEnd {
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
 * A damaged end does not stop the trail. The next record carries the hash of the damaged bytes, so that verification reports the
 * damage and nothing after it.
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
