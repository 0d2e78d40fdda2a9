import type { Command } from 'commander';
import pMap from 'p-map';
import { describe, describeFailure } from '../../azure/failure.ts';
import { CONCURRENCY } from '../../azure/limits.ts';
import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { accountKeyUse } from '../../fleet/key-use.ts';
import { formatKeyIdentifier } from '../../keys/key-identifier.ts';
import type { Journal } from '../../operations/journal.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import { count } from '../../text.ts';
import type { Cli } from '../cli.ts';
import type { ExitCode } from '../exit-codes.ts';
import { oneTo } from '../options.ts';
import { Output } from '../output.ts';
import { readGivenText } from '../read-given.ts';
import { type BulkSummary, confirmPlan, isLeft, showPlan, showSummary, summary, wordsOf } from './bulk-report.ts';
import type { BulkRow } from './bulk-rows.ts';
import type { ResumeFile } from './resume-file.ts';
import type { BulkResult, BulkWork } from './run-bulk.ts';

const AFTER = `
Many accounts at once: --from reads them from CSV whose first line names the
columns: \`account\`, and every option of this command by its long name; what a
row leaves empty, the command line says. --where takes those that your sign-in
sees and that meet a condition. First comes a plan, and a question (none with
--yes); then it is done, several at a time. What is done is written into the
resume file: the same command again does the rest.`;

/** What a command that takes one account does, and many. */
export interface BulkCommand<A = Readonly<Record<string, unknown>>, R = unknown> extends BulkWork<A, R> {
  /** Options without which nothing can be done, by the name of their value: `vault`. */
  readonly required: readonly string[];
  /** It only looks: there is no plan, and nothing to confirm. */
  readonly looks?: boolean;
  /** Shows the result for one account. */
  readonly show?: (result: R, output: Output) => ExitCode | undefined;
}

interface BulkArguments {
  readonly from?: string;
  readonly where?: string[];
  readonly yes?: boolean;
  readonly concurrency: number;
  readonly maxFailures: number;
  readonly resumeFile?: string;
  readonly dryRun?: boolean;
  readonly quiet?: boolean;
}

/** Options of a command that takes many accounts too. */
export function manyAccounts(command: Command): Command {
  return command
    .option('--from <file>', 'many accounts, from CSV (-: from standard input)')
    .option('--where <condition...>', 'many accounts: vault=…, key=…, subscription=…, resource-group=…, tag=name=value')
    .option('--concurrency <number>', 'accounts at the same time, 1 to 32', oneTo(32), 4)
    .option('--max-failures <number>', 'start nothing more after so many failures', oneTo(1_000_000), 5)
    .option('--resume-file <path>', 'where what is done is written (default: beside the CSV file)')
    .option('--yes', 'do not ask before many accounts are changed')
    .addHelpText('after', AFTER);
}

/**
 * Whether many accounts are asked for. Of one, everything that is missing is said at once.
 *
 * @throws {@link CmkError} `ArgumentInvalid`
 */
export function isBulk(account: string | undefined, command: Command, required: readonly string[]): boolean {
  const { from, where } = command.opts<BulkArguments>();
  const given = [account, from, where].filter((one) => one !== undefined).length;
  if (given > 1) {
    throw new CmkError('ArgumentInvalid', 'An account, --from and --where exclude each other.', 'Give one of them.');
  }
  if (given === 1 && account === undefined) return true;
  const options = command.optsWithGlobals<Record<string, unknown>>();
  const flags = command.options
    .filter((option) => required.includes(option.attributeName()) && options[option.attributeName()] === undefined)
    .map((option) => option.flags);
  const missing = [...(account === undefined ? ['<account>'] : []), ...flags];
  if (missing.length === 0) return false;
  throw new CmkError(
    'ArgumentInvalid',
    `Missing: ${missing.join(', ')}.`,
    `cmk account ${command.name()} --help shows what there is.`,
  );
}

/** Does something with many accounts: plan, question, work, summary. */
export async function runMany(bulk: BulkCommand, command: Command, cli: Cli): Promise<void> {
  const options = command.optsWithGlobals<BulkArguments>();
  const { readBulkRows } = await import('./bulk-rows.ts');
  const { checkWritable, openResumeFile } = await import('./resume-file.ts');
  const text = options.from === undefined ? undefined : await readGivenText(options.from);
  const read = text === undefined ? undefined : readBulkRows(text, command, bulk.required);
  const path = options.resumeFile ?? defaultResumeFile(command, options);
  const resume = openResumeFile(path, `account ${command.name()}`);
  if (!bulk.looks && !options.dryRun) checkWritable(path);
  await cli.run(
    command,
    async (operation) => {
      const rows = read ?? (await accountsWhere(options.where ?? [], command, bulk, operation));
      return doRows(rows, bulk, resume, command, cli, operation);
    },
    (result, output) => showSummary(result, output, options.dryRun ?? false),
  );
}

