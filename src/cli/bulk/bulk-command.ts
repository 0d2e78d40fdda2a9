import type { Command } from 'commander';
import pMap from 'p-map';
import { type Entry, Journal } from '../../audit/journal.ts';
import { getLastName } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors/errors.ts';
import { formatCount } from '../../formats/text.ts';
import type { Operation } from '../procedures/operator-azure.ts';
import type { Cli } from '../terminal/cli.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { type Ask, askBeforeChange } from '../terminal/confirm.ts';
import { type Explanation, explain } from '../terminal/explain.ts';
import { parseUpTo, readGivenText, UsageError } from '../terminal/options.ts';
import { Output, redirectSink, type TitledColumn } from '../terminal/output.ts';
import { type BulkRow, readBulkRows } from './bulk-rows.ts';

const AFTER = `
Many accounts at once: --from reads them from CSV whose first line names the
columns: \`account\`, and every option of this command by its long name. An empty
cell takes the option of the command line. The command shows a plan, asks for
confirmation (not with --yes), and changes several accounts at a time. After a
failure run the same command again: completed accounts stay done.`;

/** A command for one account that also accepts many. */
interface BulkCommand<A = Readonly<Record<string, unknown>>, R = unknown> {
  /** Required options, by the name of their value: `vault`. */
  readonly required?: readonly string[];
  /** The command only reads: it has no plan and no confirmation. */
  readonly reads?: boolean;
  /** Resources that several rows share (a vault, an identity): the first row runs alone and creates them. */
  readonly shares?: (options: A) => readonly string[];
  readonly run: (account: string, options: A, operation: Operation) => Promise<R>;
  /** Returns why a result counts as a failure; undefined: it succeeded. */
  readonly trouble?: (result: R) => string | undefined;
  readonly show?: (result: R, output: Output) => void;
}

interface BulkOptions {
  readonly from?: string;
  readonly concurrency: number;
  /** Number of failures after which no account is started. */
  readonly maxFailures: number;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly quiet?: boolean;
}

/**
 * `done`: changed; in a plan: would be changed. `unchanged`: already as requested. `refused`: the plan failed, so the
 * account was not started. `notStarted`: too many accounts had failed.
 */
const OUTCOMES = ['done', 'unchanged', 'failed', 'refused', 'notStarted'] as const;
type Outcome = (typeof OUTCOMES)[number];

interface BulkResult {
  readonly account: string;
  readonly outcome: Outcome;
  readonly changes: readonly Entry[];
  readonly notes: readonly string[];
  readonly error?: Explanation;
  readonly result?: unknown;
}

interface BulkSummary {
  readonly counts: Readonly<Record<Outcome, number>>;
  readonly accounts: readonly BulkResult[];
  readonly stopped?: string | undefined;
}

/** Makes a command work for one account, or for many from a file. */
export function acceptOneOrMany<A, R>(command: CmkCommand, typed: BulkCommand<A, R>): void {
  // Commander's options have no types.
  const bulk = typed as unknown as BulkCommand;
  const work = async (operation: Operation, options: BulkOptions, account?: string): Promise<unknown> => {
    requireAccounts(command, account, options, bulk.required);
    if (account !== undefined) return bulk.run(account, { ...options }, operation);
    const rows = readBulkRows(await readGivenText(options.from ?? '-'), command, bulk.required);
    return runMany(rows, bulk, { ...options, name: command.name() }, operation, command.cli);
  };

  const show = (result: unknown, output: Output, { from, dryRun = false }: BulkOptions): void => {
    if (from === undefined) bulk.show?.(result, output);
    else showSummary(result as BulkSummary, output, { dryRun, reads: bulk.reads ?? false });
  };

  acceptManyAccounts(command);

  if (bulk.reads) command.reads(work, show);
  else command.changes(work, show);
}

export function acceptManyAccounts<C extends Command>(command: C): C {
  return command
    .option('--from <file>', 'many accounts, from CSV (-: from standard input)')
    .option('--concurrency <number>', 'accounts at the same time, 1 to 32', parseUpTo(32), 4)
    .option('--max-failures <number>', 'start no more accounts after this many failures', parseUpTo(1_000_000), 5)
    .option('--yes', 'skip the confirmation before many accounts are changed')
    .addHelpText('after', AFTER);
}

