import { parseStorageAccountId } from '../../azure/resource-id.ts';
import type { Log } from '../../log.ts';
import { contestOf, withContest } from '../../orders/standing-orders.ts';
import { REASONS } from '../../reasons.ts';
import type { Leases } from '../../work/lease-client.ts';
import type { Cause } from '../../work/messages.ts';
import { rulesOf } from '../evaluate-all.ts';
import { fix, isFixed } from '../fixes.ts';
import { putWork, type WantedWork } from '../put-work.ts';
import type { Finding } from '../report.ts';
import type { DriftServices } from '../run-drift-check.ts';
import { logCauses } from '../store/publish-report.ts';
import { type ChangeRow, requestChanges } from './change-rows.ts';
import { confirmChanges } from './confirm-changes.ts';
import { type Focus, type FocusPorts, focusOf, resourceOf } from './focus.ts';
import { checkFocus, type FocusResult } from './gather-focus.ts';
import { type Merged, mergeResult, secondsTo } from './merge.ts';
import { newContests, withBroken } from './new-contests.ts';

/** Held by the instance that checks changes, since one writer at a time merges into the report. */
const LEASE = 'drift/changes';
/** Delay and limit of further checks after a repair, or after a read that failed. */
const [AGAIN_MS, MOST_ATTEMPTS] = [4_000, 8];

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

async function checkRows(taken: readonly ChangeRow[], services: ChangeServices, log: Log): Promise<void> {
  const { driftStorage, settings, now } = services;
  const id = services.newId();
  const orders = await services.control.readNow(log);
  const rules = rulesOf(settings, now(), orders.contests);
  const focus = await focusOf(taken, services);
  const result = await checkFocus(focus, rules, services);
  const doesFix = (finding: Finding | FocusResult['found'][number]) =>
    isFixed(finding, settings.drift.autofix) &&
    contestOf(orders.contests, resourceOf(finding.resource), now()) === undefined;
  const broken = result.found.filter(doesFix);
  const rows = withBroken(taken, broken, result.stamps);
  const recent = broken.length > 0 ? [...rows, ...(await services.changes.recent())] : [];
  const contests = newContests(broken, recent, now(), services.newId);
  if (contests.length > 0) {
    await services.changes.put(rows);
    await services.orderStore.change((current) => contests.reduce(withContest, current));
    // Checked by the stored contest, before anything is enqueued.
    return checkRows(rows, services, log);
  }
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
  const repairable = merged.report.findings.filter((finding) => isInFocus(finding, focus) && doesFix(finding));
  await fix(repairable, id, services, log);
  const needsAnotherCheck = result.unread.length > 0 || repairable.length > 0;
  const again = rows.filter((row) => needsAnotherCheck && row.attempts < MOST_ATTEMPTS);
  await services.changes.put(
    again.map((row) => ({ ...row, due: new Date(now().getTime() + AGAIN_MS), attempts: row.attempts + 1 })),
  );
  await services.changes.finish(rows.filter((row) => !again.includes(row)));
  await confirmChanges(merged.changes, services, log);
}

function isInFocus({ resource }: Pick<Finding, 'resource'>, { accounts, vaults }: Focus): boolean {
  return accounts.has(resourceOf(resource)) || vaults.has(resourceOf(resource));
}

/** Work items for changed accounts: a pass reads each, updates the index, and moves it if it may. */
function accountWork(rows: readonly ChangeRow[]): WantedWork[] {
  return rows.flatMap(({ concern, at, attempts }): WantedWork[] => {
    const account = concern === 'account' && attempts === 0 ? parseStorageAccountId(at) : undefined;
    return account ? [{ subscription: account.subscriptionId, kind: 'account', about: account.id }] : [];
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
