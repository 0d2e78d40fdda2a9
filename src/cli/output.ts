import { styleText } from 'node:util';
import { csvLine } from '../csv.ts';
import type { ChecklistLine } from '../operations/account/checklist.ts';
import type { Entry, Progress, Report } from '../operations/journal.ts';
import { inShort } from '../time/duration.ts';
import type { Explanation } from './explain.ts';
import { NOTHING, tableLines } from './table.ts';
import { visible, visibleLines } from './visible.ts';

/** A place that lines go to. */
export interface Sink {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What `-o` takes. */
export const OUTPUTS = ['table', 'json', 'jsonl', 'csv'] as const;
/** `terminal` is a table with signs and colours; `lines` is for pipes. */
export type Format = 'terminal' | 'lines' | Exclude<(typeof OUTPUTS)[number], 'table'>;

/** A cell of a table; some have a short form, for a table that is not to be wide. */
export type Cell = string | number | undefined | { readonly full: string; readonly short: string };
/** A column of a list: a field, or a title and what a row has there. `wide`: only where it was asked for. */
export type Column<T> = (keyof T & string) | readonly [title: string, cell: (row: T) => Cell, wide?: 'wide'];
/** A column; `wide`: only where it was asked for. */
type Title = string | { readonly title: string; readonly wide: boolean };

interface OutputOptions {
  /** Tables have every column, in full. */
  readonly wide?: boolean | undefined;
  /** No progress. */
  readonly quiet?: boolean | undefined;
}

/** In a pipe a line says how far it is, and then none for so long. Milliseconds. */
const PROGRESS_LINE_MS = 10_000;
/** Characters of the bar. */
const BAR = 20;

/** Of every document; raised when something in it is taken away or means something else. */
export const DOCUMENT_VERSION = 1;

const SIGNS: Record<Entry['kind'], [string, Parameters<typeof styleText>[0]]> = {
  found: ['✓', 'green'],
  done: ['+', 'yellow'],
  planned: ['~', 'cyan'],
  waiting: ['…', 'dim'],
  note: ['!', 'magenta'],
};
const STATES: Record<ChecklistLine['state'], [string, Parameters<typeof styleText>[0]]> = {
  ok: ['✓', 'green'],
  advice: ['!', 'magenta'],
  failed: ['✗', 'red'],
  unknown: ['?', 'yellow'],
};

/**
 * What people and scripts see: in a terminal signs, colours, tables and a line that says what is waited for; in a pipe one
 * plain line for each thing, fields apart by tabs; as `json` one document, as `jsonl` or `csv` a row for each thing and nothing
 * else. Progress and errors go to stderr.
 */
export class Output {
  readonly format: Format;
  #rows = false;
  readonly #wide: boolean;
  readonly #quiet: boolean;
  readonly #width: number;
  readonly #out: Sink;
  readonly #err: Sink;
  readonly #colours: boolean;
  readonly #erases: boolean;
  #waiting = false;
  /** When the work that is counted began, how much was done then, and when a line last said how far it is. */
  #progress: { readonly total: number; readonly startMs: number; readonly start: number; saidMs: number } | undefined;

  /** @param environment `NO_COLOR` and `TERM` (https://no-color.org), and `COLUMNS` (POSIX) */
  constructor(
    format: Format,
    out: Sink,
    err: Sink,
    environment: Readonly<Record<string, string | undefined>>,
    { wide = false, quiet = false }: OutputOptions = {},
  ) {
    this.format = format;
    this.#wide = wide;
    this.#quiet = quiet;
    this.#width = columnsOf(out, environment);
    this.#out = out;
    this.#err = err;
    this.#erases = environment.TERM !== 'dumb';
    this.#colours = this.#erases && !environment.NO_COLOR;
  }

  /** Whether there were rows, so that nothing else has to be shown as such. */
  get hasRows(): boolean {
    return this.#rows;
  }

  entry(entry: Entry): void {
    const text = visible(entry.text);
    if (entry.kind === 'waiting') this.#wait(text, entry.progress);
    else if (this.format === 'lines') this.#line(`${entry.kind}\t${text}`);
    else if (this.isRows && entry.kind === 'note') this.#say(`${entry.kind}\t${text}`);
    else if (this.format === 'terminal') {
      const [sign, colour] = SIGNS[entry.kind];
      this.#line(`${this.#paint(colour, sign)} ${text}`);
    }
  }

  note(text: string): void {
    this.entry({ kind: 'note', text });
  }

