import type { ActivityLog } from '../accounts/activity-log-client.ts';
import { describe, describeFailure, errorText } from '../azure/failure.ts';
import type { Log } from '../log.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import { REASONS } from '../reasons.ts';
import { type RecoverServices, recoverOverdue } from '../sweep/recover.ts';
import { DAY_MS } from '../time/spans.ts';
import type { Cause } from '../work/messages.ts';
import { type ChangeRows, requestChanges } from './changes/change-rows.ts';
import { confirmChanges } from './changes/confirm-changes.ts';
import { type DriftRun, type RunningCheck, rulesOf } from './drift-run.ts';
import { type FixServices, fix } from './fixes.ts';
import { type Gathered, type GatherServices, gather } from './gather/gather.ts';
import { putWork } from './put-work.ts';
import type { WholeReport } from './report.ts';
import type { DriftStorage, RunningChecks } from './store/drift-storage-client.ts';
import { publishReport } from './store/publish-report.ts';
import { toReport } from './to-report.ts';
import { keepTrend } from './trend.ts';

/** What is known of a check that was lost is kept so long, for callers that ask for its report. Milliseconds. */
const LOST_MS = DAY_MS;

/** Resource Graph may be so far behind: what an event showed of another service's resource is read again. Milliseconds. */
const GRAPH_LAG_MS = 10 * 60_000;

/** Both halves name what they need; the report and what is known of the run are kept beside. */
export type DriftServices = GatherServices &
  FixServices &
  RecoverServices & {
    readonly driftStorage: DriftStorage;
    readonly orderStore: OrdersStore;
    readonly changes: ChangeRows;
    readonly activityLog: Pick<ActivityLog, 'writes'>;
  };

/**
 * Compares what is with what should be: gathers, evaluates, fixes what it may, writes the report. Nothing that cannot be
 * read stops it, and everything in it may be done twice, so that it can be killed and run again, or run beside another.
 *
 * @throws only what was not foreseen
 */
export async function runDriftCheck(run: DriftRun, services: DriftServices, log: Log): Promise<WholeReport> {
  const startedOn = services.now();
  const { id, by, caller } = run;
  const { driftStorage } = services;
  const check: RunningCheck = { id, by, startedOn: startedOn.toISOString(), ...(caller ? { caller } : {}) };
  await begin(check, driftStorage);
  let failure: string | undefined = 'It ended with an error that was not foreseen; the log has it.';
  try {
    const { contests } = await services.orderStore.recent();
    const rules = rulesOf(services.settings, startedOn, contests);
    const gathered = await gather(run, rules, services);
    const found = toReport(run, rules, gathered);
    const cause = { by: 'drift', ref: id, since: startedOn.toISOString() };
    await recoverOverdue(readKeys(gathered), cause, services, log);
    logTrail(gathered, id, log);
    await putIndexWork(gathered, cause, services, log);
    const fixes = await fix(found.findings, id, services, log);
    await remember(gathered, driftStorage, id, log);
    const report = { ...found, fixes, finishedOn: services.now().toISOString() };
    failure = await publishReport(report, services, log);
    await checkLateChanges(report, services, log);
    await keepTrend(report, services, log);
    return report;
  } finally {
    await end(check, failure, driftStorage);
  }
}

/**
 * Has changes checked again that came during the check: the report may have read their subjects before. Confirms changes that
 * the activity log did not have when their events were checked. Never throws.
 */
async function checkLateChanges(report: WholeReport, services: DriftServices, log: Log): Promise<void> {
  try {
    const since = new Date(Date.parse(report.startedOn) - GRAPH_LAG_MS);
    const again = await services.changes.checkAgain(since, services.now());
    const cause = { by: 'drift', ref: report.id, since: report.startedOn };
    if (again > 0) await requestChanges(services, cause, 0);
  } catch (error) {
    const message = `Changes during the drift check could not be checked again. ${errorText(error)}`;
    log({ level: 'warning', reason: 'DriftFixFailed', message, report: report.id });
  }
  const named = report.findings.flatMap(({ changedBy }) => changedBy ?? []);
  await confirmChanges(named, services, log);
}

