import type { Command } from 'commander';
import { lastName } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import { count } from '../../text.ts';
import type { Cli } from '../cli.ts';
import { askBefore } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { oneTo } from '../options.ts';
import { Output } from '../output.ts';
import { readGivenText } from '../read-given.ts';
import type { BulkRow } from './bulk-rows.ts';
import type { BulkLimits, BulkResult, BulkWork } from './run-bulk.ts';

const AFTER = `
Many accounts at once: --from reads them from CSV whose first line names the
columns: \`account\`, and every option of this command by its long name. An empty
cell takes the option of the command line. The command shows a plan, asks for
confirmation (not with --yes), and changes several accounts at a time. After a
failure run the same command again: completed accounts stay done.`;

/** A command for one account that also accepts many. */
export interface BulkCommand<A = Readonly<Record<string, unknown>>, R = unknown> extends BulkWork<A, R> {
  /** Required options, by the name of their value: `vault`. */
  readonly required: readonly string[];
  /** The command only reads: it has no plan and no confirmation. */
  readonly reads?: boolean;
  /** Shows the result for one account. */
  readonly show?: (result: R, output: Output) => ExitCode | undefined;
}

interface BulkArguments extends BulkLimits {
  readonly from?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly quiet?: boolean;
}

/** Result of a bulk command. */
interface BulkSummary {
  readonly counts: Readonly<Record<BulkResult['outcome'], number>>;
  readonly accounts: readonly BulkResult[];
  /** Why the command started no account. */
  readonly stopped?: string | undefined;
}

/** Adds the options for many accounts to a command. */
export function manyAccounts(command: Command): Command {
  return command
    .option('--from <file>', 'many accounts, from CSV (-: from standard input)')
    .option('--concurrency <number>', 'accounts at the same time, 1 to 32', oneTo(32), 4)
    .option('--max-failures <number>', 'start no more accounts after this many failures', oneTo(1_000_000), 5)
    .option('--yes', 'skip the confirmation before many accounts are changed')
    .addHelpText('after', AFTER);
}

/**
 * Whether the command line names many accounts. For one account, the error lists all missing options at once.
 *
 * @throws {@link CmkError} `ArgumentInvalid`
 */
export function isBulk(account: string | undefined, command: Command, required: readonly string[]): boolean {
  const options = command.optsWithGlobals<Record<string, unknown>>();
  if (options.from !== undefined) {
    if (account === undefined) return true;
    throw new CmkError('ArgumentInvalid', 'An account and --from exclude each other.', 'Use only one of them.');
  }
  const flags = required
    .filter((name) => options[name] === undefined)
    .map((name) => command.options.find((option) => option.attributeName() === name)?.flags);
  const missing = [...(account === undefined ? ['<account>'] : []), ...flags];
  if (missing.length === 0) return false;
  throw new CmkError(
    'ArgumentInvalid',
    `Missing: ${missing.join(', ')}.`,
    `cmk account ${command.name()} --help lists the arguments and options.`,
  );
}

/** Runs a command for many accounts: plan, question, work, summary. */
export async function runMany(bulk: BulkCommand, command: Command, cli: Cli): Promise<void> {
  const options = command.optsWithGlobals<BulkArguments>();
  const { readBulkRows } = await import('./bulk-rows.ts');
  const rows = readBulkRows(await readGivenText(options.from ?? '-'), command, bulk.required);
  await cli.run(
    command,
    (operation) => changeAll(rows, bulk, { ...options, name: command.name() }, cli, operation),
    (result, output) => showSummary(result, output, { dryRun: options.dryRun ?? false, reads: bulk.reads ?? false }),
  );
}

