import type { ActivityLog } from '../../accounts/activity-log-client.ts';
import { parseStorageAccountId, splitScope, toComparableId } from '../../azure/resource-id.ts';
import type { Log } from '../../errors/log.ts';
import { REASONS } from '../../errors/reasons.ts';
import { DAY_MS, HOUR_MS } from '../../formats/spans.ts';
import type { UseRows } from '../../index/use-row.ts';
import { type Contest, withContest } from '../../orders/standing-orders.ts';
import type { OrdersStore } from '../../orders/standing-orders-client.ts';
import type { Leases } from '../../work/lease-client.ts';
import { BUSY, DONE, type JobOutcome } from '../../work/outcome.ts';
import { type FixServices, fix, isFixed } from '../apply/fixes.ts';
import { putWork, type WantedWork } from '../apply/put-work.ts';
import type { Rules } from '../checks/subjects.ts';
import type { GatherServices } from '../gather/parts.ts';
import { createRules } from '../gather/rules.ts';
import type { DriftReport, Finding } from '../report/report.ts';
import type { DriftStorage } from '../store/drift-storage-client.ts';

import { logCauses } from '../store/publish-report.ts';
import type { ChangeRow, ChangeRows } from './change-rows.ts';
import { confirmChanges } from './confirm-changes.ts';
import { type Focus, type FocusPorts, findContainingResource, findFocus, isAbout } from './focus.ts';
import { checkFocus, type FocusResult } from './gather-focus.ts';
import { countSecondsTo, type Merged, mergeResult } from './merge.ts';
import { RELEASE } from './release-change.ts';

/** The instance that checks changes holds this lease, so only one writer merges into the report. */
const LEASE = 'drift/changes';
/** Interval of the checks after a repair or a failed read. */
const AGAIN_MS = 4_000;
/** These checks end this long after the first check: the hourly check finds what is left. Milliseconds. */
const WATCHED_MS = 40_000;
/** Maximum number of repairs of one use per hour. After a further change, an operator must release the account. */
const MOST_REPAIRS = 2;
/** Maximum number of uses per row. A table property holds 64 KiB. */
const MOST_NOTED = 64;

/** The services of gathering and fixing, and the stores of changes, orders and reports. */
type ChangeServices = GatherServices &
  FixServices &
  FocusPorts & {
    readonly driftStorage: DriftStorage;
    readonly orderStore: OrdersStore;
    readonly changes: ChangeRows;
    readonly activityLog: Pick<ActivityLog, 'writes'>;
    readonly useRows: Pick<UseRows, 'of'>;
    readonly leases: Leases;
    readonly newId: () => string;
  };

/**
 * Runs the drift checks only on the subjects of pending changes. Merges the findings into the newest report, and
 * repairs the reasons in CMK_AUTOFIX. Idempotent. Throws the SDK's errors.
 */
export async function checkChanges(services: ChangeServices, log: Log): Promise<JobOutcome> {
  const { changes, leases, now } = services;
  const lease = await leases.acquire(LEASE);
  if (!lease) return BUSY;

  try {
    const rows = (await changes.pending()).filter((row) => secondsUntilCheck(row, now()) === 0);
    if (rows.length > 0) await checkRows(rows, services, log);
  } finally {
    await lease.release();
  }

  // Changes that arrived during the check, and those that wait for a repair. Read after the release, since a request
  // that came before it did nothing.
  const waiting = await changes.pending();
  if (waiting.length === 0) return DONE;

  return { outcome: 'again', delaySeconds: Math.min(...waiting.map((row) => secondsUntilCheck(row, now()))) };
}

function secondsUntilCheck({ lastCheck }: ChangeRow, now: Date): number {
  // The clock of the instance that made the last check may be ahead.
  if (!lastCheck || lastCheck > now) return 0;

  return Math.ceil(Math.max(0, lastCheck.getTime() + AGAIN_MS - now.getTime()) / 1_000);
}

