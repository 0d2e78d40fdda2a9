import type { ContainerClient } from '@azure/storage-blob';
import { createAuditFiles } from '../../src/audit/audit-client.ts';
import type { RecordAudit } from '../../src/audit/audit-trail.ts';
import { readLogEvidence } from '../../src/audit/log-evidence.ts';
import { type AuditReceipt, CHAIN_START, type ChainEnd, formatRecord, parseRecord } from '../../src/audit/record.ts';
import { type VerifyTrailOptions, verifySince, verifyTrail } from '../../src/audit/verify-trail.ts';
import { entry, newContainer, newTrail } from './trails.ts';

export const LIMIT = 20_000;

interface FoundAt {
  readonly file: string;
  readonly line?: number;
  readonly reason: string;
}
const told = (findings: readonly FoundAt[]): string[] =>
  findings.map(({ file, line, reason }) => `${file}${line ? `:${line}` : ''} ${reason}`);

/** A trail over three days with four records each, verified each night, and what the log has of it. */
export class Evidence {
  readonly container: ContainerClient;
  readonly log: object[] = [];
  /** Where the trail ended when it was verified last, as the drift report has it. */
  end: AuditReceipt | undefined;
  now = new Date('2026-11-24T03:00:00Z');
  readonly record: RecordAudit;

  constructor(connectionString: string) {
    this.container = newContainer(connectionString);
    this.record = newTrail(this.container, { now: () => this.now, log: (record) => this.log.push(record) });
  }

  async write(days: readonly string[], each = 4): Promise<void> {
    for (const day of days) {
      this.now = new Date(`${day}T03:00:00Z`);
      for (let n = 1; n <= each; n += 1) await this.record(entry(`${day}/${n}`), LIMIT);
      await this.look();
    }
  }

  /** What a drift check finds in what was appended since the last one that found nothing. */
  async look(): Promise<string[]> {
    const { findings, last } = await verifySince(createAuditFiles(this.container), this.end);
    if (findings.length === 0 && last) {
      this.end = last;
      this.log.push({ reason: 'AuditTrailVerified', file: last.file, receipt: `${last.seq}:${last.hash}` });
    }
    return told(findings);
  }

  /** `verify` of the trail alone, or with an export of the log. */
  async verify(from: 'chain' | 'log', options: VerifyTrailOptions = {}): Promise<string[]> {
    const logged = readLogEvidence(this.log.map((line) => `2026-11-26T00:00:00Z ${JSON.stringify(line)}`).join('\n'));
    const { ends, receipts: allReceipts, loggedTo } = logged;
    const known = from === 'log' ? { ends, allReceipts, loggedTo } : {};
    return told((await verifyTrail(createAuditFiles(this.container), { ...options, ...known })).findings);
  }

  async lines(day: string): Promise<string[]> {
    const text = (await this.container.getBlobClient(`${day}.jsonl`).downloadToBuffer()).toString();
    return text.split('\n').slice(0, -1);
  }

  async put(day: string, lines: readonly string[]): Promise<void> {
    const blob = this.container.getAppendBlobClient(`${day}.jsonl`);
    await blob.create();
    const text = lines.map((line) => `${line}\n`).join('');
    if (text !== '') await blob.appendBlock(text, Buffer.byteLength(text));
  }

  /** The whole trail anew, every hash right, with an entry changed. */
  async rewrite(days: readonly string[], change: (resource: string) => string): Promise<void> {
    let end: ChainEnd = CHAIN_START;

    for (const day of days) {
      const lines: string[] = [];
      for (const line of await this.lines(day)) {
        const record = parseRecord(Buffer.from(line));
        if (!record) throw new Error('The trail is right before it is rewritten.');

        const { id, time, entry: was, next } = record;
        const content = next === undefined ? { entry: entry(change(String(was?.resource))) } : { next };
        const made = formatRecord(end, content, { id, time: new Date(time) });

        end = made.end;
        lines.push(made.line.slice(0, -1));
      }

      await this.put(day, lines);
    }
  }
}