async function changeAll(
  rows: readonly BulkRow[],
  bulk: BulkCommand,
  options: BulkArguments & { readonly name: string },
  cli: Cli,
  operation: Operation,
): Promise<BulkSummary> {
  const { planBulk, runBulk } = await import('./run-bulk.ts');
  const { err } = cli.context;
  const write = (text: string): unknown => {
    cli.clearProgress();
    return err.write(text);
  };
  const out = { write, isTTY: err.isTTY, columns: err.columns };
  const talk = new Output(err.isTTY ? 'terminal' : 'lines', out, err, cli.environment);
  let shown = 0;
  const run = (going: readonly BulkRow[], maxFailures: number) =>
    runBulk(going, bulk, { ...options, maxFailures }, operation, (result) => {
      shown += 1;
      // In a terminal the progress bar shows the other results.
      if (options.quiet || (err.isTTY && result.outcome !== 'failed')) return;
      talk.text(`[${shown}/${going.length}] ${result.account}: ${wordsOf(result, bulk.reads ?? false)}`);
    });
  if (bulk.reads) return summary(await run(rows, options.maxFailures));
  const plan = await planBulk(rows, bulk, options, operation);
  if (options.dryRun) {
    for (const { changes } of plan) operation.journal.entries.push(...changes);
    return summary(plan);
  }
  const refused = plan.filter(({ outcome }) => outcome === 'refused');
  const going = rows.filter((_, at) => plan[at]?.outcome !== 'refused');
  talk.list<BulkResult>([ACCOUNT, ['PLAN', (result) => wordsOf(result, false)]], plan);
  for (const note of new Set(plan.flatMap(({ notes }) => notes))) talk.note(note);
  const left = options.maxFailures - refused.length;
  if (left <= 0 && going.length > 0) {
    const stopped = `Nothing was started: ${refused.length} would fail, and --max-failures is ${options.maxFailures}.`;
    return summary([...(await run(going, 0)), ...refused], stopped);
  }
  const changing = plan.filter(({ outcome }) => outcome === 'done');
  if (changing.length > 0 && !options.yes)
    await confirmMany(`${options.name} ${count(changing.length, 'account')}`, cli);
  return summary([...(await run(going, left)), ...refused]);
}

/** @throws {@link CmkError} `ConfirmationWrong` */
async function confirmMany(what: string, { context }: Cli): Promise<void> {
  const typed = await askBefore(what, context.ask, () => `This will ${what}. Type yes to continue: `);
  if (/^y(?:es)?$/i.test(typed)) return;
  throw new CmkError('ConfirmationWrong', 'The answer is not yes; nothing was changed.', 'Type yes, or add --yes.');
}

const ACCOUNT = ['ACCOUNT', ({ account }: BulkResult) => lastName(account)] as const;

const WORDS: Readonly<Record<BulkResult['outcome'], string>> = {
  done: 'done',
  unchanged: 'with nothing to do',
  failed: 'failed',
  refused: 'refused',
  notStarted: 'not started',
};

/** @param reads a command that only reads has checked an unchanged account */
function wordsOf({ outcome, changes, error }: BulkResult, reads: boolean): string {
  if (error) return `${outcome.toUpperCase()}: ${error.reason}: ${error.message} ${error.nextStep}`;
  if (outcome === 'done') return changes.map(({ text }) => text).join('; ');
  if (outcome === 'unchanged') return reads ? 'ok' : 'nothing to do';
  return WORDS[outcome];
}

function summary(accounts: readonly BulkResult[], stopped?: string): BulkSummary {
  const counts = { done: 0, unchanged: 0, failed: 0, refused: 0, notStarted: 0 };
  for (const { outcome } of accounts) counts[outcome] += 1;
  return { counts, accounts, ...(stopped === undefined ? {} : { stopped }) };
}

function showSummary(
  { counts, accounts, stopped }: BulkSummary,
  output: Output,
  { dryRun, reads }: { readonly dryRun: boolean; readonly reads: boolean },
): ExitCode {
  const words = { ...WORDS, ...(dryRun ? { done: 'to be done' } : {}), ...(reads ? { unchanged: 'ok' } : {}) };
  const cells: Partial<Record<BulkResult['outcome'], string>> = {
    ...(dryRun ? { done: 'planned' } : {}),
    ...(reads ? { unchanged: 'ok' } : {}),
  };
  output.list<BulkResult>(
    [ACCOUNT, ['OUTCOME', ({ outcome }) => cells[outcome] ?? outcome], ['DETAIL', (result) => wordsOf(result, reads)]],
    accounts,
  );
  const outcomes = (Object.keys(WORDS) as BulkResult['outcome'][]).filter((outcome) => counts[outcome] > 0);
  const parts = outcomes.map((outcome) => `${counts[outcome]} ${words[outcome]}`);
  output.text(`${count(accounts.length, 'account')}: ${parts.join(', ')}.`);
  if (stopped !== undefined) output.text(stopped);
  if (counts.failed + counts.refused + counts.notStarted === 0) return EXIT.ok;
  if (!dryRun) output.text('Run the same command again to complete the other accounts.');
  return EXIT.incomplete;
}
