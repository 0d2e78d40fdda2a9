import { compareFileNames, parseFileName } from './file-name.ts';
import { type AuditReceipt, type AuditRecord, CHAIN_START, MOST_RECORDS, parseRecord } from './record.ts';

const CHAIN_FINDINGS = {
  LineUnreadable: 'The line is not a record: it was damaged, cut off or inserted.',
  LineChanged: 'The line was changed after it was written: its hash does not match its text.',
  LineMissing: 'Records are missing before this line.',
  LineMoved: 'The record follows a record that was written later.',
  LineRepeated: 'The record appears twice.',
  LineAfterClose: 'A record follows the closing record of the file.',
  ChainBroken: 'The record does not continue the record before it: one of the two records was rewritten.',
  StartMissing: 'The chain does not start with its first record.',
  FileMissing: 'A file of the chain is missing or was emptied.',
  FileNotClosed: 'The chain continues in another file, but this file has no closing record: its end is missing.',
  FileReplaced: 'The file is not an append blob, so the app did not write it.',
  FileUnknown: 'The app does not use this file name for the trail.',
  ReceiptMissing: 'The trail lacks the record of a receipt.',
  ReceiptDiffers: 'The record of a receipt was rewritten.',
  RecordUnreceipted:
    'The log has no receipt of the record: it was forged, or the command line wrote it, or the app stopped right after the write.',
  EndMissing: 'The trail lacks the record at which the last verification ended.',
  EndDiffers: 'The record at which the last verification ended was rewritten, and the trail up to it.',
} as const;

export interface ChainFinding {
  readonly reason: keyof typeof CHAIN_FINDINGS;
  readonly file: string;
  /** Line number, from 1; absent when the finding is about the file. */
  readonly line?: number;
  readonly message: string;
}

export interface ChainReport {
  readonly findings: readonly ChainFinding[];
  readonly records: number;
  /** The last record. If you store it elsewhere, the next verification can detect a cut-off end. */
  readonly last: AuditReceipt | undefined;
  /** Number of records after the last record whose receipt is in the log; absent: no log was given. */
  readonly unlogged?: number;
}

export interface VerifyOptions {
  /** Receipts from the log or from answers. A chain alone cannot show that its end was cut off. */
  readonly receipts?: readonly Pick<AuditReceipt, 'seq' | 'hash'>[];
  /** Receipts from the log: the log has a receipt for every record between the first and the last of them. */
  readonly allReceipts?: readonly Pick<AuditReceipt, 'seq' | 'hash'>[];
  /** Last record up to which the log is complete, beyond the last of its receipts. */
  readonly loggedTo?: number | undefined;
  /**
   * Ends of the chain at earlier verifications. Unlike receipts, the trail must have them wherever the chain starts.
   */
  readonly ends?: readonly AuditReceipt[];
  /** The chain may start with any record, because older files were deleted on purpose. */
  readonly anyStart?: boolean;
}

/** Checks a chain line by line; the caller must supply files oldest first. */
export class ChainVerifier {
  readonly #options: VerifyOptions;
  readonly #findings: ChainFinding[] = [];
  readonly #ids = new Set<string>();
  readonly #receipts: Map<number, string>;
  readonly #ends: Map<number, AuditReceipt>;
  readonly #given: ReadonlySet<number>;
  /** Record numbers with a receipt in the log, and the first and last of these numbers. */
  readonly #logged: { readonly seqs: ReadonlySet<number>; readonly from: number; readonly to: number };
  #records = 0;
  #file = '';
  #line = 0;
  #first: number | undefined;
  /** The last record in order; without a hash, the next record may follow any record. */
  #last: { seq: number; hash: string | undefined } = CHAIN_START;
  #lastReceipt: AuditReceipt | undefined;
  #damaged = 0;
  /** The file of the last line, and the next file that its closing record names. */
  #current: { file: string; next: string | undefined } | undefined;

  constructor(options: VerifyOptions = {}) {
    this.#options = options;
    const logged = options.allReceipts ?? [];
    this.#receipts = new Map([...(options.receipts ?? []), ...logged].map(({ seq, hash }) => [seq, hash]));
    this.#given = new Set(options.receipts?.map(({ seq }) => seq));
    this.#ends = new Map(options.ends?.map((end) => [end.seq, end]));
    const seqs = logged.map(({ seq }) => seq);
    const [from, to] = seqs.reduce(([least, most], seq) => [Math.min(least, seq), Math.max(most, seq)], [Infinity, 0]);
    this.#logged = { seqs: new Set(seqs), from, to: Math.max(to, options.loggedTo ?? 0) };
  }

  file(name: string, appendable = true): void {
    this.#file = name;
    this.#line = 0;
    if (!parseFileName(name)) this.#find('FileUnknown');
    else if (!appendable) this.#find('FileReplaced');
  }

