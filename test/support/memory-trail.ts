import type { AuditFiles } from '../../src/audit/audit-client.ts';
import type { RecordAudit } from '../../src/audit/audit-trail.ts';
import { type AuditEntry, CHAIN_START, formatRecord } from '../../src/audit/record.ts';
import { formatDay } from '../../src/formats/duration.ts';

/** The audit trail as its readers find it: a hash chain in files by day, kept in memory. */
export class MemoryTrail {
  readonly entries: AuditEntry[] = [];
  readonly #files = new Map<string, string>();
  readonly #now: () => Date;
  #end = CHAIN_START;

  constructor(now: () => Date) {
    this.#now = now;
  }

  audit: RecordAudit = async (entry) => {
    this.#append(entry);
    return { written: { file: 'trail', seq: this.#end.seq, hash: this.#end.hash } };
  };

  /** As if it had never been written. @returns what it had */
  forget(): AuditEntry[] {
    this.#files.clear();
    this.#end = CHAIN_START;
    return this.entries.splice(0);
  }

  /** Whether it can be read. */
  isOut = false;

  readonly files = {
    list: async () => {
      if (this.isOut) throw Object.assign(new Error('the storage is out of reach'), { statusCode: 503 });
      return [...this.#files].map(([name, text]) => ({ name, size: Buffer.byteLength(text), appendable: true }));
    },
    read: async (name: string, from: number, to?: number) => {
      const bytes = Buffer.from(this.#files.get(name) ?? '');
      return { bytes: bytes.subarray(from, to), size: bytes.length, blocks: 1 };
    },
  } as unknown as AuditFiles;

  #append(entry: AuditEntry): void {
    this.entries.push(entry);
    const time = this.#now();
    const { line, end } = formatRecord(this.#end, { entry }, { id: `r${this.#end.seq}`, time });
    this.#end = end;
    const name = `${formatDay(time)}.jsonl`;
    this.#files.set(name, (this.#files.get(name) ?? '') + line);
  }
}
