import { setTimeout as sleep } from 'node:timers/promises';
import { describe, describeFailure } from '../azure/failure.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { AuditFiles } from './audit-files.ts';
import { type ChainWriterOptions, chainWriter } from './chain-writer.ts';
import { findEntry, seenBefore } from './find-entry.ts';
import type { AuditEntry, AuditReceipt } from './record.ts';

/** `failed` says why in words that may be shown to a caller; an entry reported so may still have been written. */
export type AuditOutcome = { readonly written: AuditReceipt } | { readonly failed: string };

/**
 * Puts one entry into the trail.
 *
 * Never throws, and answers within `timeoutMs` milliseconds: what is being audited must not wait for its audit. An
 * entry whose time is up is still written as soon as possible; only the caller does not learn of it.
 *
 * An entry is written at least once: readers drop duplicates by its id. With `unlessSince`, the trail is first looked through
 * from that time on for an entry with the same id; if there is one, its receipt is the answer and nothing is written, and when
 * the time is up before that is known, nothing is written.
 */
export type RecordAudit = (entry: AuditEntry, timeoutMs: number, unlessSince?: Date) => Promise<AuditOutcome>;

/** How long a use-case waits for its record; break-glass, which nothing may hold up; and an entry that is first searched for. Milliseconds. */
export const AUDIT_WAIT_MS = 5_000;
export const BREAK_GLASS_AUDIT_WAIT_MS = 2_000;
export const AUDIT_SEARCH_MS = 15_000;

export interface AuditTrailOptions extends ChainWriterOptions {
  /** Told of everything that could not be written, with the entries, so that the log has them at least. */
  readonly onFailure?: (error: unknown, entries: readonly AuditEntry[]) => void;
  /** Told of every record that was written, so that the log has its receipt. */
  readonly onWritten?: (entry: AuditEntry, receipt: AuditReceipt) => void;
  /** Entries that may wait for the storage to answer; further ones are refused. */
  readonly maxWaiting?: number;
}

/** An entry larger than this is written without its details. In bytes; an append takes 4 MiB at most. */
const MAX_ENTRY_BYTES = 512 * 1024;
const MAX_BATCH_BYTES = 2 * 1024 * 1024;

interface Waiting {
  readonly entry: AuditEntry;
  readonly bytes: number;
  readonly settle: (outcome: AuditOutcome) => void;
}

/** One per process. Entries that arrive while an append is under way go together into the next one. */
export function auditTrail(files: AuditFiles, options: AuditTrailOptions): RecordAudit {
  const { maxWaiting = 1_000, onFailure = () => {}, onWritten = () => {} } = options;
  const line = new WaitingLine(chainWriter(files, options), onFailure, onWritten);

  return async (entry, timeoutMs, unlessSince) => {
    let prepared: Pick<Waiting, 'entry' | 'bytes'>;
    try {
      prepared = prepare(entry);
    } catch (error) {
      onFailure(error, [entry]);
      return { failed: 'The entry is not JSON.' };
    }
    if (line.length >= maxWaiting) {
      onFailure(new Error('too many entries wait'), [entry]);
      return { failed: `The audit trail is stuck: ${maxWaiting} entries wait already.` };
    }
    return new Promise<AuditOutcome>((resolve) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        resolve({ failed: `The audit trail did not answer within ${timeoutMs} ms; the entry is still tried.` });
      }, timeoutMs);
      const settle = (outcome: AuditOutcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      if (unlessSince === undefined || entry.id === undefined) {
        line.join({ ...prepared, settle });
        return;
      }
      // Most of it is read before its turn: the line must not wait for that.
      findEntry(files, entry.id, seenBefore(unlessSince)).then(
        (result) => {
          if ('found' in result) settle({ written: receiptOf(result.found) });
          else if (!isLate) line.join({ ...prepared, settle });
        },
        (error: unknown) => {
          onFailure(error, [entry]);
          settle({ failed: `The audit trail cannot be read: ${messageOf(error)}` });
        },
      );
    });
  };
}

class WaitingLine {
  readonly #write: ReturnType<typeof chainWriter>;
  readonly #onFailure: NonNullable<AuditTrailOptions['onFailure']>;
  readonly #onWritten: NonNullable<AuditTrailOptions['onWritten']>;
  readonly #waiting: Waiting[] = [];
  #writing = false;

  constructor(
    write: ReturnType<typeof chainWriter>,
    onFailure: NonNullable<AuditTrailOptions['onFailure']>,
    onWritten: NonNullable<AuditTrailOptions['onWritten']>,
  ) {
    this.#write = write;
    this.#onFailure = onFailure;
    this.#onWritten = onWritten;
  }

  get length(): number {
    return this.#waiting.length;
  }

  join(one: Waiting): void {
    this.#waiting.push(one);
    void this.#drain();
  }

  async #drain(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#waiting.length > 0) await this.#append(takeBatch(this.#waiting));
    this.#writing = false;
  }

  async #append(batch: readonly Waiting[]): Promise<void> {
    const entries = batch.map(({ entry }) => entry);
    try {
      const receipts = await this.#write(entries);
      for (const [index, { entry, settle }] of batch.entries()) {
        const written = receipts[index];
        if (written) this.#onWritten(entry, written);
        settle(written ? { written } : { failed: 'The audit trail gave no receipt.' });
      }
    } catch (error) {
      this.#onFailure(error, entries);
      for (const { settle } of batch) settle({ failed: `The audit trail cannot be written: ${messageOf(error)}` });
    }
  }
}

function receiptOf({ file, seq, hash }: AuditReceipt): AuditReceipt {
  return { file, seq, hash };
}

function takeBatch(waiting: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const next of waiting) {
    bytes += next.bytes;
    if (count > 0 && bytes > MAX_BATCH_BYTES) break;
    count += 1;
  }
  return waiting.splice(0, count);
}

/** A copy of the entry as it is now: the caller may change its object while the entry waits. */
function prepare(entry: AuditEntry): { entry: AuditEntry; bytes: number } {
  const text = JSON.stringify(entry);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_ENTRY_BYTES) return { entry: JSON.parse(text) as AuditEntry, bytes };
  const short: AuditEntry = { ...entry, details: { omitted: `${bytes} bytes are too many; the log has them.` } };
  return { entry: JSON.parse(JSON.stringify(short)) as AuditEntry, bytes: Buffer.byteLength(JSON.stringify(short)) };
}

/** The trail of this process: what is written and what fails is told to the log. */
export function createAudit(
  files: AuditFiles,
  { now, newId }: { readonly now: () => Date; readonly newId: () => string },
  log: Log,
): RecordAudit {
  return auditTrail(files, {
    now,
    newId,
    sleep: (ms) => sleep(ms),
    random: Math.random,
    onWritten: ({ action, resource, id }, { file, seq, hash }) => {
      const about = { action, key: resource, entry: id, file, receipt: `${seq}:${hash}` };
      log({ level: 'info', reason: 'AuditWritten', message: REASONS.AuditWritten, ...about });
    },
    onFailure: (error, entries) => {
      const message = `${REASONS.AuditFailed} ${describe(describeFailure(error))}`;
      for (const entry of entries) log({ level: 'error', reason: 'AuditFailed', message, entry });
    },
  });
}