  /**
   * Checks the next line of the file, without its line feed; `ended`: the line had a line feed.
   *
   * @returns the line's record, unless it is damaged
   */
  line(bytes: Uint8Array, ended = true): AuditRecord | undefined {
    this.#line += 1;
    this.#enterFile();
    const record = parseRecord(bytes);
    if (!record || !ended) {
      this.#damage('LineUnreadable');
      return undefined;
    }
    this.#take(record);
    return record.intact ? record : undefined;
  }

  finish(): ChainReport {
    for (const [seq] of this.#receipts) {
      if (this.#options.anyStart && seq < (this.#first ?? 0)) continue;
      const message = `The trail lacks record ${seq}, which has a receipt.`;
      this.#findings.push({ reason: 'ReceiptMissing', file: this.#file, message });
    }

    for (const { seq, file } of this.#ends.values()) {
      const message = `The trail lacks record ${seq}, at which an earlier verification ended: the end was cut off, or the file of its day is missing.`;
      this.#findings.push({ reason: 'EndMissing', file, message });
    }

    this.#findings.sort((a, b) => compareFileNames(a.file, b.file) || (a.line ?? 0) - (b.line ?? 0));

    const { seqs, to } = this.#logged;
    const unlogged = seqs.size > 0 ? { unlogged: Math.max(0, (this.#lastReceipt?.seq ?? 0) - to) } : {};

    return { findings: this.#findings, records: this.#records, last: this.#lastReceipt, ...unlogged };
  }

  /** The next file of the chain, if the last file was closed. */
  get next(): string | undefined {
    return this.#current?.next;
  }

  absent(name: string): void {
    this.#missingFile(this.#current?.file ?? name, name);
  }

  #missingFile(file: string, next: string): void {
    const message = `The chain continues in ${next}, which is missing or was emptied.`;
    this.#findings.push({ reason: 'FileMissing', file, message });
  }

  #enterFile(): void {
    const previous = this.#current;
    if (previous?.file === this.#file) return;
    this.#current = { file: this.#file, next: undefined };
    if (!previous || previous.next === this.#file) return;
    const { file, next } = previous;
    if (next !== undefined) this.#missingFile(file, next);
    else this.#findings.push({ reason: 'FileNotClosed', file, message: CHAIN_FINDINGS.FileNotClosed });
  }

  #take(record: AuditRecord): void {
    this.#records += 1;

    if (this.#current?.next !== undefined) this.#find('LineAfterClose');

    if (!record.intact || record.seq - this.#last.seq >= MOST_RECORDS) {
      this.#damage(record.intact ? 'LineUnreadable' : 'LineChanged');
      return;
    }

    const isRepeated = this.#ids.has(record.id);

    this.#ids.add(record.id);

    if (isRepeated) this.#find('LineRepeated');
    if (record.next !== undefined && this.#current) this.#current.next = record.next;

    this.#compareReceipt(record);
    this.#compareEnd(record);
    this.#place(record, isRepeated);
  }

  #place(record: AuditRecord, isRepeated: boolean): void {
    const { seq, prev, hash } = record;
    if (this.#first === undefined) this.#start(seq);

    const { seq: last, hash: lastHash } = this.#last;
    if (seq <= last) {
      if (!isRepeated) this.#find('LineMoved');
      return;
    }

    // Each damaged line since then may be a damaged record or an inserted line.
    const expected = last + 1 + this.#damaged;
    if (seq > expected) {
      const which = expected === seq - 1 ? `Record ${expected} is` : `Records ${expected} to ${seq - 1} are`;
      this.#find('LineMissing', `${which} missing before this line.`);
    } else if (seq === last + 1 && lastHash !== undefined && prev !== lastHash) {
      this.#find('ChainBroken');
    }

    this.#damaged = 0;
    this.#last = { seq, hash };
    this.#lastReceipt = { file: this.#file, seq, hash };
  }

  #start(seq: number): void {
    this.#first = seq;
    if (seq <= 1 + this.#damaged) return;
    if (!this.#options.anyStart) this.#find('StartMissing');
    this.#last = { seq: seq - 1, hash: undefined };
  }

  #damage(reason: 'LineUnreadable' | 'LineChanged'): void {
    this.#find(reason);
    this.#damaged += 1;
  }

  #compareReceipt(record: AuditRecord): void {
    const expected = this.#receipts.get(record.seq);
    if (expected === undefined) return;
    this.#receipts.delete(record.seq);
    if (expected !== record.hash) this.#find('ReceiptDiffers');
  }

  #compareEnd({ seq, hash, entry }: AuditRecord): void {
    const end = this.#ends.get(seq);
    this.#ends.delete(seq);
    if (end && end.hash !== hash) this.#find('EndDiffers');
    const { seqs, from, to } = this.#logged;
    if (entry && seq >= from && seq <= to && !seqs.has(seq) && !this.#given.has(seq)) this.#find('RecordUnreceipted');
  }

  #find(reason: ChainFinding['reason'], message: string = CHAIN_FINDINGS[reason]): void {
    const line = this.#line > 0 ? { line: this.#line } : {};
    this.#findings.push({ reason, file: this.#file, ...line, message });
  }
}
