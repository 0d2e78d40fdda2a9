import { type Command, InvalidArgumentError, type Option } from 'commander';
import { CmkError } from '../../errors.ts';
import { hsmAsVault } from '../options.ts';
import { type CsvRow, invalid, parseCsv } from './csv.ts';

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
