import pMap from 'p-map';
import { lastName } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import { type Entry, Journal } from '../../operations/journal.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import { count } from '../../text.ts';
import type { Cli } from '../cli.ts';
import { askBefore } from '../confirm.ts';
import { type Explanation, explain } from '../explain.ts';
import { Output } from '../output.ts';
import {
  ACCOUNT,
  type BulkCommand,
  type BulkOptions,
  type BulkResult,
  type BulkSummary,
  detailOf,
} from './bulk-command.ts';
import type { BulkRow } from './bulk-rows.ts';

/** Runs a command for many accounts: plan, question, work, summary. */
export async function runMany(
  rows: readonly BulkRow[],
  bulk: BulkCommand,
  options: BulkOptions & { readonly name: string },
  operation: Operation,
  cli: Cli,
): Promise<BulkSummary> {
  const { reads = false } = bulk;
  const { err } = cli.context;
  const write = (text: string): unknown => {
    cli.clearProgress();
    return err.write(text);
  };
  const talk = new Output(err.isTTY ? 'terminal' : 'lines', { ...err, write }, err, cli.environment);
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
    await confirmMany(`${options.name} ${count(changing.length, 'account')}`, cli);
  }
  return summaryOf([...(await run(going, left)), ...refused]);
}

/** @throws {@link CmkError} `ConfirmationWrong` */
async function confirmMany(what: string, { context }: Cli): Promise<void> {
  const typed = await askBefore(what, context.ask, () => `This will ${what}. Type yes to continue: `);
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
    journal.waiting(`${lastName(account)}: ${text}`, { done: results.size, total: rows.length });
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
    if (shared.every((what) => made.has(what))) rest.push(row);
    else if (await one(row)) for (const what of shared) made.add(what);
  }
  await pMap(rest, one, { concurrency });
  return rows.map((row) => results.get(row) ?? { account: row.account, outcome: 'notStarted', changes: [], notes: [] });
}

async function runRow({ account, options }: BulkRow, bulk: BulkCommand, operation: Operation): Promise<BulkResult> {
  const { journal } = operation;
  const ended = (result: unknown, error?: Explanation): BulkResult => ({
    account,
    outcome: error ? (journal.dryRun ? 'refused' : 'failed') : journal.changed ? 'done' : 'unchanged',
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