/** Requires one account with its required options, or a file with many accounts. */
function requireAccounts(
  command: Command,
  account: string | undefined,
  { from }: BulkOptions,
  required: BulkCommand['required'] = [],
): void {
  if (from !== undefined) {
    if (account === undefined) return;
    throw new UsageError('An account and --from exclude each other.', 'Use only one of them.');
  }

  const flags = required
    .filter((name) => command.getOptionValue(name) === undefined)
    .map((name) => command.options.find((option) => option.attributeName() === name)?.flags);
  const missing = [...(account === undefined ? ['<account>'] : []), ...flags];
  if (missing.length === 0) return;

  const nextStep = `cmk account ${command.name()} --help lists the arguments and options.`;
  throw new UsageError(`Missing: ${missing.join(', ')}.`, nextStep);
}

/** Runs a command for many accounts: plan, question, work, summary. */
async function runMany(
  rows: readonly BulkRow[],
  bulk: BulkCommand,
  options: BulkOptions & { readonly name: string },
  operation: Operation,
  cli: Cli,
): Promise<BulkSummary> {
  const { reads = false } = bulk;
  const { err } = cli.context;
  const aboveProgress = redirectSink(err, (text) => {
    cli.clearProgress();
    err.write(text);
  });
  const talk = new Output(err.isTTY ? 'terminal' : 'lines', aboveProgress, err, cli.environment);
  let shown = 0;
  const run = (going: readonly BulkRow[], maxFailures: number) =>
    runRows(going, bulk, { ...options, maxFailures }, operation, (result) => {
      shown += 1;
      // In a terminal the progress bar shows the other results.
      if (options.quiet || (err.isTTY && result.outcome !== 'failed')) return;
      talk.text(`[${shown}/${going.length}] ${result.account}: ${detailOf(result, reads)}`);
    });
  if (reads) return summaryOf(await run(rows, options.maxFailures));

  const plan = await runRows(rows, bulk, { ...options, maxFailures: rows.length, dryRun: true }, operation);

  if (options.dryRun) {
    for (const { changes } of plan) operation.journal.entries.push(...changes);
    return summaryOf(plan);
  }

  const refused = plan.filter(({ outcome }) => outcome === 'refused');
  const going = rows.filter((_, at) => plan[at]?.outcome !== 'refused');

  talk.list<BulkResult>([ACCOUNT, ['PLAN', (result) => detailOf(result, false)]], plan);
  talk.notes(new Set(plan.flatMap(({ notes }) => notes)));

  const left = options.maxFailures - refused.length;
  if (left <= 0 && going.length > 0) {
    const stopped = `Nothing was started: ${refused.length} would fail, and --max-failures is ${options.maxFailures}.`;
    return summaryOf([...(await run(going, 0)), ...refused], stopped);
  }

  const changing = plan.filter(({ outcome }) => outcome === 'done');
  if (changing.length > 0 && !options.yes) {
    await confirmMany(`${options.name} ${formatCount(changing.length, 'account')}`, cli.context.ask);
  }

  return summaryOf([...(await run(going, left)), ...refused]);
}

async function confirmMany(what: string, ask: Ask): Promise<void> {
  const typed = await askBeforeChange(what, ask, () => `This will ${what}. Type yes to continue: `);
  if (/^y(?:es)?$/i.test(typed)) return;
  throw new CmkError('ConfirmationWrong', 'The answer is not yes; nothing was changed.', 'Type yes, or add --yes.');
}

/**
 * Runs the work for each account. Rows that share a missing resource run one after another until it exists, the others
 * `concurrency` at a time. In a dry run each row is only planned.
 *
 * @param ended called with each result immediately
 */
