import { setTimeout as sleep } from 'node:timers/promises';
import { formatDay } from '../formats/duration.ts';
import type { AuditFiles } from './audit-client.ts';
import { compareFileNames, filterTrailFiles, formatFileName, nameFileAfter, parseFileName } from './file-name.ts';
import { LINE_FEED, readFileBackwards } from './lines.ts';
import {
  type AuditEntry,
  type AuditReceipt,
  CHAIN_START,
  type ChainEnd,
  formatRecord,
  hashSha256,
  MOST_RECORDS,
  parseRecord,
} from './record.ts';

/** Maximum number of blocks in an append blob. Source: Azure Storage, scalability targets of Blob storage. */
const MAX_BLOCKS = 50_000;
/** Maximum number of conflicts with other writers. */
const MOST_ROUNDS = 50;

export interface ChainWriterOptions {
  readonly now: () => Date;
  readonly newId: () => string;
  readonly maxBlocks?: number;
  /** Maximum number of attempts without an answer, beyond the storage client's own retries. */
  readonly maxFailures?: number;
}

/** Appends entries in a single block. Calls must not overlap. */
type WriteChain = (entries: readonly AuditEntry[]) => Promise<readonly AuditReceipt[]>;

/**
 * Appends to an unbroken chain from any number of instances without a lease. Each append has the expected file length
 * as a condition, so Azure rejects all but the first of several writers. The others read the new end and retry.
 *
 * If the answer to an append is lost, its result is indeterminate. The writer then appends the same bytes at the same
 * position again. If Azure rejects that append, the writer reads the bytes at that position to identify their writer,
 * so it writes nothing twice.
 *
 * When the chain continues in another file, the writer first appends a closing record to the old file, under the same
 * condition. So a writer with a slow clock cannot fork the chain in the old file. (Only the very first record has no
 * condition beyond its own file.)
 */
export function createChainWriter(files: AuditFiles, options: ChainWriterOptions): WriteChain {
  const { maxBlocks = MAX_BLOCKS, maxFailures = 2 } = options;
  let known: Head | undefined;

  /** Closes the head's file with a record that names the next file; undefined: the head has moved, so find it again. */
  async function moveOn(
    head: Head,
    today: string,
    spend: (error: unknown) => Promise<void>,
  ): Promise<Head | undefined> {
    const listed = await files.list();

    // Another instance has already written the next file.
    if (listed.some(({ name, size }) => name === head.file && size > head.position)) return undefined;

    const file = nameFileAfter(head.file, today);

    await files.create(file);

    const { line, end } = formatRecord(head, { next: file }, { id: options.newId(), time: options.now() });
    const outcome = await appendAt(files, head, line, spend);
    if (outcome === undefined) return undefined;

    const start = { file, position: 0, blocks: 0, midLine: false };

    // A full file accepts no closing record; verification reports that the file is not closed.
    return outcome === 'full' ? { ...start, seq: head.seq, hash: head.hash } : { ...start, ...end };
  }

  return async (entries) => {
    let failures = 0;
    const spend = async (error: unknown) => {
      failures += 1;
      if (failures > maxFailures) throw error;
      await sleep(50 * failures * Math.random());
    };

    // Each entry keeps its id through every attempt.
    const identified = entries.map((entry) => ({ entry, id: options.newId() }));

    for (let round = 1; round <= MOST_ROUNDS; round += 1) {
      const today = formatDay(options.now());
      known ??= await findHead(files, today);

      const head: Head = known;
      const isFull = head.blocks >= maxBlocks - 1;
      if (isFull || (parseFileName(head.file)?.day ?? today) < today) {
        known = await moveOn(head, today, spend);
      } else {
        const { text, end, receipts } = formatRecords(head, identified, options.now());
        const outcome = await appendAt(files, head, text, spend);
        if (outcome === 'full') {
          known = { ...head, file: nameFileAfter(head.file, today), position: 0, blocks: 0, midLine: false };
          continue;
        }

        known = outcome && { ...outcome, ...end, file: head.file, midLine: false };

        if (outcome) return receipts;
      }

      // Random, so that writers that collided do not collide again.
      if (!known) await sleep(Math.min(100, 5 * round) * Math.random());
    }

    throw new Error(`Other writers appended first ${MOST_ROUNDS} times in a row.`);
  };
}

