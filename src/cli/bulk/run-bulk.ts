import pMap from 'p-map';
import { lastName } from '../../azure/resource-id.ts';
import { type Entry, Journal } from '../../operations/journal.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import { type Explanation, explain } from '../explain.ts';
import type { BulkRow } from './bulk-rows.ts';

/** Work of a bulk command for each account. */
export interface BulkWork<A = Readonly<Record<string, unknown>>, R = unknown> {
  readonly run: (account: string, options: A, operation: Operation) => Promise<R>;
  /** Returns why a result counts as a failure; undefined: it succeeded. */
  readonly trouble?: (result: R) => string | undefined;
  /** Resources that several rows share (a vault, an identity): the first row runs alone and creates them. */
  readonly shares?: (options: A) => readonly string[];
}

/**
 * `done`: changed; in a plan: would be changed. `unchanged`: already as requested. `refused`: the plan failed, so the
 * account was not started. `notStarted`: too many accounts had failed.
 */
type BulkOutcome = 'done' | 'unchanged' | 'failed' | 'refused' | 'notStarted';

/** Result for one account. */
export interface BulkResult {
  readonly account: string;
  readonly outcome: BulkOutcome;
  readonly changes: readonly Entry[];
  readonly notes: readonly string[];
  readonly error?: Explanation;
  readonly result?: unknown;
}

export interface BulkLimits {
  /** Accounts at the same time. */
  readonly concurrency: number;
  /** Number of failures after which no account is started. */
  readonly maxFailures: number;
}

/** Runs each account as a dry run. */
export async function planBulk(
  rows: readonly BulkRow[],
  work: BulkWork,
  { concurrency }: BulkLimits,
  { azure, environment, journal }: Operation,
): Promise<BulkResult[]> {
  let planned = 0;
  return pMap(
    rows,
    async (row) => {
      const result = await tryRow(row, work, { azure, journal: new Journal({ dryRun: true }), environment });
      planned += 1;
      journal.waiting(`planning ${lastName(row.account)}`, { done: planned, total: rows.length });
      return result.outcome === 'failed' ? { ...result, outcome: 'refused' as const } : result;
    },
    { concurrency },
  );
}

/**
 * Runs the work for each account. Rows that share a missing resource run one after another until it exists, the others
 * `concurrency` at a time.
 *
 * @param ended called with each result immediately
 */
export async function runBulk(
  rows: readonly BulkRow[],
  work: BulkWork,
  { concurrency, maxFailures }: BulkLimits,
  { azure, journal, environment }: Operation,
  ended: (result: BulkResult) => void,
): Promise<BulkResult[]> {
  let failures = 0;
  const results = new Map<BulkRow, BulkResult>();
  const progress = ({ account }: BulkRow, text: string): void =>
    journal.waiting(`${lastName(account)}: ${text}`, { done: results.size, total: rows.length });
  const one = async (row: BulkRow): Promise<boolean> => {
    if (failures >= maxFailures) return false;
    const own = new Journal({
      record: journal.record,
      show: ({ kind, text }) => kind === 'waiting' && progress(row, text),
    });
    const result = await tryRow(row, work, { azure, journal: own, environment });
    journal.take(own);
    if (result.outcome === 'failed') failures += 1;
    results.set(row, result);
    ended(result);
    progress(row, result.outcome);
    return result.outcome !== 'failed';
  };
  const made = new Set<string>();
  const rest: BulkRow[] = [];
  for (const row of rows) {
    const shared = work.shares?.(row.options) ?? [];
    if (shared.every((what) => made.has(what))) rest.push(row);
    else if (await one(row)) for (const what of shared) made.add(what);
  }
  await pMap(rest, one, { concurrency });
  return rows.map((row) => results.get(row) ?? { account: row.account, outcome: 'notStarted', changes: [], notes: [] });
}

async function tryRow({ account, options }: BulkRow, work: BulkWork, operation: Operation): Promise<BulkResult> {
  const { journal } = operation;
  const seen = () => ({
    account,
    changes: journal.entries.filter(({ kind }) => kind === 'done' || kind === 'planned'),
    notes: journal.entries.filter(({ kind }) => kind === 'note').map(({ text }) => text),
  });
  try {
    const result = await work.run(account, options, operation);
    const trouble = work.trouble?.(result);
    if (trouble === undefined) return { ...seen(), outcome: journal.changed ? 'done' : 'unchanged', result };
    const error = { reason: 'NotProven', message: trouble, nextStep: `cmk account verify ${account}` } as const;
    return { ...seen(), outcome: 'failed', error, result };
  } catch (error) {
    return { ...seen(), outcome: 'failed', error: explain(error) };
  }
}
