import { setTimeout as sleep } from 'node:timers/promises';
import { describe, describeFailure } from '../azure/failure.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { AuditFiles } from './audit-files.ts';
import { type ChainWriterOptions, chainWriter } from './chain-writer.ts';
import type { AuditEntry, AuditReceipt } from './record.ts';

/** `failed` says why in words that may be shown to a caller; an entry reported so may still have been written. */
export type AuditOutcome = { readonly written: AuditReceipt } | { readonly failed: string };

/**
 * Puts one entry into the trail.
 *
 * Never throws, and answers within `timeoutMs` milliseconds: what is being audited must not wait for its audit. An
 * entry whose time is up is still written as soon as possible; only the caller does not learn of it.
 *
 * An entry is written at least once: readers drop duplicates by its id.
 */
export type RecordAudit = (entry: AuditEntry, timeoutMs: number) => Promise<AuditOutcome>;

/** How long a use-case waits for its record, and break-glass, which nothing may hold up. Milliseconds. */
export const AUDIT_WAIT_MS = 5_000;
export const BREAK_GLASS_AUDIT_WAIT_MS = 2_000;

export interface AuditTrailOptions extends ChainWriterOptions {
  /** Gets the entries that could not be written, so that at least the log has them. */
  readonly onFailure?: (error: unknown, entries: readonly AuditEntry[]) => void;
  /** Gets the receipt of every record that was written, for the log. */
  readonly onWritten?: (entry: AuditEntry, receipt: AuditReceipt) => void;
}

/** An entry larger than this is written without its details. In bytes; an append takes 4 MiB at most. */
const MAX_ENTRY_BYTES = 512 * 1024;
const MAX_BATCH_BYTES = 2 * 1024 * 1024;

interface Waiting {
  readonly entry: AuditEntry;
  readonly bytes: number;
  readonly answer: (outcome: AuditOutcome) => void;
}

/** One per process. Entries that arrive during an append go together into the next one. */
export function auditTrail(files: AuditFiles, options: AuditTrailOptions): RecordAudit {
  const { onFailure = () => {}, onWritten = () => {} } = options;
  const write = chainWriter(files, options);
  const waiting: Waiting[] = [];
  let isWriting = false;

  const append = async (batch: readonly Waiting[]): Promise<void> => {
    const entries = batch.map(({ entry }) => entry);
    try {
      const receipts = await write(entries);
      for (const [index, { entry, answer }] of batch.entries()) {
        const written = receipts[index];
        if (written) onWritten(entry, written);
        answer(written ? { written } : { failed: 'The audit trail gave no receipt.' });
      }
    } catch (error) {
      onFailure(error, entries);
      for (const { answer } of batch) answer({ failed: `The audit trail cannot be written: ${messageOf(error)}` });
    }
  };
  const drain = async (): Promise<void> => {
    if (isWriting) return;
    isWriting = true;
    while (waiting.length > 0) await append(takeBatch(waiting));
    isWriting = false;
  };

  return async (entry, timeoutMs) => {
    let prepared: Pick<Waiting, 'entry' | 'bytes'>;
    try {
      prepared = prepare(entry);
    } catch (error) {
      onFailure(error, [entry]);
      return { failed: 'The entry is not JSON.' };
    }
    return new Promise<AuditOutcome>((resolve) => {
      const failed = `The audit trail did not answer within ${timeoutMs} ms; the entry is still tried.`;
      const timer = setTimeout(() => resolve({ failed }), timeoutMs);
      const answer = (outcome: AuditOutcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      waiting.push({ ...prepared, answer });
      void drain();
    });
  };
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

/** The trail of this process. The log has what is written, and what fails. */
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
