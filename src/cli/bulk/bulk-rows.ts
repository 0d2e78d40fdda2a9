import { type Command, InvalidArgumentError, type Option } from 'commander';
import { CsvError, parse } from 'csv-parse/sync';
import { CmkError } from '../../errors.ts';
import { hsmAsVault } from '../options.ts';

/** One account of a bulk command, with its options: those of the file, and where it says none, those of the command line. */
export interface BulkRow {
  readonly account: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Options that are about the run as a whole, and no columns. */
const OF_THE_RUN = ['from', 'where', 'yes', 'concurrency', 'maxFailures', 'resumeFile', 'dryRun'];
/** Options of every command that a row may say too. */
const GLOBAL = ['subscription'];

/**
 * Reads the accounts of a bulk command from a file.
 *
 * @param required options without which an account cannot be done
 * @throws {@link CmkError} `ArgumentInvalid` with everything that is wrong, line by line
 */
export function readBulkRows(text: string, command: Command, required: readonly string[]): BulkRow[] {
  const { titles, rows } = parseCsv(text);
  const columns = columnsOf(command);
  const unknown = titles.filter((title) => title !== 'account' && !columns.has(title));
  const problems = unknown.map(
    (title) => `there is no column "${title}"; there are account, ${[...columns.keys()].join(', ')}`,
  );
  if (!titles.includes('account')) problems.push('there is no column "account"');
  if (problems.length > 0) throw invalid(problems);
  const shared = command.optsWithGlobals();
  const read = rows.map((row) => readRow(row, columns, shared, problems));
  const lines = new Map<string, number>();
  for (const [at, { account, options }] of read.entries()) {
    const line = rows[at]?.line ?? 0;
    if (account === '') problems.push(`line ${line}: no account`);
    const first = lines.get(account.toLowerCase());
    if (account !== '' && first !== undefined) problems.push(`line ${line}: ${account} is in line ${first} already`);
    lines.set(account.toLowerCase(), first ?? line);
    const missing = required.filter((name) => options[name] === undefined);
    if (missing.length > 0)
      problems.push(`line ${line}: neither the row nor the command line says ${missing.join(', ')}`);
  }
  if (problems.length > 0) throw invalid(problems);
  return read;
}

function columnsOf(command: Command): Map<string, Option> {
  const globals = (command.parent?.parent ?? command).options.filter((option) =>
    GLOBAL.includes(option.attributeName()),
  );
  const own = command.options.filter((option) => !OF_THE_RUN.includes(option.attributeName()));
  return new Map([...own, ...globals].map((option) => [option.long?.replace(/^--/, '') ?? '', option]));
}

function readRow(
  { line, cells }: CsvRow,
  columns: ReadonlyMap<string, Option>,
  shared: Readonly<Record<string, unknown>>,
  problems: string[],
): BulkRow {
  const options: Record<string, unknown> = { ...shared };
  for (const [title, option] of columns) {
    const text = cells.get(title) ?? '';
    if (text === '') continue;
    try {
      options[option.attributeName()] = readCell(text, option);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError) && !(error instanceof CmkError)) throw error;
      problems.push(`line ${line}: ${title} "${text}": ${error.message}`);
    }
  }
  // The event by which the command line does this comes of no row.
  if (columns.has('hsm') && cells.get('hsm')) {
    if (cells.get('vault')) problems.push(`line ${line}: it takes --vault or --hsm, not both`);
    options.vault = hsmAsVault(cells.get('hsm') ?? '');
  }
  return { account: cells.get('account') ?? '', options };
}

/** A cell as the option of its column takes it. */
function readCell(text: string, option: Option): unknown {
  const isYes = /^(?:true|yes|y|1)$/i.test(text);
  if (option.isBoolean()) {
    if (isYes || /^(?:false|no|n|0)$/i.test(text)) return isYes;
    throw new InvalidArgumentError('It has to be yes or no.');
  }
  if (option.optional && isYes) return true;
  return option.parseArg ? option.parseArg(text, undefined as never) : text;
}

/** A row of a table in a file, by the titles of its columns, and the line that it starts in. */
interface CsvRow {
  readonly line: number;
  readonly cells: ReadonlyMap<string, string>;
}

/**
 * Reads CSV (RFC 4180) whose first row has the titles. Space around a cell counts for nothing, and neither do empty lines.
 *
 * @throws {@link CmkError} `ArgumentInvalid` with every line that is not right
 */
export function parseCsv(text: string): { readonly titles: readonly string[]; readonly rows: readonly CsvRow[] } {
  const lines = split(text);
  const [head, ...body] = lines.filter(({ cells }) => cells.some((cell) => cell !== ''));
  if (!head) throw invalid(['It is empty: the first line names the columns, `account,vault,key,identity`, say.']);
  if (head.cells.length === 1 && head.cells[0]?.includes(';')) {
    throw new CmkError('ArgumentInvalid', 'This CSV uses semicolons.', 'Save it with commas, and run it again.');
  }
  const titles = head.cells.map((title) => title.replace(/^--/, '').toLowerCase());
  const twice = titles.filter((title, at) => titles.indexOf(title) !== at);
  const problems = [
    ...twice.map((title) => `line ${head.line}: there are two columns "${title}"`),
    ...body
      .filter(({ cells }) => cells.length !== titles.length)
      .map(
        ({ line, cells }) => `line ${line}: ${cells.length} cells, and the first line names ${titles.length} columns`,
      ),
  ];
  if (problems.length > 0) throw invalid(problems);
  return {
    titles,
    rows: body.map(({ line, cells }) => ({
      line,
      cells: new Map(titles.map((title, at) => [title, cells[at] ?? ''])),
    })),
  };
}

/** What is wrong with a file, all of it at once. */
function invalid(problems: readonly string[]): CmkError {
  const [first = '', ...more] = problems;
  const message =
    more.length === 0 ? `The file is not right: ${first}` : `The file is not right:\n  ${problems.join('\n  ')}`;
  return new CmkError('ArgumentInvalid', message, 'Correct it, and run it again; nothing was changed.');
}

const OPTIONS = {
  bom: true,
  info: true,
  record_delimiter: ['\r\n', '\n', '\r'],
  relax_column_count: true,
  skip_empty_lines: true,
  trim: true,
};

/** What the parser returns with `info`, which its types do not say. */
interface ParsedRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/** Every row, with the line that it starts in. @throws {@link CmkError} `ArgumentInvalid` */
function split(text: string): { line: number; cells: string[] }[] {
  try {
    const read: unknown = parse(text, OPTIONS);
    return (read as readonly ParsedRecord[]).map(({ record, info }) => {
      const cells = record.map((cell) => cell.trim());
      const breaks = record.join('').split(/\r\n|\n|\r/).length - 1;
      return { line: info.lines - breaks, cells };
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw invalid([`line ${error.lines}: a quote is not closed, or something follows it`]);
  }
}
