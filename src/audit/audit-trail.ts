import { describeError } from '../azure/failure.ts';
import { getMessage } from '../errors/errors.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import type { AuditFiles } from './audit-client.ts';
import { type ChainWriterOptions, createChainWriter } from './chain-writer.ts';
import type { AuditEntry, AuditReceipt } from './record.ts';

/** `failed` has the reason in words that callers may see; the trail may still have the entry. */
export type AuditOutcome = { readonly written: AuditReceipt } | { readonly failed: string };

/**
 * Appends an entry to the trail.
 *
 * Never throws, and returns within `timeoutMs` milliseconds, because an action must not wait for its audit record.
 * After the timeout the trail still writes the entry, but the caller gets no receipt.
 *
 * Appends at least once: readers deduplicate by id.
 */
export type RecordAudit = (entry: AuditEntry, timeoutMs: number) => Promise<AuditOutcome>;

/** How long an action waits for its audit record, in milliseconds. Break-glass must not be delayed. */
export const AUDIT_WAIT_MS = 5_000;
export const BREAK_GLASS_AUDIT_WAIT_MS = 2_000;

/** Size above which an entry is written without its details, in bytes; Azure accepts appends of at most 4 MiB. */
const MAX_ENTRY_BYTES = 512 * 1024;
const MAX_BATCH_BYTES = 2 * 1024 * 1024;

interface Waiting {
  readonly entry: AuditEntry;
  readonly bytes: number;
  readonly answer: (outcome: AuditOutcome) => void;
}

/**
 * Creates the trail, once per process. Entries that arrive during an append share the next append. Logs every receipt,
 * and every entry that it could not write.
 */
export function createAuditTrail(files: AuditFiles, options: ChainWriterOptions, log: Log): RecordAudit {
  const write = createChainWriter(files, options);
  const waiting: Waiting[] = [];
  let isWriting = false;

  const failed = (error: unknown, entries: readonly AuditEntry[]): void => {
    const message = `${REASONS.AuditFailed} ${describeError(error)}`;
    for (const entry of entries) log({ level: 'error', reason: 'AuditFailed', message, entry });
  };
  const wrote = ({ action, resource, id }: AuditEntry, { file, seq, hash }: AuditReceipt): void => {
    const about = { action, key: resource, entry: id, file, receipt: `${seq}:${hash}` };
    log({ level: 'info', reason: 'AuditWritten', message: REASONS.AuditWritten, ...about });
  };
  const append = async (batch: readonly Waiting[]): Promise<void> => {
    const entries = batch.map(({ entry }) => entry);
    try {
      const receipts = await write(entries);

      for (const [index, { entry, answer }] of batch.entries()) {
        const written = receipts[index];
        if (written) wrote(entry, written);
        answer(written ? { written } : { failed: 'The audit trail returned no receipt.' });
      }
    } catch (error) {
      failed(error, entries);
      for (const { answer } of batch) {
        answer({ failed: `The app could not write the audit trail: ${getMessage(error)}` });
      }
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
      failed(error, [entry]);
      return { failed: 'The app cannot serialize the entry as JSON.' };
    }

    return new Promise<AuditOutcome>((resolve) => {
      const failed = `The audit trail did not answer within ${timeoutMs} ms; the app still tries to write the entry.`;
      const timer = setTimeout(() => resolve({ failed }), timeoutMs);
      const answer = (outcome: AuditOutcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      waiting.push({ ...prepared, answer });
      drain();
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

/** Copies the entry, because the caller may change its object before the append. */
function prepare(entry: AuditEntry): { entry: AuditEntry; bytes: number } {
  const text = JSON.stringify(entry);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_ENTRY_BYTES) return { entry: JSON.parse(text) as AuditEntry, bytes };
  return prepare({ ...entry, details: { omitted: `${bytes} bytes exceed the limit; the log has the details.` } });
}
