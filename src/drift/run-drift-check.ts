import type { ActivityLog } from '../accounts/activity-log-client.ts';
import { describeError } from '../azure/failure.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { DAY_MS } from '../formats/spans.ts';
import type { RolloutStore } from '../index/rollout-row.ts';
import type { UseRows } from '../index/use-row.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import type { Cause } from '../work/messages.ts';
import { dropRollouts } from './apply/drop-rollouts.ts';
import { type FixServices, fix } from './apply/fixes.ts';
import { putWork } from './apply/put-work.ts';
import { type RecoverServices, recoverOverdue } from './apply/recover.ts';
import { type ChangeRows, requestChanges } from './changes/change-rows.ts';
import { confirmChanges } from './changes/confirm-changes.ts';
import { withSeconds } from './changes/merge.ts';
import { APP_CHECKS, KEY_CHECKS, VAULT_CHECKS } from './checks/checks.ts';
import { countFindings, evaluate, findUnseenFindings, withHistory } from './checks/evaluate.ts';
import type { Rules } from './checks/subjects.ts';
import { type Gathered, gather } from './gather/gather.ts';
import { countNextRound } from './gather/gather-subscription.ts';
import type { GatherServices } from './gather/parts.ts';
import { createRules } from './gather/rules.ts';
import { groupCauses } from './report/causes.ts';
import type { DriftRun, RunningCheck } from './report/drift-run.ts';
import type { Finding, WholeReport } from './report/report.ts';
import { keepTrend } from './report/trend.ts';
import type { DriftStorage } from './store/drift-storage-client.ts';
import { publishReport } from './store/publish-report.ts';

/** How long the state of a lost check is kept for callers that request its report. Milliseconds. */
const LOST_MS = DAY_MS;

/**
 * Maximum delay of Resource Graph. The app reads resources of other services again for changes in this time.
 * Milliseconds.
 */
const GRAPH_LAG_MS = 10 * 60_000;

/** The services of gathering, fixing and recovery, and the stores for reports and running checks. */
export type DriftServices = GatherServices &
  FixServices &
  RecoverServices & {
    readonly driftStorage: DriftStorage;
    readonly orderStore: OrdersStore;
    readonly changes: ChangeRows;
    readonly activityLog: Pick<ActivityLog, 'writes'>;
    readonly rollouts: Pick<RolloutStore, 'all' | 'drop'>;
    readonly useRows: Pick<UseRows, 'of'>;
  };

/**
 * Compares the observed state with the desired state: gathers, evaluates, fixes findings, and writes the report. Failed
 * reads do not stop it. Every step is idempotent, so a check may be killed, repeated, or run twice at once.
 *
 * @throws only unexpected errors
 */
export async function runDriftCheck(run: DriftRun, services: DriftServices, log: Log): Promise<WholeReport> {
  const startedOn = services.now();
  const { id, by, caller } = run;
  const { driftStorage } = services;
  const check: RunningCheck = { id, by, startedOn: startedOn.toISOString(), ...(caller ? { caller } : {}) };

  // The check runs even if its start cannot be stored. Until its report exists, the API then answers that it is missing.
  await driftStorage
    .begin(check)
    .then(() => driftStorage.forget(new Date(startedOn.getTime() - LOST_MS)))
    .catch(() => {});

  let failure: string | undefined = 'It ended with an unexpected error. The log contains it.';
  try {
    const { contests } = await services.orderStore.recent();
    const rules = createRules(services.settings, startedOn, contests);
    const gathered = await gather(run, rules, services);
    const found = toReport(run, rules, gathered);
    const cause = { by: 'drift', ref: id, since: startedOn.toISOString() };

    await recoverOverdue(readKeys(gathered), cause, services, log);
    logTrail(gathered, id, log);

    const fixes = await fix(found.findings, id, services, log, found.coverage.round);

    await remember(gathered, driftStorage, id, log);

    const report = { ...found, fixes, finishedOn: services.now().toISOString() };

    // After the fixes: the workers list the accounts at once, and both take memory for a large fleet.
    await putIndexWork(gathered, cause, services, log);
    await dropUnusedRollouts(gathered, id, services, log);
    failure = await publishReport(report, services, log);
    await checkLateChanges(report, services, log);
    await keepTrend(report, services, log);

    return report;
  } finally {
    const ended = failure === undefined ? driftStorage.end(id) : driftStorage.begin({ ...check, failure });

    // Without this, the check counts as lost after its maximum duration.
    await ended.catch(() => {});
  }
}

/**
 * Repeats the check of changes that arrived during this check, because their subjects may have been read before.
 * Confirms changes that the activity log did not contain earlier. Never throws.
 */
