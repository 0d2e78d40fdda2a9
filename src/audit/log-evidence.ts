import { z } from 'zod';
import { parseJson } from '../text.ts';
import type { AuditReceipt } from './record.ts';
import { SIGNED_HEAD, type SignedHead } from './signed-head.ts';

/** What the log knows of the trail. */
export interface LogEvidence {
  readonly receipts: readonly Pick<AuditReceipt, 'seq' | 'hash'>[];
  readonly heads: readonly SignedHead[];
  /** The last record that the app has looked at by the log: whatever it wrote up to there has its receipt in it. */
  readonly loggedTo: number | undefined;
}

const RECEIPT = /^([1-9]\d{0,14}):([0-9a-f]{64})$/;
const WRITTEN = z.object({ reason: z.literal('AuditWritten'), receipt: z.string().regex(RECEIPT) });
const KEPT = z.object({ reason: z.literal('AuditHeadKept'), head: SIGNED_HEAD });

/** Reads the app's records out of an export of the log: one a line, whatever stands before and behind it. */
export function readLogEvidence(text: string): LogEvidence {
  const receipts = new Map<number, string>();
  const heads: SignedHead[] = [];
  for (const line of text.split('\n')) {
    const record = recordIn(line);
    const receipt = RECEIPT.exec(WRITTEN.safeParse(record).data?.receipt ?? '');
    if (receipt) receipts.set(Number(receipt[1]), receipt[2] ?? '');
    const head = KEPT.safeParse(record).data?.head;
    if (head) heads.push(head);
  }
  const loggedTo = heads.length > 0 ? Math.max(...heads.map(({ seq }) => seq)) : undefined;
  return { receipts: [...receipts].map(([seq, hash]) => ({ seq, hash })), heads, loggedTo };
}

function recordIn(line: string): unknown {
  const [from, to] = [line.indexOf('{'), line.lastIndexOf('}')];
  if (from === -1 || to < from) return undefined;
  const json = line.slice(from, to + 1);
  // Exports as CSV double the quotes within a field.
  return parseJson(json) ?? parseJson(json.replaceAll('""', '"'));
}