  /** The end of an operation: in a terminal a sentence, in rows what was found and done, unless there were rows. */
  report(report: Report<unknown>): void {
    this.clear();
    if (this.isRows && !this.#rows) {
      this.list<Entry>(['kind', 'action', 'resource', 'from', 'to', 'text'], report.entries);
    } else if (this.format === 'terminal') {
      const said = report.dryRun
        ? report.changed
          ? 'Dry run: nothing was changed.'
          : 'Dry run: nothing to do.'
        : report.changed
          ? 'Done.'
          : 'Nothing to do.';
      this.#line(this.#paint('bold', said));
    }
  }

  checks(checks: readonly ChecklistLine[]): void {
    if (this.isRows) {
      this.list<ChecklistLine>(['state', 'check', 'detail', 'fix'], checks);
    }
    const width = Math.max(18, ...checks.map(({ check }) => check.length));
    for (const { check, state, ...words } of checks) {
      const detail = visible(words.detail);
      const fix = words.fix && visible(words.fix);
      if (this.format === 'lines')
        this.#line([state, check, detail, ...(fix && state !== 'ok' ? [fix] : [])].join('\t'));
      if (this.format !== 'terminal') continue;
      const [sign, colour] = STATES[state];
      this.#line(`${this.#paint(colour, sign)} ${check.padEnd(width)} ${detail}`);
      if (fix && state !== 'ok') this.#line(`  ${' '.repeat(width)} ${this.#paint('dim', `→ ${fix}`)}`);
    }
  }

  /** A row for each thing. */
  list<T extends object>(columns: readonly Column<T>[], things: readonly T[]): void {
    const titles = columns.map((column) =>
      typeof column === 'string' ? titleOf(column) : { title: column[0], wide: column[2] !== undefined },
    );
    const cellOf = (thing: T) => (column: Column<T>) =>
      typeof column === 'string' ? (thing[column] as Cell) : column[1](thing);
    this.table(
      titles,
      things.map((thing) => columns.map(cellOf(thing))),
      things,
    );
  }