async function doRows(
  rows: readonly BulkRow[],
  bulk: BulkCommand,
  resume: ResumeFile,
  command: Command,
  cli: Cli,
  operation: Operation,
): Promise<BulkSummary> {
  const options = command.optsWithGlobals<BulkArguments>();
  const { planBulk, runBulk } = await import('./run-bulk.ts');
  const { err } = cli.context;
  const talk = new Output(err.isTTY ? 'terminal' : 'lines', err, err, cli.environment, { quiet: options.quiet });
  const waiting: Journal['waiting'] = (text, progress) => talk.entry({ kind: 'waiting', text, progress });
  let shown = 0;
  const run = (going: readonly BulkRow[], maxFailures: number) =>
    runBulk(
      going,
      { work: bulk, resume: bulk.looks ? undefined : resume, limits: { ...options, maxFailures } },
      operation,
      (result) => {
        shown += 1;
        // In a terminal the progress bar shows the others.
        if (options.quiet || (err.isTTY && result.outcome !== 'failed')) return;
        talk.text(`[${shown}/${going.length}] ${result.account}: ${wordsOf(result)}`);
      },
      waiting,
    ).finally(() => talk.clear());
  if (bulk.looks) return summary(await run(rows, options.maxFailures));
  const before = rows.filter((row) => resume.has(row));
  const todo = rows.filter((row) => !before.includes(row));
  const done: BulkResult[] = before.map(({ account }) => ({ account, outcome: 'before', changes: [], notes: [] }));
  if (before.length > 0) talk.text(`${count(before.length, 'account')} done before, as ${resume.path} says.`);
  const plan = await planBulk(todo, bulk, options, operation, waiting);
  if (options.dryRun) {
    for (const { changes } of plan) operation.journal.entries.push(...changes);
    return summary([...done, ...plan]);
  }
  const refused = plan.filter(({ outcome }) => outcome === 'refused');
  const going = todo.filter((_, at) => plan[at]?.outcome !== 'refused');
  showPlan(plan, talk);
  const left = options.maxFailures - refused.length;
  if (left <= 0 && going.length > 0) {
    return summary([...done, ...going.map(notStarted), ...refused], {
      stopped: `Nothing was started: ${refused.length} would be refused, and --max-failures is ${options.maxFailures}.`,
    });
  }
  await confirmPlan(plan, { yes: options.yes ?? false, name: command.name() }, cli);
  const all = [...done, ...(await run(going, left)), ...refused];
  if (resume.trouble !== undefined) {
    talk.note(`Not all that is done could be written into ${resume.path}: ${resume.trouble}`);
  }
  if (all.some(isLeft)) return summary(all, { resumeFile: resume.isThere() ? resume.path : undefined });
  resume.remove();
  return summary(all);
}

function defaultResumeFile(command: Command, { from }: BulkArguments): string {
  const end = `${command.name()}.resume`;
  return from === undefined || from === '-' ? `cmk-${end}` : `${from}.${end}`;
}

async function accountsWhere(
  conditions: readonly string[],
  command: Command,
  { required }: BulkCommand,
  operation: Operation,
): Promise<BulkRow[]> {
  const { matchesFilter, parseFleetFilter } = await import('../../fleet/fleet-filter.ts');
  const filter = parseFleetFilter(conditions);
  const shared = command.optsWithGlobals<Record<string, unknown>>();
  const missing = required.filter((name) => shared[name] === undefined);
  if (missing.length > 0) {
    throw new CmkError('ArgumentInvalid', `Missing: ${missing.map((name) => `--${name}`).join(', ')}.`, 'Add it.');
  }
  const subscription = typeof shared.subscription === 'string' ? shared.subscription : undefined;
  operation.journal.waiting('looking for accounts');
  const unread: string[] = [];
  const found: Account[] = [];
  const subscriptions = subscription ? [subscription] : await operation.azure.subscriptions.list();
  if (subscriptions.length === 0) unread.push('Your sign-in sees no subscription.');
  await pMap(
    subscriptions,
    async (id) => {
      try {
        for await (const account of operation.azure.accounts.list(id)) found.push(account);
      } catch (error) {
        unread.push(`The accounts of subscription ${id} cannot be listed: ${describe(describeFailure(error))}`);
      }
    },
    { concurrency: CONCURRENCY },
  );
  if (unread[0] !== undefined) {
    throw new CmkError(
      'NotProven',
      `Not every account can be seen: ${unread.join(' ')}`,
      'Narrow it by --subscription.',
    );
  }
  const rows = found
    .filter(({ subscriptionId, resourceGroup, tags, encryption }) => {
      const use = accountKeyUse(encryption);
      const key = use && formatKeyIdentifier(use);
      return matchesFilter({ subscription: subscriptionId, resourceGroup, tags, key }, filter);
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (rows.length === 0)
    throw new CmkError('AccountNotFound', 'No account meets these conditions.', 'cmk account list --all');
  return rows.map(({ id }) => ({ account: id, options: shared }));
}

function notStarted({ account }: BulkRow): BulkResult {
  return { account, outcome: 'notStarted', changes: [], notes: [] };
}
