import { parseStorageAccountId } from '../../azure/resource-id.ts';
import type { Log } from '../../log.ts';
import { contestOf, withContest } from '../../orders/contests.ts';
import { REASONS } from '../../reasons.ts';
import { HOUR_MS } from '../../time/spans.ts';
import type { Leases } from '../../work/lease-client.ts';
import type { Cause } from '../../work/messages.ts';
import { rulesOf } from '../evaluate-all.ts';
import { fix, isFixed } from '../fixes.ts';
import { putWork, type WantedWork } from '../put-work.ts';
import type { DriftChange, Finding } from '../report.ts';
import type { DriftServices } from '../run-drift-check.ts';
import { logCauses } from '../store/publish-report.ts';
import { type ChangeRow, requestChanges } from './change-rows.ts';
import { confirmChanges } from './confirm-changes.ts';
import { type Focus, type FocusPorts, focusOf, resourceOf } from './focus.ts';
import { checkFocus } from './gather-focus.ts';
import { type Merged, mergeResult, secondsTo } from './merge.ts';

/** Held by the instance that checks changes, since one writer at a time merges into the report. */
const LEASE = 'drift/changes';
/** Delay and limit of further checks after a repair, or after a read that failed. */
const [AGAIN_MS, MOST_ATTEMPTS] = [4_000, 8];
/** After so many repairs of one account within an hour, another change of it is contested, and left to an operator. */
const MOST_REPAIRS = 2;

export type ChangeServices = DriftServices &
  FocusPorts & {
    readonly leases: Leases;
    readonly newId: () => string;
  };

/**
 * Runs the drift checks on the subjects of pending changes alone, merges the findings into the newest report, and repairs what
 * CMK_AUTOFIX names. Idempotent. Does nothing while another instance holds the lease: that instance reads the rows again
 * before and after it releases it.
 */
export async function checkChanges(cause: Cause, services: ChangeServices, log: Log): Promise<void> {
  const due = async (): Promise<ChangeRow[]> =>
    (await services.changes.pending()).filter((row) => row.due <= services.now());
  const lease = await services.leases.acquire(LEASE);
  if (!lease) return;
  try {
    for (let rows = await due(); rows.length > 0 && lease.held(); rows = await due()) {
      await checkRows(rows, services, log);
    }
  } finally {
    await lease.release();
  }
  const pending = await services.changes.pending();
  if (pending.length === 0) return;
  const next = Math.min(...pending.map((row) => row.due.getTime())) - services.now().getTime();
  await requestChanges(services, cause, Math.max(0, Math.ceil(next / 1_000)));
}

async function checkRows(rows: readonly ChangeRow[], services: ChangeServices, log: Log): Promise<void> {
  const { driftStorage, settings, now } = services;
  const id = services.newId();
  const orders = await services.control.readNow(log);
  const rules = rulesOf(settings, now(), orders.contests);
  const focus = await focusOf(rows, services);
  const result = await checkFocus(focus, rules, services);
  const doesFix = (finding: Finding) => isFixed(finding, settings.drift.autofix) && !isContested(finding);
  const isContested = ({ resource }: Finding) => contestOf(orders.contests, resourceOf(resource), now()) !== undefined;
  let merged: Merged | undefined;
  // The time is read again, after the checks: the report says how long a change took to become a finding.
  const input = { focus, result, changes: rows, rules: { ...rules, now: now() }, isFixed: doesFix };
  const report = await driftStorage.merge((whole) => {
    merged = mergeResult(whole, input);
    return merged.report;
  });
  const cause = { by: 'drift', ref: id, since: now().toISOString() };
  // Also without a report, which the first whole check will make: the index has to know the accounts.
  await putWork(accountWork(rows), cause, services);
  if (!report || !merged) return services.changes.finish(rows);
  logMerged(merged, report.id, log);
  const contests = newContests(rows, merged, settings.drift.autofix, services);
  if (contests.length > 0) {
    await services.orderStore.change((current) => contests.reduce(withContest, current));
    // Checked at once: the check makes a finding of the contest.
    await services.changes.put(contests.map(({ row }) => ({ ...row, due: now(), attempts: row.attempts + 1 })));
  }
  const contested = new Set(contests.map(({ account }) => resourceOf(account)));
  const repairable = merged.report.findings.filter(
    (finding) => isInFocus(finding, focus) && doesFix(finding) && !contested.has(resourceOf(finding.resource)),
  );
  await fix(repairable, id, services, log);
  const needsAnotherCheck = result.unread.length > 0 || repairable.length > 0;
  const again = rows.filter(
    (row) => needsAnotherCheck && row.attempts < MOST_ATTEMPTS && !contested.has(resourceOf(row.at)),
  );
  await services.changes.put(
    again.map((row) => ({ ...row, due: new Date(now().getTime() + AGAIN_MS), attempts: row.attempts + 1 })),
  );
  await services.changes.finish(rows.filter((row) => !again.includes(row) && !contested.has(resourceOf(row.at))));
  await confirmChanges(merged.changes, services, log);
}

function isInFocus({ resource }: Pick<Finding, 'resource'>, { accounts, vaults }: Focus): boolean {
  return accounts.has(resourceOf(resource)) || vaults.has(resourceOf(resource));
}

/** Work items for changed accounts: a pass reads each, updates the index, and moves it if it may. */
function accountWork(rows: readonly ChangeRow[]): WantedWork[] {
  return rows.flatMap(({ concern, at }): WantedWork[] => {
    const account = concern === 'account' ? parseStorageAccountId(at) : undefined;
    return account ? [{ subscription: account.subscriptionId, kind: 'account', about: account.id }] : [];
  });
}

/** Accounts that were changed once more, after the app had repaired them twice within an hour. */
export function newContests(
  rows: readonly ChangeRow[],
  { report, added }: Pick<Merged, 'report' | 'added'>,
  autofix: readonly string[],
  { now, newId }: Pick<ChangeServices, 'now' | 'newId'>,
) {
  const since = now().getTime() - HOUR_MS;
  const isRecent = ({ on }: Pick<DriftChange, 'on'>) => Date.parse(on) >= since;
  return rows.flatMap((row) => {
    const about = resourceOf(row.at);
    const isAgain = added.some((finding) => isFixed(finding, autofix) && resourceOf(finding.resource) === about);
    const repairs = report.changes.filter(
      ({ id, fixed, resource, ...change }) =>
        fixed && id !== row.id && isRecent(change) && resourceOf(resource) === about,
    );
    if (row.concern !== 'account' || !isAgain || repairs.length < MOST_REPAIRS) return [];
    const { objectId, name, client } = row.changedBy;
    const by = { ...(objectId ? { objectId } : {}), ...(name ? { name } : {}), ...(client ? { client } : {}) };
    const until = new Date(now().getTime() + 24 * HOUR_MS).toISOString();
    return [{ id: newId(), account: row.at, since: now().toISOString(), until, by, row }];
  });
}

function logMerged({ changes, added, report }: Merged, id: string, log: Log): void {
  for (const change of changes) {
    const { operation, resource, objectId, name, client, correlationId, found, gone } = change;
    log({
      level: 'info',
      reason: 'DriftFoundByEvent',
      message: `${REASONS.DriftFoundByEvent} ${found.length} findings are new, ${gone.length} are gone.`,
      ...{ operation, resource, objectId, name, client, correlationId },
      ...{ found: found.length, gone: gone.length, seconds: secondsTo(change), report: id },
    });
  }
  const news = new Set(added.map(({ cause }) => cause.id));
  logCauses(
    report.causes.filter((cause) => news.has(cause.id)),
    id,
    log,
  );
}
