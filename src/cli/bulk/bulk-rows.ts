import { Command, CommanderError, type Option } from 'commander';
import { CsvError, parse } from 'csv-parse/sync';
import { CmkError } from '../../errors/errors.ts';

/** One account of a bulk command. An empty cell takes the option of the command line. */
export interface BulkRow {
  readonly account: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Options of the whole run: the file cannot have columns for them. */
const OF_THE_RUN = ['from', 'yes', 'concurrency', 'maxFailures', 'dryRun'];

/** Reads the accounts of a bulk command from CSV. @throws {@link CmkError} `ArgumentInvalid` with every wrong row */
export function readBulkRows(text: string, command: Command, required: readonly string[] = []): BulkRow[] {
  const { titles, rows } = parseCsv(text);
  const columns = columnsOf(command);
  const unknown = titles.filter((title) => title !== 'account' && !columns.has(title));
  const problems = unknown.map(
    (title) => `unknown column "${title}"; the columns are account, ${[...columns.keys()].join(', ')}`,
  );
  if (!titles.includes('account')) problems.push('the column "account" is missing');
  if (problems.length > 0) throw invalid(problems);

  const shared = command.optsWithGlobals();
  const lines = new Map<string, number>();
  const read = rows.map(({ record, info: { lines: line, error } }) => {
    const { account = '' } = record;
    const problem = (what: string): unknown => problems.push(`line ${line}: ${what}`);

    if (error) {
      problem(`the number of cells differs from the ${titles.length} columns that the first line names`);
      return { account, options: {} };
    }

    const options = { ...shared, ...readOptions(record, columns, problem) };
    const first = lines.get(account.toLowerCase());

    if (account === '') problem('no account');
    else if (first !== undefined) problem(`${account} is in line ${first} already`);
    else lines.set(account.toLowerCase(), line);

    const missing = required.filter((name) => options[name] === undefined);
    if (missing.length > 0) problem(`neither the row nor the command line has ${missing.join(', ')}`);

    return { account, options };
  });

  if (problems.length > 0) throw invalid(problems);

  return read;
}

/** Returns the options of one account by their long names, and `subscription`, which every command has. */
function columnsOf(command: Command): Map<string, Option> {
  const globals = (command.parent?.parent ?? command).options.filter((option) => option.long === '--subscription');
  const own = command.options.filter((option) => !OF_THE_RUN.includes(option.attributeName()));
  return new Map([...own, ...globals].map((option) => [option.long?.replace(/^--/, '') ?? '', option]));
}

function readOptions(
  cells: Cells,
  columns: ReadonlyMap<string, Option>,
  problem: (what: string) => void,
): Record<string, unknown> {
  const parser = new Command().exitOverride().configureOutput({ outputError: () => {} });
  const args: string[] = [];
  const options: Record<string, unknown> = {};

  for (const [title, option] of columns) {
    parser.addOption(option);

    const cell = cells[title] ?? '';
    const isYes = /^(?:true|yes|y|1)$/i.test(cell);

    if (cell === '') continue;

    if (isYes && !option.required) args.push(`--${title}`);
    else if (!option.isBoolean()) args.push(`--${title}=${cell}`);
    else if (/^(?:false|no|n|0)$/i.test(cell)) options[option.attributeName()] = option.negate;
    else problem(`${title} "${cell}": The value must be yes or no.`);
  }

  try {
    parser.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError) && !(error instanceof CmkError)) throw error;
    problem(error.message.replace(/^error: /, ''));
  }

  for (const [name, value] of Object.entries(parser.opts())) {
    if (parser.getOptionValueSource(name) === 'cli') options[name] = value;
  }

  return options;
}

type Cells = Readonly<Record<string, string>>;

/** Record of the parser with the option `info`, which its types lack. */
interface CsvRow {
  readonly record: Cells;
  /** `error`: the row has more or fewer cells than there are titles. */
  readonly info: { readonly lines: number; readonly error?: CsvError };
}

const OPTIONS = {
  bom: true,
  info: true,
  record_delimiter: ['\r\n', '\n', '\r'],
  relax_column_count: true,
  skip_empty_lines: true,
  skip_records_with_empty_values: true,
  trim: true,
};

/** Reads CSV (RFC 4180) with column titles in the first row. Ignores white space around cells, and empty lines. */
export function parseCsv(text: string): { readonly titles: readonly string[]; readonly rows: readonly CsvRow[] } {
  let titles: string[] = [];
  const columns = (head: readonly string[]): string[] => {
    if (head.length === 1 && head[0]?.includes(';')) {
      throw new CmkError('ArgumentInvalid', 'This CSV uses semicolons.', 'Save it with commas, and run it again.');
    }
    titles = head.map((title) => title.replace(/^--/, '').toLowerCase());
    const twice = titles.filter((title, at) => titles.indexOf(title) !== at);
    if (twice.length > 0) throw invalid(twice.map((title) => `two columns are named "${title}"`));
    return titles;
  };

  try {
    const rows: unknown = parse(text, { ...OPTIONS, columns });
    if (titles.length > 0) return { titles, rows: rows as readonly CsvRow[] };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;

    // The parser's own messages name its options.
    throw invalid([`line ${error.lines}: a quote is not closed, or text follows it`]);
  }

  throw invalid(['It is empty: the first line must name the columns, for example `account,vault,key,identity`.']);
}

function invalid(problems: readonly string[]): CmkError {
  const list = problems.length === 1 ? ` ${problems[0]}` : `\n  ${problems.join('\n  ')}`;
  return new CmkError(
    'ArgumentInvalid',
    `The file is invalid:${list}`,
    'Correct the file, and run the command again; nothing was changed.',
  );
}
