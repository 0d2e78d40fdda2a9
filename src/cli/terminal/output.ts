import { styleText } from 'node:util';
import type { Entry, Report, WorkProgress } from '../../audit/journal.ts';
import { formatCsvLine } from '../../formats/csv.ts';
import { formatShortSpan } from '../../formats/duration.ts';
import type { ChecklistLine } from '../procedures/account/account-verify.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Explanation } from './explain.ts';
import { escapeLines, escapeText } from './visible.ts';

export interface Sink {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Returns a destination of the same kind. A stream cannot be spread: its `isTTY` is a property of its class. */
export function redirectSink({ isTTY, columns }: Sink, write: Sink['write']): Sink {
  return { write, isTTY, columns };
}

/** Values of `-o` of every command. */
export const OUTPUTS = ['table', 'json', 'jsonl', 'csv'] as const;
/** Values of `-o` of single commands: documents in the format of a standard. */
export const DOCUMENT_FORMATS = ['cyclonedx'] as const;
export type DocumentFormat = (typeof DOCUMENT_FORMATS)[number];
/** `terminal` is a table with symbols and colours; `lines` is for pipes; `document` prints one document as it is. */
export type Format = 'terminal' | 'lines' | 'document' | Exclude<(typeof OUTPUTS)[number], 'table'>;

/** A cell of a table, with an optional short form for tables that are not wide. */
type Cell = string | number | undefined | { readonly full: string; readonly short: string };
/** Title and cells of a column. `wide`: shown only with --wide. */
export type TitledColumn<T> = readonly [title: string, cell: (row: T) => Cell, wide?: 'wide'];
export type Column<T> = (keyof T & string) | TitledColumn<T>;

/** Shortest interval between two progress lines in a pipe, in milliseconds. */
const PROGRESS_LINE_MS = 10_000;
const BAR = 20;

const GAP = '  ';
/** Text of an empty cell. */
const NOTHING = '-';
/** Minimum width of a cut column, unless its title is longer. The first column, the name, is never cut. */
const LEAST = 16;

/** Version of every document; raised when a field is removed or changes its meaning. */
export const DOCUMENT_VERSION = 1;

type Colour = Parameters<typeof styleText>[0];
const SIGNS: Record<Entry['kind'] | ChecklistLine['state'], [string, Colour]> = {
  found: ['✓', 'green'],
  ok: ['✓', 'green'],
  done: ['+', 'yellow'],
  planned: ['~', 'cyan'],
  waiting: ['…', 'dim'],
  note: ['!', 'magenta'],
  advice: ['!', 'magenta'],
  failed: ['✗', 'red'],
  unknown: ['?', 'yellow'],
};

/**
 * Output for people and scripts. A terminal gets symbols, colours, tables and a progress line. A pipe gets plain lines
 * with tabs between fields. `json` prints one document, `jsonl` and `csv` only rows. Progress and errors go to stderr.
 */
export class Output {
  readonly format: Format;
  /** Exit code of the command, if it does not fail. */
  exitCode: ExitCode = EXIT.ok;
  /** Whether rows were printed, so that the report prints none. */
  hasRows = false;
  readonly #wide: boolean;
  readonly #quiet: boolean;
  readonly #width: number;
  readonly #out: Sink;
  readonly #err: Sink;
  readonly #colours: boolean;
  readonly #erases: boolean;
  #waiting = false;
  /** Start of the counted work, its progress at that time, and the time of the last progress line. */
  #counted: { readonly total: number; readonly startMs: number; readonly start: number; shownMs: number } | undefined;

  /** @param environment `NO_COLOR` and `TERM` (https://no-color.org), and `COLUMNS` (POSIX) */
  constructor(
    format: Format,
    out: Sink,
    err: Sink,
    environment: Readonly<Record<string, string | undefined>>,
    { wide = false, quiet = false }: { readonly wide?: boolean | undefined; readonly quiet?: boolean | undefined } = {},
  ) {
    this.format = format;
    this.#wide = wide;
    this.#quiet = quiet;
    this.#width = getColumns(out, environment);
    this.#out = out;
    this.#err = err;
    this.#erases = environment.TERM !== 'dumb';
    this.#colours = this.#erases && !environment.NO_COLOR;
  }

  /** Sets exit code 1 if a check found something, or if only a part was done or read. */
  incompleteIf(isIncomplete: boolean): void {
    if (isIncomplete) this.exitCode = EXIT.incomplete;
  }

