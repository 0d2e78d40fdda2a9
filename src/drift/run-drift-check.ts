import pMap from 'p-map';
import { known, readPart, type UnreadPart } from '../azure/read-or-why.ts';
import { wantedSubscriptions } from '../events/subscription.ts';
import type { Log } from '../log.ts';
import { planKeepRevoked } from '../revocation/revocation.ts';
import type { Services } from '../services.ts';
import { ownStorage } from '../settings/own-storage.ts';
import type { Settings } from '../settings/settings.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { APP_CHECKS, KEY_CHECKS, VAULT_CHECKS } from './checks/checks.ts';
import { countFindings, evaluate, exemptionStates, unseenFindings, withHistory } from './checks/evaluate.ts';
import type { KeySubject, Rules } from './checks/subjects.ts';
import { fix } from './fixes.ts';
import { GatheredIdentities } from './gather/gather-identities.ts';
import { GatheredKeys, unreadOfKeys } from './gather/gather-keys.ts';
import type { SubscriptionContext } from './gather/gather-subscription.ts';
import { gatherSubscriptions } from './gather/gather-subscriptions.ts';
import { gatherVaults } from './gather/gather-vaults.ts';
import { nextRound, scopeTurns } from './gather/scope-turns.ts';
import type { DriftReport } from './report.ts';
import type { DriftStorage } from './store/drift-storage-client.ts';
import { publishReport } from './store/publish-report.ts';
import { begin, end, type RunningCheck } from './store/running-check.ts';
import type { SubscriptionResult } from './store/subscription-result.ts';

/** Keys that are read at the same time. */
const CONCURRENCY = 8;

export interface DriftRun {
  /** Finds the run in the log and in the audit trail; the report's id. */
  readonly id: string;
  readonly by: 'timer' | 'operator';
  /** Object id of the operator. */
  readonly caller?: string;
  /** When it aborts, what was not read by then is `Unreadable`, and the check comes to its end. */
  readonly signal?: AbortSignal;
  readonly patienceMs?: number;
}

/**
 * Compares what is with what should be: gathers, evaluates, mends what it may, writes the report. Nothing that cannot be
 * read stops it, and everything in it may be done twice, so that it can be killed and run again, or run beside another.
 *
 * @throws only what nobody foresaw
 */
export async function runDriftCheck(run: DriftRun, services: Services, log: Log): Promise<DriftReport> {
  const startedOn = services.now();
  const { id, by, caller } = run;
  const check: RunningCheck = { id, by, startedOn: startedOn.toISOString(), ...(caller ? { caller } : {}) };
  await begin(check, services);
  let failure: string | undefined = 'It ended with an error that nobody foresaw; the log has it.';
  try {
    const report = await makeReport(run, startedOn, services, log);
    failure = await publishReport(report, services, log);
    return report;
  } finally {
    await end(check, failure, services);
  }
}

