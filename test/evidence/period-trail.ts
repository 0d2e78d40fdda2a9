import type { AuditFiles } from '../../src/audit/audit-client.ts';
import {
  type AuditEntry,
  CHAIN_START,
  type ChainEnd,
  formatRecord,
  type RecordContent,
} from '../../src/audit/record.ts';

/** A trail over several days as the app writes it: one file a day, each closed by a record that names the next. */
export class PeriodTrail {
  readonly #files = new Map<string, Buffer[]>();
  #end: ChainEnd = CHAIN_START;
  #open: string | undefined;

  /** Appends an entry; times must not go back. */
  append(time: string | Date, entry: AuditEntry): void {
    const on = new Date(time);
    const file = `${on.toISOString().slice(0, 10)}.jsonl`;
    if (this.#open !== undefined && this.#open !== file) this.#write(this.#open, { next: file }, on);
    this.#open = file;
    this.#write(file, { entry }, on);
  }

  /** Changes a file as an intruder would. */
  tamper(file: string, change: (text: string) => string): void {
    this.#files.set(file, [Buffer.from(change(this.text(file)))]);
  }

  text(file: string): string {
    return Buffer.concat(this.#files.get(file) ?? []).toString();
  }

  get names(): string[] {
    return [...this.#files.keys()];
  }

  readonly files = {
    list: async () =>
      [...this.#files].map(([name, parts]) => ({
        name,
        size: parts.reduce((sum, { length }) => sum + length, 0),
        appendable: true,
      })),
    read: async (name: string, from: number, to: number) => {
      const parts = this.#files.get(name) ?? [];
      const whole = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
      this.#files.set(name, [whole]);
      return { bytes: whole.subarray(from, to), size: whole.length, blocks: 1 };
    },
  } as Partial<AuditFiles> as AuditFiles;

  #write(file: string, content: RecordContent, time: Date): void {
    const { line, end } = formatRecord(this.#end, content, { id: `r${this.#end.seq}`, time });
    this.#end = end;
    const parts = this.#files.get(file) ?? [];
    parts.push(Buffer.from(line));
    this.#files.set(file, parts);
  }
}