/** Appends at the head; undefined: the chain now ends elsewhere, and nothing was written. */
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
        if (isCreated) throw new Error(`${head.file} was created and deleted immediately.`);

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

/** Position of the next record. */
interface Head extends ChainEnd {
  readonly file: string;
  /** Length of the file in bytes; the next append requires exactly this length. */
  readonly position: number;
  readonly blocks: number;
  /** The file ends within a line because of damage: the next record starts with a line feed. */
  readonly midLine: boolean;
}

/** Most bytes to read from a file's end: a forger may append gigabytes without a line feed. */
const MOST_TAIL_BYTES = 16 * 1024 * 1024;

/**
 * Finds the end of the chain with a list request and the last bytes of the last file.
 *
 * A damaged end does not stop the trail. The next record has the hash of the damaged bytes, so verification reports
 * only the damage.
 *
 * @param today day in UTC, for the very first file
 */
export async function findHead(files: AuditFiles, today: string): Promise<Head> {
  const listed = filterTrailFiles(await files.list()).filter(({ name }) => isOfWriter(name, today));
  const last = listed.filter(({ size }) => size > 0).at(-1);
  const start = { position: 0, blocks: 0, midLine: false };
  if (!last) return { ...CHAIN_START, ...start, file: listed[0]?.name ?? formatFileName({ day: today, part: 0 }) };
  const { next, ...end } = await readEnd(files, last.name, last.size);
  if (next !== undefined && mayFollow(next, last.name, today)) return { ...end, ...start, file: next };
  return last.appendable ? { ...end, file: last.name } : { ...end, ...start, file: nameFileAfter(last.name, today) };
}

/** Whether a record may name this file as the next file of the chain. */
function mayFollow(next: string, last: string, today: string): boolean {
  return compareFileNames(next, last) > 0 && isOfWriter(next, today);
}

const MOST_PARTS = 100_000;

/**
 * Whether a writer can have created the file. A forged file with a future date would capture all records until then.
 */
function isOfWriter(name: string, today: string): boolean {
  const { day, part } = parseFileName(name) ?? { day: '', part: MOST_PARTS };
  // A writer's clock may be a few minutes fast.
  return part < MOST_PARTS && day <= formatDay(new Date(Date.parse(`${today}T23:59:59Z`) + 10 * 60_000));
}

/** Reads back to the last record that the trail can have written. Each damaged line after it counts as a record. */
async function readEnd(
  files: AuditFiles,
  name: string,
  size: number,
): Promise<Omit<Head, 'file'> & { readonly next?: string | undefined }> {
  let place = { position: size, blocks: 0, midLine: false };
  let hash: string | undefined;
  let damaged = 0;
  let read = 0;

  for await (const { lines, slice } of readFileBackwards(files, name, size)) {
    if (read === 0) place = { ...place, blocks: slice.blocks, midLine: slice.bytes.at(-1) !== LINE_FEED };

    for (const { bytes } of lines) {
      const record = parseRecord(bytes);
      const isBelievable = record?.intact && record.seq < MOST_RECORDS;
      hash ??= isBelievable ? record.hash : hashSha256(bytes);

      if (isBelievable) {
        return { ...place, seq: record.seq + damaged, hash, next: damaged === 0 ? record.next : undefined };
      }

      damaged += 1;
    }

    read += slice.bytes.length;
    if (read >= MOST_TAIL_BYTES) break;
  }

  return { ...place, seq: damaged, hash: hash ?? CHAIN_START.hash };
}