async function checkLateChanges(report: WholeReport, services: DriftServices, log: Log): Promise<void> {
  const since = new Date(Date.parse(report.startedOn) - GRAPH_LAG_MS);
  const cause = { by: 'drift', ref: report.id, since: report.startedOn };
  const check = async (): Promise<void> => {
    await services.changes.forgetChecks(since, services.now());
    if ((await services.changes.pending()).length > 0) await requestChanges(services, cause, 0);
  };
  await check().catch((error: unknown) => {
    const message = `The app could not check again the changes that arrived during the drift check. ${describeError(error)}`;
    log({ level: 'warning', reason: 'DriftFixFailed', message, report: report.id });
  });

  const named = report.findings.flatMap(({ changedBy }) => changedBy ?? []);
  await confirmChanges(named, services, log);
}

/** The managed keys with readable versions. */
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

/** Puts work that lists accounts, compares them with the index, and repairs it. Never throws. */
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

  const lists = subscriptions.map(({ id }) => ({ subscription: id.toLowerCase(), kind: 'list', about: '' }) as const);
  await putWork(lists, cause, services).catch((error: unknown) => {
    const message = `${REASONS.DriftFixFailed} The app could not queue the repair of the index: ${describeError(error)}`;
    log({ level: 'error', reason: 'DriftFixFailed', message, report: cause.ref });
  });
}

/** Drops rollouts of keys that do not exist. Logs a failure, and the next check retries. */
async function dropUnusedRollouts(
  { vaults }: Gathered,
  report: string,
  services: DriftServices,
  log: Log,
): Promise<void> {
  await dropRollouts(vaults, services).catch((error: unknown) => {
    const message = `${REASONS.DriftFixFailed} The app could not drop rollouts of keys that do not exist: ${describeError(error)}`;
    log({ level: 'error', reason: 'DriftFixFailed', message, report });
  });
}

/** Stores the managed accounts. Logs a failure, and the next check retries. */
async function remember(
  { managedAccounts }: Gathered,
  store: Pick<DriftStorage, 'rememberAccounts'>,
  report: string,
  log: Log,
): Promise<void> {
  if (!managedAccounts) return;
  await store.rememberAccounts(managedAccounts).catch((error: unknown) => {
    const message = `The app could not store which accounts use a managed key, and may miss an account that stops using it now. ${describeError(error)}`;
    log({ level: 'error', reason: 'DriftReportNotWritten', message, report });
  });
}

/** Runs the check without fixes or a published report. @param orderStore undefined if re-key orders are unavailable */
export async function findDrift(
  run: DriftRun,
  services: GatherServices & { readonly orderStore: OrdersStore | undefined },
): Promise<WholeReport> {
  const orders = await services.orderStore?.recent();
  const rules = createRules(services.settings, services.now(), orders?.contests);
  const gathered = await gather(run, rules, { ...services, auditWatch: undefined });
  return { ...toReport(run, rules, gathered), fixes: [], finishedOn: services.now().toISOString() };
}

/** Runs every check on the gathered state. Fixes and end time are added later. */
function toReport(
  { id, by, caller }: DriftRun,
  rules: Rules,
  gathered: Gathered,
): Omit<WholeReport, 'fixes' | 'finishedOn'> {
  const { previous, vaults, keys, openRevocations, drills, subscriptions, app, trail } = gathered;
  const findings = withHistory(foundIn(gathered, rules), previous, rules.now);
  const complete = app.unread.every(({ isOptional }) => isOptional);
  const unseen = findUnseenFindings(findings, previous, complete, rules.now);

  return {
    version: 2,
    id,
    startedOn: rules.now.toISOString(),
    by,
    ...(caller ? { caller } : {}),
    complete,
    counts: countFindings(findings, unseen, previous),
    coverage: {
      vaults: vaults.length,
      keys: keys.length,
      accounts: subscriptions.reduce((sum, { accounts }) => sum + accounts, 0),
      dependents: subscriptions.reduce((sum, { dependents }) => sum + dependents, 0),
      subscriptions: subscriptions.map(({ id: of, accounts, scopesLookedAt, unread }) => {
        return { id: of, accounts, scopesLookedAt, complete: unread.every(({ isOptional }) => isOptional) };
      }),
      round: countNextRound(previous),
    },
    // While the trail is broken, each check reports the errors since its last successful verification.
    trailEnd: trail?.findings.length === 0 ? trail.last : previous?.trailEnd,
    openRevocations: [...openRevocations],
    drills: [...drills],
    causes: groupCauses(findings),
    findings,
    unseen,
    ...withSeconds(previous?.changes ?? []),
  };
}

/** The checks of accounts ran while the accounts were listed. */
function foundIn({ vaults, keys, subscriptions, app }: Gathered, rules: Rules): Omit<Finding, 'since'>[] {
  const used = new Set(keys.filter(({ usage }) => usage.used).map(({ key }) => key.vault));
  return [
    ...subscriptions.flatMap((one) => one.findings),
    ...keys.flatMap((key) => evaluate(KEY_CHECKS, key, key.key.id, rules)),
    ...vaults.flatMap(({ subject: { vault, ...read } }) =>
      evaluate(VAULT_CHECKS, { vault, ...read, used: used.has(vault) }, vault.id, rules),
    ),
    ...evaluate(APP_CHECKS, app, app.name, rules),
  ];
}