/** Checks the subjects of some rows: contests, report, work items, repairs and confirmations. */
async function checkRows(taken: readonly ChangeRow[], services: ChangeServices, log: Log): Promise<void> {
  const check = await evaluateRows(taken, services);

  // Repeats the checks with the stored contests before it enqueues work.
  if (await declareContests(check, services)) return checkRows(check.rows, services, log);

  const { id, rows } = check;
  const merged = await mergeIntoReport(check, services);

  // Runs without a report too, because the index must contain the accounts. The first full check creates the report.
  await putWork(planWorkOfChanges(rows), { by: 'drift', ref: id, since: services.now().toISOString() }, services);

  if (!merged) return services.changes.finish(rows);

  logMerged(merged, log);

  const again = await repair(check, merged.report, services, log);

  await services.changes.put(again);

  const ids = new Set(again.map((row) => row.id));

  await services.changes.finish(rows.filter((row) => !ids.has(row.id)));
  await confirmChanges(merged.changes, services, log);
}

/** Findings on the subjects of some rows. */
interface Check {
  readonly id: string;
  readonly rows: readonly ChangeRow[];
  readonly focus: Focus;
  readonly rules: Rules;
  readonly result: FocusResult;
  /** Findings that the app repairs. */
  readonly broken: FocusResult['found'];
}

async function evaluateRows(taken: readonly ChangeRow[], services: ChangeServices): Promise<Check> {
  const { settings, now } = services;
  const orders = await services.orderStore.read();
  const rules = createRules(settings, now(), orders.contests);
  const focus = await findFocus(taken, services);
  const result = await checkFocus(focus, rules, services);
  const broken = result.found.filter((finding) => isFixed(finding, settings.drift.autofix));
  return { id: services.newId(), rows: withBroken(taken, broken, result.stamps), focus, rules, result, broken };
}

/** Stores a contest for each account that was changed again after two repairs. @returns whether it stored any */
async function declareContests({ rows, broken }: Check, services: ChangeServices): Promise<boolean> {
  if (broken.length === 0) return false;
  const recent = [...rows, ...(await services.changes.recent())];
  const contests = findNewContests(broken, recent, services.now(), services.newId);
  if (contests.length === 0) return false;
  await services.changes.put(rows);
  await services.orderStore.change((current) => contests.reduce(withContest, current));
  return true;
}

/** @returns undefined if no report exists yet */
async function mergeIntoReport(
  { focus, result, rows: changes, rules }: Check,
  { driftStorage, settings, now }: ChangeServices,
): Promise<Merged | undefined> {
  let merged: Merged | undefined;

  // Reads the time again after the checks. The report measures the time from a change to its finding.
  const input = { focus, result, changes, rules: { ...rules, now: now() }, autofix: settings.drift.autofix };
  await driftStorage.merge((whole) => {
    merged = mergeResult(whole, input);
    return merged.report;
  });

  return merged;
}

/** Repairs findings. @returns rows to check again, because of a repair in progress or a failed read */
async function repair(
  { id, rows, focus, result }: Check,
  { findings }: DriftReport,
  services: ChangeServices,
  log: Log,
): Promise<ChangeRow[]> {
  const { autofix } = services.settings.drift;
  const repairable = findings.filter((finding) => isAbout(focus, finding) && isFixed(finding, autofix));
  await fix(repairable, id, services, log);

  if (result.unread.length === 0 && repairable.length === 0) return [];

  const now = services.now();

  return rows
    .map((row) => ({ ...row, firstCheck: row.firstCheck ?? now, lastCheck: now }))
    .filter(({ firstCheck }) => now.getTime() - firstCheck.getTime() < WATCHED_MS);
}

/**
 * Work items for changed accounts. A pass reads each account, or lists its encryption scopes if one of them changed,
 * updates the index, and moves the use if allowed.
 */