  /**
   * A table in a terminal; in a pipe its rows without a header.
   *
   * @param records the same rows as they are, for `jsonl`
   */
  table(titles: readonly Title[], rows: readonly (readonly Cell[])[], records: readonly object[] = []): void {
    if (this.format === 'json') return;
    this.#rows = true;
    const columns = titles.map((title) => (typeof title === 'string' ? { title, wide: false } : title));
    const shown = columns.map(({ wide }) => !wide || this.#wide);
    const seen = columns.filter((_, at) => shown[at]);
    const header = seen.map(({ title }) => title);
    const cells = rows.map((row) => row.filter((_, at) => shown[at]).map((cell) => visible(this.#text(cell))));
    if (this.format !== 'terminal') {
      if (this.format === 'csv') this.#line(csvLine(header.map((title) => title.toLowerCase().replaceAll(' ', '_'))));
      if (this.format === 'jsonl') for (const record of records) this.#line(visibleLines(JSON.stringify(record)));
      else for (const row of cells) this.#line(this.format === 'csv' ? csvLine(row) : row.join('\t'));
      return;
    }
    const { lines, omitted } = tableLines(header, cells, this.#wide ? undefined : this.#width);
    const [first = '', ...rest] = lines;
    this.#line(this.#paint('bold', first));
    for (const line of rest) this.#line(line);
    if (omitted.length > 0) this.#line(this.#paint('dim', `(${omitted.join(', ')}: --wide)`));
  }

  /** What is known of one thing: a line for each fact in a terminal and in a pipe, else one row. */
  facts(facts: readonly (readonly [string, string | undefined])[], record: object): void {
    const known = facts.filter(([, value]) => value !== undefined);
    if (this.isRows) {
      this.table(
        facts.map(([name]) => name.toUpperCase()),
        [facts.map(([, value]) => value)],
        [record],
      );
    }
    const width = Math.max(0, ...known.map(([name]) => name.length));
    for (const [name, value = ''] of known) {
      if (this.format === 'lines') this.#line(`${name}\t${visible(value)}`);
      if (this.format === 'terminal') this.#line(`${this.#paint('bold', name.padEnd(width))}  ${visible(value)}`);
    }
  }

  text(text: string): void {
    if (this.isRows) this.#say(visibleLines(text));
    else if (this.format === 'terminal' || this.format === 'lines') this.#line(visibleLines(text));
  }

  /** Something beside what was asked for, which is no part of it in any format. */
  aside(text: string): void {
    this.#say(visible(text));
  }

  /** A document in one line. */
  line(document: unknown): void {
    this.#line(visibleLines(JSON.stringify(document)));
  }

  json(document: unknown): void {
    this.#line(visibleLines(JSON.stringify(document, undefined, 2)));
  }

  /** @param before what was found and done until then, for the document */
  error({ reason, message, nextStep }: Explanation, before: object = {}): void {
    this.clear();
    const document = { version: DOCUMENT_VERSION, ...before, error: { reason, message, nextStep } };
    if (this.format === 'jsonl') this.#line(visibleLines(JSON.stringify(document)));
    else if (this.format === 'json') this.json(document);
    else {
      this.#err.write(`${this.#paintErr('red', 'error:')} ${reason}: ${visibleLines(message)}\n`);
      this.#err.write(`${this.#paintErr('cyan', 'hint:')} ${visibleLines(nextStep)}\n`);
    }
  }

  /** Whether nothing but the rows of one table may be on stdout. */
  get isRows(): boolean {
    return this.format === 'jsonl' || this.format === 'csv';
  }

  #text(cell: Cell): string {
    if (typeof cell === 'object') return this.format === 'terminal' && !this.#wide ? cell.short : cell.full;
    // Where fields are apart by tabs, one that is empty is not seen.
    return cell === undefined ? (this.format === 'csv' ? '' : NOTHING) : String(cell);
  }

  #wait(text: string, progress?: Progress): void {
    if (this.#quiet) return;
    const pace = progress && this.#pace(progress);
    if (this.format === 'terminal' && this.#err.isTTY && this.#erases) {
      this.clear();
      const bar = pace === undefined ? '…' : `[${barOf(pace)}] ${wordsOf(pace)} `;
      this.#err.write(this.#paintErr('dim', `${bar} ${text}`.slice(0, this.#width - 1)));
      this.#waiting = true;
    } else if (pace && this.#progress) {
      const nowMs = performance.now();
      if (nowMs - this.#progress.saidMs < PROGRESS_LINE_MS) return;
      this.#progress.saidMs = nowMs;
      this.#err.write(`${text.startsWith('for ') ? `waiting ${text}` : 'progress'} (${wordsOf(pace)})\n`);
    } else if (text.startsWith('for ')) this.#err.write(`waiting ${text}\n`);
  }

  /** Rate and rest of the work that is counted, since it was first counted here. */
  #pace({ done, total }: Progress): Pace {
    const nowMs = performance.now();
    if (this.#progress?.total !== total) {
      this.#progress = { total, startMs: nowMs, start: done, saidMs: Number.NEGATIVE_INFINITY };
    }
    const { start, startMs } = this.#progress;
    const seconds = (nowMs - startMs) / 1_000;
    const perSecond = done > start && seconds > 0 ? (done - start) / seconds : undefined;
    return { done, total, perSecond };
  }

  /** Takes the line of progress away. */
  clear(): void {
    if (this.#waiting) this.#err.write('\r\u001b[2K');
    this.#waiting = false;
  }

  #say(text: string): void {
    this.clear();
    this.#err.write(`${text}\n`);
  }

  #line(text: string): void {
    this.clear();
    this.#out.write(`${text}\n`);
  }

  #paint(colour: Parameters<typeof styleText>[0], text: string): string {
    return this.#out.isTTY && this.#colours ? styleText(colour, text, { validateStream: false }) : text;
  }

  #paintErr(colour: Parameters<typeof styleText>[0], text: string): string {
    return this.#err.isTTY && this.#colours ? styleText(colour, text, { validateStream: false }) : text;
  }
}

/** `EXPECTED END` of `expectedEnd`. */
function titleOf(field: string): string {
  return field.replace(/[A-Z]/g, ' $&').toUpperCase();
}

/** The terminal's width: `COLUMNS` if it is exported, else what the terminal reports. */
export function columnsOf({ columns }: Sink, { COLUMNS }: Readonly<Record<string, string | undefined>>): number {
  return (/^[1-9]\d{0,3}$/.test(COLUMNS ?? '') ? Number(COLUMNS) : columns) || 80;
}

interface Pace extends Progress {
  readonly perSecond: number | undefined;
}

/** `120/500, 4.2/s, 2m left`. */
function wordsOf({ done, total, perSecond }: Pace): string {
  const rate = perSecond === undefined ? [] : [`${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`];
  const left = perSecond === undefined || done >= total ? [] : [`${inShort((total - done) / perSecond)} left`];
  return [`${done}/${total}`, ...rate, ...left].join(', ');
}

function barOf({ done, total }: Progress): string {
  const filled = total === 0 ? BAR : Math.round((BAR * Math.min(done, total)) / total);
  return '#'.repeat(filled).padEnd(BAR, '.');
}