async function makeReport(run: DriftRun, startedOn: Date, services: Services, log: Log): Promise<DriftReport> {
  const rules = rulesOf(services, startedOn);
  const storage = {
    resource: 'cmk-drift',
    action: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
  };
  const previousPart = await readPart({ ...storage, what: 'the report before' }, () => services.driftStorage.newest());
  const previous = known(previousPart);
  const poison = await readPart(
    {
      resource: 'poison queues',
      what: 'the poison queues',
      action: 'Microsoft.Storage/storageAccounts/queueServices/queues/read',
    },
    async () => {
      await keepPoison(services, run.id, log);
      return services.driftStorage.poisonMessages();
    },
  );
  const { vaults, unread: unreadAround } = await gatherVaults(services, rules, run.signal);
  const keys = new GatheredKeys(vaults, services);
  await pMap(
    vaults.flatMap(({ subject, keys: names }) =>
      (known(names) ?? []).map((name) => ({ uri: subject.vault.uri, name })),
    ),
    ({ uri, name }) => keys.get(uri, name),
    { concurrency: CONCURRENCY },
  );

  const subscriptions = await readPart(
    { resource: '/subscriptions', what: 'the subscriptions', action: 'Microsoft.Resources/subscriptions/read' },
    async () => services.settings.subscriptions ?? (await services.subscriptions.list()),
  );
  const identities = new GatheredIdentities(services, run.signal);
  const own = ownStorage(services.settings);
  const context = (): SubscriptionContext => ({
    services,
    rules,
    keys,
    identities,
    roles: new Map(vaults.map(({ subject, roles }) => [subject.vault.uri, roles])),
    ownStorage: own === 'local' ? undefined : own,
    scopesTurn: scopeTurns(previous),
    signal: run.signal,
  });
  const results = await gatherSubscriptions(known(subscriptions) ?? [], context, run, startedOn, services);

  const keySubjects = await keys.all();
  for (const { result } of results) mergeUsage(result, keySubjects);
  if ('unread' in subscriptions || results.some(({ result }) => !sawEveryUser(result))) {
    for (const { usage } of keySubjects) usage.markIncomplete();
  }
  const unread: UnreadPart[] = [
    ...[previousPart, poison, subscriptions].flatMap((part) => ('unread' in part ? [part.unread] : [])),
    ...unreadAround,
    ...vaults.flatMap((vault) => vault.unread),
    ...unreadOfKeys(keySubjects),
    ...results.flatMap(({ result }) => result.unread),
  ];
  const name = services.settings.drift.functionAppId ?? 'cmk-autopilot';
  const found = [
    ...results.flatMap(({ result }) => result.findings),
    ...keySubjects.flatMap((key) => evaluate(KEY_CHECKS, key, key.key.id, rules)),
    ...vaults.flatMap(({ subject }) => evaluate(VAULT_CHECKS, subject, subject.vault.id, rules)),
    ...evaluate(
      APP_CHECKS,
      {
        name,
        lockedOutBy: results.flatMap(({ result }) => result.lockedOutBy),
        poison,
        settingsProblems: rules.drift.problems,
        unread: [...new Set(unread)],
      },
      name,
      rules,
    ),
  ];
  const findings = withHistory(found, previous, startedOn);
  const complete = unread.length === 0;
  const unseen = unseenFindings(findings, previous, complete, startedOn);

  await keepShut(keySubjects, run.id, services, log);
  const fixes = await fix(findings, run.id, services, log);
  const sum = (of: (result: SubscriptionResult) => number): number =>
    results.reduce((total, { result }) => total + of(result), 0);
  return {
    version: 1,
    id: run.id,
    startedOn: startedOn.toISOString(),
    finishedOn: services.now().toISOString(),
    by: run.by,
    ...(run.caller ? { caller: run.caller } : {}),
    complete,
    counts: countFindings(findings, unseen, previous),
    coverage: {
      vaults: vaults.length,
      keys: keySubjects.length,
      accounts: sum(({ accounts }) => accounts),
      dependents: sum(({ dependents }) => dependents),
      subscriptions: results.map(({ result, resumed }) => ({
        id: result.id,
        accounts: result.accounts,
        scopesLookedAt: result.scopesLookedAt,
        complete: result.complete,
        resumed,
      })),
      eventSubscriptions: rules.wantedSubscriptions !== undefined,
      round: nextRound(previous),
    },
    autofix: [...rules.drift.autofix],
    findings,
    unseen,
    fixes,
    exemptions: exemptionStates(findings, complete, rules),
  };
}

function rulesOf({ settings }: { readonly settings: Settings }, now: Date): Rules {
  const { drift, refreshAutomatic } = settings;
  const { functionAppId, storageAccountId } = drift;
  const wanted = functionAppId === undefined ? undefined : wantedSubscriptions({ functionAppId, storageAccountId });
  return { now, refreshAutomatic, drift, wantedSubscriptions: wanted };
}

function mergeUsage({ usage }: SubscriptionResult, keys: readonly KeySubject[]): void {
  for (const key of keys) {
    const counted = usage[key.key.id.toLowerCase()];
    if (counted) key.usage.merge(counted);
  }
}

/** Whether who uses a key is known as far as it was to be looked at: that an identity could not be read does not matter. */
function sawEveryUser({ unread }: SubscriptionResult): boolean {
  return unread.every(({ action }) => !action.startsWith('Microsoft.Storage/'));
}

/** What would have expired was moved by the host, for want of anybody else: nobody has said so yet. */
async function keepPoison(
  { driftStorage }: { readonly driftStorage: DriftStorage },
  report: string,
  log: Log,
): Promise<void> {
  for (const { queue, text } of await driftStorage.keepPoison()) {
    const message = `A message of ${queue} is in ${queue}-poison: each time it was delivered, the function failed or was ended. Look for why, then run \`npm run replay -- ${queue}\`.`;
    log({ level: 'error', reason: 'Poisoned', message, queue, entry: text.slice(0, 2_000), report });
  }
}

/** A version that appeared while its key is revoked is no drift to be accepted: the key is looked at, whatever is set. */
async function keepShut(
  keys: readonly KeySubject[],
  id: string,
  { queue, now }: { readonly queue: WorkQueue; readonly now: () => Date },
  log: Log,
): Promise<void> {
  for (const { key, versions } of keys) {
    if (planKeepRevoked(known(versions) ?? []).length === 0) continue;
    const cause = { by: 'drift', ref: id, since: now().toISOString() };
    try {
      await queue.send(KEY_WORK, { kind: 'key', key: key.id, cause, attempt: 0 });
    } catch (error) {
      const message = `The key is revoked and has an enabled version, and cannot be put to work: ${String(error)}`;
      log({ level: 'error', reason: 'StillOpen', message, key: key.id });
    }
  }
}
