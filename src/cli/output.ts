import { styleText } from 'node:util';
import type { ChecklistLine } from '../operations/checklist-line.ts';
import type { Entry, Report } from '../operations/journal.ts';
import type { Explanation } from './explain.ts';
import { tableLines } from './table.ts';

/** A place that lines go to. */
export interface Sink {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export type Format = 'terminal' | 'lines' | 'json';

const SIGNS: Record<Entry['kind'], [string, Parameters<typeof styleText>[0]]> = {
  found: ['✓', 'green'],
  done: ['+', 'yellow'],
  planned: ['~', 'cyan'],
  waiting: ['…', 'dim'],
  note: ['!', 'magenta'],
};
const STATES: Record<ChecklistLine['state'], [string, Parameters<typeof styleText>[0]]> = {
  ok: ['✓', 'green'],
  failed: ['✗', 'red'],
  unknown: ['?', 'yellow'],
};

/**
 * What people and scripts see: in a terminal signs, colours, tables and a line that says what is waited for; in a pipe one
 * plain line for each thing, fields apart by tabs; with `--json` one document. Waiting and errors go to stderr.
 */
export class Output {
  readonly format: Format;
  readonly #out: Sink;
  readonly #err: Sink;
  readonly #colours: boolean;
  readonly #erases: boolean;
  #waiting = false;

  /** @param environment `NO_COLOR` and `TERM` (https://no-color.org) */
  constructor(format: Format, out: Sink, err: Sink, environment: Readonly<Record<string, string | undefined>>) {
    this.format = format;
    this.#out = out;
    this.#err = err;
    this.#erases = environment.TERM !== 'dumb';
    this.#colours = this.#erases && !environment.NO_COLOR;
  }

  entry(entry: Entry): void {
    if (entry.kind === 'waiting') this.#wait(entry.text);
    else if (this.format === 'lines') this.#line(`${entry.kind}\t${entry.text}`);
    else if (this.format === 'terminal') {
      const [sign, colour] = SIGNS[entry.kind];
      this.#line(`${this.#paint(colour, sign)} ${entry.text}`);
    }
  }

  /** The end of an operation: in a terminal a sentence, with `--json` all of it. */
  report(report: Report<unknown>): void {
    this.#clear();
    if (this.format === 'json') this.json(report);
    else if (this.format === 'terminal') {
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
    const width = Math.max(18, ...checks.map(({ check }) => check.length));
    for (const { check, state, detail, fix } of checks) {
      if (this.format === 'lines')
        this.#line([state, check, detail, ...(fix && state !== 'ok' ? [fix] : [])].join('\t'));
      if (this.format !== 'terminal') continue;
      const [sign, colour] = STATES[state];
      this.#line(`${this.#paint(colour, sign)} ${check.padEnd(width)} ${detail}`);
      if (fix && state !== 'ok') this.#line(`  ${' '.repeat(width)} ${this.#paint('dim', `→ ${fix}`)}`);
    }
  }

  /** A table in a terminal; in a pipe its rows without a header. */
  table(header: readonly string[], rows: readonly (readonly (string | undefined)[])[]): void {
    if (this.format === 'json') return;
    const cells = rows.map((row) => row.map((cell) => cell ?? '-'));
    if (this.format === 'lines') {
      for (const row of cells) this.#line(row.join('\t'));
      return;
    }
    const [titles = '', ...lines] = tableLines(header, cells, this.#out.columns || 80);
    this.#line(this.#paint('bold', titles));
    for (const line of lines) this.#line(line);
  }

  text(text: string): void {
    if (this.format !== 'json') this.#line(text);
  }

  json(document: unknown): void {
    this.#line(JSON.stringify(document, undefined, 2));
  }

  /** @param before what was found and done until then, for the document */
  error({ reason, message, nextStep }: Explanation, before: object = {}): void {
    this.#clear();
    if (this.format === 'json') this.json({ ...before, error: { reason, message, nextStep } });
    else this.#err.write(`${this.#paintErr('red', `${reason}:`)} ${message}\n${nextStep}\n`);
  }

  #wait(text: string): void {
    if (this.format === 'terminal' && this.#err.isTTY && this.#erases) {
      this.#clear();
      this.#err.write(`${this.#paintErr('dim', `… ${text}`.slice(0, (this.#err.columns || 80) - 1))}`);
      this.#waiting = true;
    } else if (text.startsWith('for ')) this.#err.write(`waiting ${text}\n`);
  }

  #clear(): void {
    if (this.#waiting) this.#err.write('\r\u001b[2K');
    this.#waiting = false;
  }

  #line(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  #paint(colour: Parameters<typeof styleText>[0], text: string): string {
    return this.#out.isTTY && this.#colours ? styleText(colour, text, { validateStream: false }) : text;
  }

  #paintErr(colour: Parameters<typeof styleText>[0], text: string): string {
    return this.#err.isTTY && this.#colours ? styleText(colour, text, { validateStream: false }) : text;
  }
}