  entry(entry: Entry): void {
    const text = escapeText(entry.text);
    if (entry.kind === 'waiting') this.#wait(text, entry.progress);
    else if (this.#hasNotesBeside && entry.kind === 'note') this.#say(`${entry.kind}\t${text}`);
    else this.#fields([entry.kind, text], `${this.#sign(entry.kind)} ${text}`);
  }

  notes(texts: Iterable<string>): void {
    for (const text of texts) this.entry({ kind: 'note', text });
  }

  /** Notes failed reads and changes, one sentence each, and sets exit code 1. */
  problems(texts: readonly string[]): void {
    this.notes(texts);
    this.incompleteIf(texts.length > 0);
  }

  /** Prints the end of an operation: a sentence in a terminal; in row formats the entries, unless rows were printed. */
  report(report: Report<unknown>): void {
    this.clear();
    if (this.isRows && !this.hasRows) {
      this.list<Entry>(['kind', 'action', 'resource', 'from', 'to', 'text'], report.entries);
    } else if (this.format === 'terminal') {
      const [changed, unchanged] = report.dryRun
        ? ['Dry run: nothing was changed.', 'Dry run: nothing to do.']
        : ['Done.', 'Nothing to do.'];
      this.#line(this.#paint('bold', report.changed ? changed : unchanged));
    }
  }

  /** Prints a checklist; the command is incomplete if a check failed. */
  checks(checks: readonly ChecklistLine[]): void {
    this.incompleteIf(checks.some(({ state }) => state === 'failed'));
    if (this.isRows) this.list<ChecklistLine>(['state', 'check', 'detail', 'fix'], checks);
    const width = Math.max(18, ...checks.map(({ check }) => check.length));
    for (const { check, state, detail, fix = '' } of checks) {
      const step = state === 'ok' ? '' : escapeText(fix);
      const arrow = step && `\n  ${' '.repeat(width)} ${this.#paint('dim', `→ ${step}`)}`;
      const shown = `${this.#sign(state)} ${check.padEnd(width)} ${escapeText(detail)}${arrow}`;
      this.#fields([state, check, escapeText(detail), ...(step ? [step] : [])], shown);
    }
  }

  /** Prints a row for each item: a table in a terminal, lines without a header in a pipe. */
  list<T>(columns: readonly Column<T>[], things: readonly T[]): void {
    if (this.format === 'json' || this.format === 'document') return;

    this.hasRows = true;

    const shown = columns
      .map(
        (column): TitledColumn<T> =>
          typeof column === 'string' ? [titleOf(column), (thing) => thing[column] as Cell] : column,
      )
      .filter(([, , wide]) => wide === undefined || this.#wide);

    const header = shown.map(([title]) => title);
    const rows = things.map((thing) => shown.map(([, cellOf]) => escapeText(this.#text(cellOf(thing)))));

    switch (this.format) {
      case 'jsonl':
        for (const thing of things) this.line(thing);
        return;
      case 'csv':
        this.#line(formatCsvLine(header.map((title) => title.toLowerCase().replaceAll(' ', '_'))));
        for (const row of rows) this.#line(formatCsvLine(row));
        return;
      case 'lines':
        for (const row of rows) this.#line(row.join('\t'));
        return;
      case 'terminal': {
        const { lines, omitted } = tableLines(header, rows, this.#wide ? undefined : this.#width);
        for (const [at, line] of lines.entries()) this.#line(at === 0 ? this.#paint('bold', line) : line);
        if (omitted.length > 0) this.#line(this.#paint('dim', `(${omitted.join(', ')}: --wide)`));
      }
    }
  }

  /** Prints the facts of one item: a line for each in a terminal or pipe, else one row. */
  facts(facts: readonly (readonly [string, string | undefined])[], record: object): void {
    if (this.isRows) {
      const columns = facts.map(([name, value]) => [name.toUpperCase(), () => value] as const);
      this.list(columns, [record]);
    }
    const known = facts.filter(([, value]) => value !== undefined);
    const width = Math.max(0, ...known.map(([name]) => name.length));
    for (const [name, value = ''] of known) {
      this.#fields([name, escapeText(value)], `${this.#paint('bold', name.padEnd(width))}  ${escapeText(value)}`);
    }
  }

  text(text: string): void {
    if (this.#hasNotesBeside) this.#say(escapeLines(text));
    else if (this.format !== 'json') this.#line(escapeLines(text));
  }

  line(document: unknown): void {
    this.#line(escapeLines(JSON.stringify(document)));
  }

  json(document: unknown): void {
    this.#line(escapeLines(JSON.stringify(document, undefined, 2)));
  }

  /** @param before earlier entries for the document */
  error({ reason, message, nextStep }: Explanation, before: object = {}): void {
    this.clear();
    const document = { version: DOCUMENT_VERSION, ...before, error: { reason, message, nextStep } };
    if (this.format === 'jsonl') {
      this.line(document);
    } else if (this.format === 'json') {
      this.json(document);
    } else {
      this.#err.write(`${this.#paint('red', 'error:', this.#err)} ${reason}: ${escapeLines(message)}\n`);
      this.#err.write(`${this.#paint('cyan', 'hint:', this.#err)} ${escapeLines(nextStep)}\n`);
    }
  }

  /** Whether stdout may contain only the rows of one table. */
  get isRows(): boolean {
    return this.format === 'jsonl' || this.format === 'csv';
  }

  /** Whether notes go to stderr, because stdout has only rows, or a document of another format. */
  get #hasNotesBeside(): boolean {
    return this.isRows || this.format === 'document';
  }

  #text(cell: Cell): string {
    if (typeof cell === 'object') return this.format === 'terminal' && !this.#wide ? cell.short : cell.full;
    if (cell !== undefined) return String(cell);
    // An empty field between tabs would be invisible.
    return this.format === 'csv' ? '' : NOTHING;
  }

  #wait(text: string, progress?: WorkProgress): void {
    if (this.#quiet) return;

    const pace = progress && this.#paceOf(progress);

    if (this.format === 'terminal' && this.#err.isTTY && this.#erases) {
      this.clear();

      const bar = progress && pace ? `[${barOf(progress)}] ${pace} ` : '…';
      this.#err.write(this.#paint('dim', `${bar} ${text}`.slice(0, this.#width - 1), this.#err));
      this.#waiting = true;

      return;
    }

    const nowMs = performance.now();

    if (pace && this.#counted) {
      if (nowMs - this.#counted.shownMs < PROGRESS_LINE_MS) return;
      this.#counted.shownMs = nowMs;
    }

    const what = text.startsWith('for ') ? `waiting ${text}` : 'progress';
    if (pace || what !== 'progress') this.#err.write(`${what}${pace ? ` (${pace})` : ''}\n`);
  }

  /** Returns progress as `120/500, 4.2/s, 2m left`, with the rate since the first count. */
  #paceOf({ done, total }: WorkProgress): string {
    const nowMs = performance.now();

    if (this.#counted?.total !== total) {
      this.#counted = { total, startMs: nowMs, start: done, shownMs: Number.NEGATIVE_INFINITY };
    }

    const { start, startMs } = this.#counted;
    const perSecond = (done - start) / ((nowMs - startMs) / 1_000);

    // A lower rate would be shown as zero, and the estimated time would grow.
    if (!(perSecond >= 0.05)) return `${done}/${total}`;

    const left = done < total ? `, ${formatShortSpan((total - done) / perSecond)} left` : '';

    return `${done}/${total}, ${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s${left}`;
  }

  clear(): void {
    if (this.#waiting) this.#err.write('\r\u001b[2K');
    this.#waiting = false;
  }

  /** Prints a line: its fields in a pipe, `shown` in a terminal, nothing in documents and rows. */
  #fields(fields: readonly string[], shown: string): void {
    if (this.format === 'lines') this.#line(fields.join('\t'));
    if (this.format === 'terminal') this.#line(shown);
  }

  #say(text: string): void {
    this.clear();
    this.#err.write(`${text}\n`);
  }

  #line(text: string): void {
    this.clear();
    this.#out.write(`${text}\n`);
  }

  #sign(kind: keyof typeof SIGNS): string {
    const [sign, colour] = SIGNS[kind];
    return this.#paint(colour, sign);
  }

  #paint(colour: Colour, text: string, { isTTY }: Sink = this.#out): string {
    return isTTY && this.#colours ? styleText(colour, text, { validateStream: false }) : text;
  }
}

/** Output that discards everything but the exit code. */
export function createSilentOutput(): Output {
  const nothing = { write: () => true };
  return new Output('json', nothing, nothing, {});
}

/** Converts `expectedEnd` to `EXPECTED END`. */
function titleOf(field: string): string {
  return field.replace(/[A-Z]/g, ' $&').toUpperCase();
}

/** Returns the terminal's width: the exported `COLUMNS`, else the width that the terminal reports. */
export function getColumns({ columns }: Sink, { COLUMNS }: Readonly<Record<string, string | undefined>>): number {
  return (/^[1-9]\d{0,3}$/.test(COLUMNS ?? '') ? Number(COLUMNS) : columns) || 80;
}

function barOf({ done, total }: WorkProgress): string {
  const filled = total === 0 ? BAR : Math.round((BAR * Math.min(done, total)) / total);
  return '#'.repeat(filled).padEnd(BAR, '.');
}

/**
 * Formats a table as lines no wider than the terminal: cuts the widest columns, then omits columns from the right.
 *
 * @param width undefined: unlimited
 * @returns lines from the header on, and the titles of omitted columns
 */
function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): { readonly lines: readonly string[]; readonly omitted: readonly string[] } {
  const full = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const least = full.map((wide, column) =>
    column === 0 ? wide : Math.min(wide, Math.max(LEAST, header[column]?.length ?? 0)),
  );
  const total = (widths: readonly number[]): number => widths.reduce((sum, one) => sum + one + GAP.length, -GAP.length);
  const room = width ?? Number.POSITIVE_INFINITY;
  let fitting = header.length;

  while (fitting > 1 && total(least.slice(0, fitting)) > room) fitting -= 1;

  const widths = full.slice(0, fitting);
  for (let over = total(widths) - room; over > 0; ) {
    const spare = widths.map((wide, column) => wide - (least[column] ?? 0));
    const widest = spare.indexOf(Math.max(...spare));
    const cut = Math.min(over, spare[widest] ?? 0);
    if (cut <= 0) break;

    widths[widest] = (widths[widest] ?? 0) - cut;
    over -= cut;
  }

  const line = (cells: readonly string[]): string =>
    widths
      .map((wide, column) => cutTo(cells[column] ?? NOTHING, Math.min(wide, room)).padEnd(wide))
      .join(GAP)
      .trimEnd();

  return { lines: [header, ...rows].map(line), omitted: header.slice(fitting) };
}

function cutTo(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