export function planWorkOfChanges(rows: readonly Pick<ChangeRow, 'concern' | 'at' | 'firstCheck' | 'changedBy'>[]) {
  return rows.flatMap(({ concern, at, firstCheck, changedBy }): WantedWork[] => {
    const account = concern === 'account' && !firstCheck ? parseStorageAccountId(at) : undefined;
    if (!account) return [];

    const isOfScope = splitScope(changedBy.resource).scope !== undefined;
    return [{ subscription: account.subscriptionId, kind: isOfScope ? 'scopes' : 'account', about: account.id }];
  });
}

function logMerged({ changes, added, report }: Merged, log: Log): void {
  for (const change of changes) {
    const { operation, resource, objectId, name, client, correlationId, found, gone } = change;
    const by = { operation, resource, objectId, name, client, correlationId };
    const about = { ...by, found: found.length, gone: gone.length, seconds: countSecondsTo(change), report: report.id };
    log({
      level: 'info',
      reason: 'DriftFoundByEvent',
      message: `${REASONS.DriftFoundByEvent} ${found.length} findings are new, ${gone.length} are gone.`,
      ...about,
    });
  }

  const news = new Set(added.map(({ cause }) => cause.id));
  logCauses(
    report.causes.filter((cause) => news.has(cause.id)),
    report.id,
    log,
  );
}

/** Adds pending repairs to the rows of accounts. @param stamps Azure's time stamps, by comparable id */
export function withBroken(
  rows: readonly ChangeRow[],
  repairable: readonly Pick<Finding, 'resource'>[],
  stamps: ReadonlyMap<string, string>,
): ChangeRow[] {
  return rows.map((row) => {
    if (row.concern !== 'account') return row;
    const broken = repairable.flatMap(({ resource }) => {
      const use = toComparableId(resource);
      const stamp = findContainingResource(use) === findContainingResource(row.at) ? stamps.get(use) : undefined;
      return stamp ? [{ use, stamp }] : [];
    });
    const noted = [...(row.broken ?? []), ...broken].map((one) => [`${one.use} ${one.stamp}`, one] as const);
    return broken.length > 0 ? { ...row, broken: [...new Map(noted).values()].slice(0, MOST_NOTED) } : row;
  });
}

/**
 * Returns a contest for each account whose use needs a third repair within an hour. Each change of a use has a different
 * time stamp. A release resets the count.
 *
 * @param recent rows of the last hour
 */
export function findNewContests(
  repairable: readonly Pick<Finding, 'resource'>[],
  recent: readonly ChangeRow[],
  now: Date,
  newId: () => string,
): Contest[] {
  const uses = Map.groupBy(new Set(repairable.map(({ resource }) => toComparableId(resource))), findContainingResource);

  return [...uses].flatMap(([account, broken]): Contest[] => {
    const rows = recent
      .filter(({ concern, at }) => concern === 'account' && findContainingResource(at) === account)
      .sort((a, b) => Date.parse(a.notedOn) - Date.parse(b.notedOn));
    const released = rows.findLast(({ changedBy }) => changedBy.operation === RELEASE)?.notedOn;
    const since = Math.max(now.getTime() - HOUR_MS, released === undefined ? 0 : Date.parse(released));
    const counted = rows.filter(({ notedOn }) => Date.parse(notedOn) >= since);
    const stampsOf = (use: string) =>
      new Set(counted.flatMap((row) => row.broken ?? []).flatMap((one) => (one.use === use ? one.stamp : [])));
    const last = counted.at(-1);
    if (!last || !broken.some((use) => stampsOf(use).size > MOST_REPAIRS)) return [];

    const { objectId, name, client } = last.changedBy;
    const by = {
      ...(objectId ? { objectId } : {}),
      ...(name ? { name } : {}),
      ...(client ? { client } : {}),
    };
    const until = new Date(now.getTime() + DAY_MS).toISOString();

    return [{ id: newId(), account: last.at, since: now.toISOString(), until, by }];
  });
}