async function runRows(
  rows: readonly BulkRow[],
  bulk: BulkCommand,
  { concurrency, maxFailures, dryRun = false }: Pick<BulkOptions, 'concurrency' | 'maxFailures' | 'dryRun'>,
  { journal, ...operation }: Operation,
  ended: (result: BulkResult) => void = () => {},
): Promise<BulkResult[]> {
  let failures = 0;
  const results = new Map<BulkRow, BulkResult>();
  const progress = ({ account }: BulkRow, text: string): void =>
    journal.waiting(`${getLastName(account)}: ${text}`, { done: results.size, total: rows.length });
  const one = async (row: BulkRow): Promise<boolean> => {
    if (failures >= maxFailures) return false;

    const show = ({ kind, text }: Entry): unknown => kind === 'waiting' && progress(row, text);
    const own = new Journal({ dryRun, record: journal.record, show });
    const result = await runRow(row, bulk, { ...operation, journal: own });

    if (!dryRun) journal.take(own);
    if (result.error) failures += 1;

    results.set(row, result);
    ended(result);
    progress(row, result.outcome);

    return !result.error;
  };

  const made = new Set<string>();
  const rest: BulkRow[] = [];

  for (const row of rows) {
    const shared = dryRun ? [] : (bulk.shares?.(row.options) ?? []);
    if (shared.every((what) => made.has(what))) {
      rest.push(row);
    } else if (await one(row)) {
      for (const what of shared) made.add(what);
    }
  }

  await pMap(rest, one, { concurrency });

  return rows.map((row) => results.get(row) ?? { account: row.account, outcome: 'notStarted', changes: [], notes: [] });
}

async function runRow({ account, options }: BulkRow, bulk: BulkCommand, operation: Operation): Promise<BulkResult> {
  const { journal } = operation;
  const outcomeOf = (error: Explanation | undefined): Outcome => {
    if (error) return journal.dryRun ? 'refused' : 'failed';
    return journal.changed ? 'done' : 'unchanged';
  };
  const ended = (result: unknown, error?: Explanation): BulkResult => ({
    account,
    outcome: outcomeOf(error),
    changes: journal.entries.filter(({ kind }) => kind === 'done' || kind === 'planned'),
    notes: journal.entries.filter(({ kind }) => kind === 'note').map(({ text }) => text),
    ...(error ? { error } : {}),
    ...(result === undefined ? {} : { result }),
  });

  try {
    const result = await bulk.run(account, options, operation);
    const message = bulk.trouble?.(result);
    if (message === undefined) return ended(result);
    return ended(result, { reason: 'NotProven', message, nextStep: `cmk account verify ${account}` });
  } catch (error) {
    return ended(undefined, explain(error));
  }
}

function summaryOf(accounts: readonly BulkResult[], stopped?: string): BulkSummary {
  const counts = { done: 0, unchanged: 0, failed: 0, refused: 0, notStarted: 0 };
  for (const { outcome } of accounts) counts[outcome] += 1;
  return { counts, accounts, ...(stopped === undefined ? {} : { stopped }) };
}

const ACCOUNT: TitledColumn<BulkResult> = ['ACCOUNT', ({ account }) => getLastName(account)];

/** Describes the changes of an account, done or planned. @param reads whether the command only checks accounts */
function detailOf({ outcome, changes, error }: BulkResult, reads: boolean): string {
  if (error) return `${outcome.toUpperCase()}: ${error.reason}: ${error.message} ${error.nextStep}`;
  if (outcome === 'done') return changes.map(({ text }) => text).join('; ');
  if (outcome === 'unchanged') return reads ? 'ok' : 'nothing to do';
  return inWords(outcome);
}

function showSummary(
  { counts, accounts, stopped }: BulkSummary,
  output: Output,
  { dryRun, reads }: { readonly dryRun: boolean; readonly reads: boolean },
): void {
  const nameOf = (outcome: Outcome): string => {
    if (outcome === 'done' && dryRun) return 'planned';
    return outcome === 'unchanged' && reads ? 'ok' : outcome;
  };

  output.list<BulkResult>(
    [ACCOUNT, ['OUTCOME', ({ outcome }) => nameOf(outcome)], ['DETAIL', (result) => detailOf(result, reads)]],
    accounts,
  );

  const parts = OUTCOMES.filter((outcome) => counts[outcome] > 0).map(
    (outcome) => `${counts[outcome]} ${inWords(nameOf(outcome))}`,
  );

  output.text(`${formatCount(accounts.length, 'account')}: ${parts.join(', ') || 'the CSV has no rows'}.`);

  if (stopped !== undefined) output.text(stopped);

  const isIncomplete = counts.failed + counts.refused + counts.notStarted > 0;

  output.incompleteIf(isIncomplete);

  if (isIncomplete && !dryRun) output.text('Run the same command again to complete the other accounts.');
}

function inWords(outcome: string): string {
  return outcome.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
