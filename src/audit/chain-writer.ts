import { dayOf } from '../time/duration.ts';
import type { AuditFiles } from './audit-files.ts';
import { fileAfter, parseFileName } from './file-name.ts';
import { findHead, type Head } from './head.ts';
import { type AuditEntry, type AuditReceipt, type ChainEnd, formatRecord } from './record.ts';

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
 * An answer that is lost leaves open whether the block was taken. The same bytes are then appended again at the same
 * place: if that is refused, the bytes that stand there tell whose block it was. So nothing is written twice.
 *
 * Before the chain goes on in another file (a new day, or a full file) a closing record that names it is appended to
 * the old one, under the same condition; so no writer with a slow clock can fork the chain by staying behind. (Only the
 * very first record of all has nothing to be conditional on but its own file.)
 */
export function chainWriter(files: AuditFiles, options: ChainWriterOptions): WriteChain {
  const { maxBlocks = MAX_BLOCKS, maxRounds = 50, maxFailures = 2 } = options;
  let known: Head | undefined;

  /** Closes the head's file in favour of the next one; undefined: look for the head again. */
  async function moveOn(
    head: Head,
    today: string,
    spend: (error: unknown) => Promise<void>,
  ): Promise<Head | undefined> {
    const listed = await files.list();
    // Somebody else was faster: what stands in the next file is theirs.
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
