import { z } from 'zod';
import { parseJson } from '../azure/parse-json.ts';
import type { AuditReceipt } from './record.ts';

const RECEIPT = /^([1-9]\d{0,14}):([0-9a-f]{64})$/;
const receipt = z
  .string()
  .regex(RECEIPT)
  .transform((text) => {
    const [, seq, hash = ''] = RECEIPT.exec(text) ?? [];
    return { seq: Number(seq), hash };
  });
const RECORD = z.discriminatedUnion('reason', [
  z.object({ reason: z.literal('AuditWritten'), receipt }),
  z.object({ reason: z.literal('AuditTrailVerified'), receipt, file: z.string() }),
]);

/** Parses the app's records from an export of the log: a record per line, with any text around it. */
export function readLogEvidence(text: string) {
  const receipts = new Map<number, string>();

  /** Ends of the trail at each drift check's verification. */
  const ends: AuditReceipt[] = [];

  for (const line of text.split('\n')) {
    const record = RECORD.safeParse(recordIn(line)).data;
    if (record?.reason === 'AuditWritten') receipts.set(record.receipt.seq, record.receipt.hash);
    else if (record) ends.push({ file: record.file, ...record.receipt });
  }

  // Last record that the app has verified against the log, which is complete up to that record.
  const loggedTo = ends.length > 0 ? Math.max(...ends.map(({ seq }) => seq)) : undefined;

  return { receipts: [...receipts].map(([seq, hash]) => ({ seq, hash })), ends, loggedTo };
}

function recordIn(line: string): unknown {
  const from = line.indexOf('{');
  const to = line.lastIndexOf('}');
  if (from === -1 || to < from) return undefined;
  const json = line.slice(from, to + 1);
  // A CSV export doubles the quotes within a field.
  return parseJson(json) ?? parseJson(json.replaceAll('""', '"'));
}
