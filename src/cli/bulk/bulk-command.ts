import type { Command } from 'commander';
import { lastName } from '../../azure/resource-id.ts';
import type { Entry } from '../../operations/journal.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import { count } from '../../text.ts';
import type { CmkCommand } from '../command.ts';
import type { Explanation } from '../explain.ts';
import { oneTo, UsageError } from '../options.ts';
import type { Output, TitledColumn } from '../output.ts';
import { readGivenText } from '../read-given.ts';

const AFTER = `
Many accounts at once: --from reads them from CSV whose first line names the
columns: \`account\`, and every option of this command by its long name. An empty
cell takes the option of the command line. The command shows a plan, asks for
confirmation (not with --yes), and changes several accounts at a time. After a
failure run the same command again: completed accounts stay done.`;

/** A command for one account that also accepts many. */
export interface BulkCommand<A = Readonly<Record<string, unknown>>, R = unknown> {
  /** Required options, by the name of their value: `vault`. */
  readonly required?: readonly string[];
  /** The command only reads: it has no plan and no confirmation. */
  readonly reads?: boolean;
  /** Resources that several rows share (a vault, an identity): the first row runs alone and creates them. */
  readonly shares?: (options: A) => readonly string[];
  readonly run: (account: string, options: A, operation: Operation) => Promise<R>;
  /** Returns why a result counts as a failure; undefined: it succeeded. */
  readonly trouble?: (result: R) => string | undefined;
  /** Shows the result for one account. */
  readonly show?: (result: R, output: Output) => void;
}

/** Options of a bulk command. */
export interface BulkOptions {
  readonly from?: string;
  /** Accounts at the same time. */
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

/** Result for one account. */
export interface BulkResult {
  readonly account: string;
  readonly outcome: Outcome;
  readonly changes: readonly Entry[];
  readonly notes: readonly string[];
  readonly error?: Explanation;
  readonly result?: unknown;
}

/** Result of a bulk command. */
export interface BulkSummary {
  readonly counts: Readonly<Record<Outcome, number>>;
  readonly accounts: readonly BulkResult[];
  /** Why the command started no account. */
  readonly stopped?: string | undefined;
}

/** Makes a command work for one account, or for many from a file. */
export function oneOrMany<A, R>(command: CmkCommand, typed: BulkCommand<A, R>): void {
  // Commander's options have no types.
  const bulk = typed as unknown as BulkCommand;
  const work = async (operation: Operation, options: BulkOptions, account?: string): Promise<unknown> => {
    requireAccounts(command, account, options, bulk.required);
    if (account !== undefined) return bulk.run(account, { ...options }, operation);
    const { readBulkRows } = await import('./bulk-rows.ts');
    const { runMany } = await import('./run-bulk.ts');
    const rows = readBulkRows(await readGivenText(options.from ?? '-'), command, bulk.required);
    return runMany(rows, bulk, { ...options, name: command.name() }, operation, command.cli);
  };
  const show = (result: unknown, output: Output, { from, dryRun = false }: BulkOptions): void => {
    if (from === undefined) bulk.show?.(result, output);
    else showSummary(result as BulkSummary, output, { dryRun, reads: bulk.reads ?? false });
  };
  manyAccounts(command);
  if (bulk.reads) command.reads(work, show);
  else command.changes(work, show);
}

/** Adds the options for many accounts to a command. */
export function manyAccounts<C extends Command>(command: C): C {
  return command
    .option('--from <file>', 'many accounts, from CSV (-: from standard input)')
    .option('--concurrency <number>', 'accounts at the same time, 1 to 32', oneTo(32), 4)
    .option('--max-failures <number>', 'start no more accounts after this many failures', oneTo(1_000_000), 5)
    .option('--yes', 'skip the confirmation before many accounts are changed')
    .addHelpText('after', AFTER);
}

/**
 * Checks that the command line names one account or many. For one account, the error lists all missing options at once.
 *
 * @throws {@link UsageError}
 */
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

export const ACCOUNT: TitledColumn<BulkResult> = ['ACCOUNT', ({ account }) => lastName(account)];

/** What happened to an account, or would happen. @param reads a command that only reads has checked an unchanged account */
export function detailOf({ outcome, changes, error }: BulkResult, reads: boolean): string {
  if (error) return `${outcome.toUpperCase()}: ${error.reason}: ${error.message} ${error.nextStep}`;
  if (outcome === 'done') return changes.map(({ text }) => text).join('; ');
  if (outcome === 'unchanged') return reads ? 'ok' : 'nothing to do';
  return inWords(outcome);
}

export function showSummary(
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
  output.text(`${count(accounts.length, 'account')}: ${parts.join(', ')}.`);
  if (stopped !== undefined) output.text(stopped);
  const isIncomplete = counts.failed + counts.refused + counts.notStarted > 0;
  output.incompleteIf(isIncomplete);
  if (isIncomplete && !dryRun) output.text('Run the same command again to complete the other accounts.');
}

/** `not started`. */
function inWords(outcome: string): string {
  return outcome.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