/** The managed keys whose versions could be read. */
function readKeys({ keys }: Gathered) {
  return keys.flatMap(({ key, versions }) => ('value' in versions ? [{ key, versions: versions.value }] : []));
}

function logTrail({ trail }: Gathered, report: string, log: Log): void {
  if (!trail) return;
  const { findings, last } = trail;
  const [first] = findings;
  if (first) {
    const message = `${REASONS.AuditTrailBroken} ${findings.length} found; the first: ${first.file} ${first.reason}. ${first.message}`;
    log({ level: 'error', reason: 'AuditTrailBroken', message, findings: findings.slice(0, 50), report });
  } else if (last) {
    const about = { file: last.file, receipt: `${last.seq}:${last.hash}`, report };
    log({ level: 'info', reason: 'AuditTrailVerified', message: REASONS.AuditTrailVerified, ...about });
  }
}

/** Has workers list their accounts, compare the index, and repair it. Never throws. */
async function putIndexWork(
  { subscriptions }: Gathered,
  cause: Cause,
  services: DriftServices,
  log: Log,
): Promise<void> {
  const unread = subscriptions.find(({ indexUnread }) => indexUnread !== undefined)?.indexUnread;
  if (unread !== undefined) {
    const message = `${REASONS.FleetIndexUnavailable} ${unread}`;
    log({ level: 'warning', reason: 'FleetIndexUnavailable', message, report: cause.ref });
  }
  try {
    const lists = subscriptions.map(({ id }) => ({ subscription: id.toLowerCase(), kind: 'list', about: '' }) as const);
    await putWork(lists, cause, services);
  } catch (error) {
    const message = `${REASONS.DriftFixFailed} The index is not put right: ${describe(describeFailure(error))}`;
    log({ level: 'error', reason: 'DriftFixFailed', message, report: cause.ref });
  }
}

/** What cannot be kept in mind is said; the next check keeps it. */
async function remember(
  { managedAccounts }: Gathered,
  store: Pick<DriftStorage, 'rememberAccounts'>,
  report: string,
  log: Log,
): Promise<void> {
  if (!managedAccounts) return;
  try {
    await store.rememberAccounts(managedAccounts);
  } catch (error) {
    const message = `Which accounts use a managed key could not be written down: one that leaves it now may not be missed. ${describe(describeFailure(error))}`;
    log({ level: 'error', reason: 'DriftReportNotWritten', message, report });
  }
}

/** The same read-only: nothing is fixed, put aside or published. @param orderStore undefined: the standing orders are not at hand */
export async function findDrift(
  run: DriftRun,
  services: GatherServices & { readonly orderStore: OrdersStore | undefined },
): Promise<WholeReport> {
  const orders = await services.orderStore?.recent();
  const rules = rulesOf(services.settings, services.now(), orders?.contests);
  const gathered = await gather(run, rules, { ...services, auditWatch: undefined });
  return { ...toReport(run, rules, gathered), fixes: [], finishedOn: services.now().toISOString() };
}

/** Says to every instance that a check has begun. A check that cannot be written down is made all the same. */
async function begin(check: RunningCheck, running: RunningChecks): Promise<void> {
  try {
    await running.begin(check);
    await running.forget(new Date(Date.parse(check.startedOn) - LOST_MS));
  } catch {
    // Until the report is there, the API answers that there is none.
  }
}

/** The report is written, or it is certain that it will not be. */
async function end(check: RunningCheck, failure: string | undefined, running: RunningChecks): Promise<void> {
  try {
    await (failure === undefined ? running.end(check.id) : running.begin({ ...check, failure }));
  } catch {
    // It counts as lost once it cannot be under way any more.
  }
}
