import pMap from 'p-map';
import { Dispatcher, moveCalls, sendAccount } from '../accounts/dispatcher.ts';
import type { Hold, Rollout } from '../accounts/rollout.ts';
import type { RecordAudit } from '../audit/audit-trail.ts';
import { describe, describeFailure, type Failure, linkedRight } from '../azure/failure.ts';
import type { Turns } from '../azure/turns.ts';
import type { EventGrid } from '../events/event-grid-client.ts';
import { judgeSubscriptions, subscriptionName, wantedSubscriptions } from '../events/subscription.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { RetireServices } from '../retirement/retire-versions.ts';
import type { Settings } from '../settings/settings.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { FixAction } from './checks/check.ts';
import type { Finding, Fix } from './report.ts';
import { retireByLog } from './retire-by-log.ts';

const CONCURRENCY = 8;
/** Each looks at everything that uses a key, twice; the next check sees to the others. */
const MOST_RETIREMENTS = 8;

type AccountFix = Extract<FixAction, { kind: 'account' }> & { readonly since: string; readonly subscriptionId: string };

export type FixServices = RetireServices & {
  readonly settings: Settings;
  readonly queue: WorkQueue;
  readonly eventGrid: EventGrid;
  readonly audit: RecordAudit;
  readonly rollout: Pick<Rollout, 'paused' | 'stage'>;
  /** By which work is handed out. */
  readonly schedule: Turns;
  readonly now: () => Date;
};

/** Whether the check is to fix it: it can, CMK_AUTOFIX names it, and nobody has exempted it. */
export function isFixed({ reason, action, exemption }: Finding, autofix: readonly string[]): boolean {
  return action !== undefined && !exemption && autofix.includes(reason);
}

/**
 * Fixes what CMK_AUTOFIX names, through the same paths as everything else: accounts are put to work in the queue, and
 * whoever takes the message decides from what is there then. Doing it twice changes nothing. It never throws.
 */
export async function fix(
  findings: readonly Finding[],
  correlationId: string,
  services: FixServices,
  log: Log,
): Promise<Fix[]> {
  const { autofix } = services.settings.drift;
  let retirements = 0;
  const due = findings.filter(
    (finding) => isFixed(finding, autofix) && (finding.action?.kind !== 'retire' || ++retirements <= MOST_RETIREMENTS),
  );
  // As fast as the provider takes writes, so that a whole fleet adrift does not run into its limits.
  const dispatcher = new Dispatcher<AccountFix>(
    services,
    () => moveCalls({}),
    (found, turn) => {
      const { account, location, key, since } = found;
      const cause = { by: 'drift', ref: correlationId, since };
      return sendAccount({ kind: 'account', account, location, key, cause, attempt: 0 }, found, turn, services);
    },
  );
  // One message is enough for an account and its scopes; one write for an event subscription.
  const once = new Map<string, Promise<Pick<Fix, 'outcome' | 'detail'>>>();
  const fixes = await pMap(
    due,
    async ({ id, reason, resource, action, since }) => {
      const what = JSON.stringify(action);
      const fixing = once.get(what) ?? attempt(action as FixAction, since, correlationId, dispatcher, services, log);
      once.set(what, fixing);
      const { outcome, detail } = await fixing;
      return { finding: id, reason, resource, outcome, detail };
    },
    { concurrency: CONCURRENCY },
  );
  logFixes(due, fixes, correlationId, log);
  return fixes;
}

/** One record for what was done alike about findings of one cause. */
function logFixes(due: readonly Finding[], fixes: readonly Fix[], correlationId: string, log: Log): void {
  const alike = new Map<string, { readonly fix: Fix; readonly cause: string; resources: number }>();
  for (const [index, fix] of fixes.entries()) {
    const cause = due[index]?.cause.id ?? '';
    const key = [cause, fix.reason, fix.outcome, fix.detail].join(' ');
    const group = alike.get(key);
    if (group) group.resources += 1;
    else alike.set(key, { fix, cause, resources: 1 });
  }
  for (const { fix, cause, resources } of alike.values()) {
    if (fix.outcome === 'waiting') continue;
    const failed = fix.outcome === 'failed';
    log({
      level: failed ? 'error' : 'info',
      reason: failed ? 'DriftFixFailed' : 'DriftFixed',
      message: `${REASONS[fix.reason as Reason]} ${fix.detail}`,
      because: fix.reason,
      resource: fix.resource,
      resources,
      cause,
      correlationId,
    });
  }
}

async function attempt(
  action: FixAction,
  since: string,
  correlationId: string,
  dispatcher: Dispatcher<AccountFix>,
  services: FixServices,
  log: Log,
): Promise<Pick<Fix, 'outcome' | 'detail'>> {
  try {
    const hold = await holdOfFix(action, services, log);
    if (hold) return { outcome: 'waiting', detail: hold.detail };
    switch (action.kind) {
      case 'account':
        await dispatcher.dispatch({ ...action, since, subscriptionId: action.account.split('/')[2] ?? '' });
        return { outcome: 'enqueued', detail: 'It is looked at by reconcileAccount.' };
      case 'events':
        return await putSubscription(action, services);
      case 'retire':
        return await retireByLog(action, correlationId, services, log);
      case 'rotate':
        await services.queue.send(KEY_WORK, {
          kind: 'rotate',
          key: action.key,
          cause: { by: 'drift', ref: correlationId, since },
          attempt: 0,
        });
        return { outcome: 'enqueued', detail: 'Whether it is rotated is decided by reconcileKey.' };
    }
  } catch (error) {
    return { outcome: 'failed', detail: describe(describeFailure(error)) };
  }
}

/** A pause, or the order of a rotation, makes fixes wait too: they would only fill the queue. The next check sees to them. */
async function holdOfFix(action: FixAction, services: FixServices, log: Log): Promise<Hold | undefined> {
  const { settings, rollout } = services;
  const key = 'key' in action ? settings.vaults.key(action.key) : undefined;
  if (!key) return undefined;
  const paused = await rollout.paused(key, log);
  if (paused || action.kind !== 'account') return paused;
  return (await rollout.stage(key, log)).hold(action.account);
}

/** Judged again from what is there now: somebody may have been faster. */
async function putSubscription(
  { vault: id, functionName }: Extract<FixAction, { kind: 'events' }>,
  { settings, eventGrid }: FixServices,
): Promise<Pick<Fix, 'outcome' | 'detail'>> {
  const vault = settings.vaults.byId(id);
  const { functionAppId, storageAccountId } = settings.drift;
  if (!vault || !functionAppId) return { outcome: 'failed', detail: REASONS.VaultNotManaged };
  const wanted = wantedSubscriptions({ functionAppId, storageAccountId }).filter(
    (one) => one.functionName === functionName,
  );
  const { topic, subscriptions } = await eventGrid.read(vault);
  const [verdict] = judgeSubscriptions(wanted, subscriptions);
  if (!verdict || verdict.is === 'right') return { outcome: 'done', detail: 'It is right by now.' };
  // One that aims elsewhere may belong to somebody else: a new one is put beside it.
  const existing = verdict.is === 'misaimed' && verdict.ours ? verdict.found : undefined;
  const place = existing ? (existing.place === 'vault' ? undefined : topic) : topic;
  const name = existing?.name ?? subscriptionName(verdict.wanted);
  try {
    await eventGrid.put(vault, { topic: place, name }, verdict.wanted);
  } catch (error) {
    return { outcome: 'failed', detail: subscriptionRefusal(describeFailure(error)) };
  }
  const what = existing ? 'put right' : 'made';
  return { outcome: 'done', detail: `The event subscription ${name} is ${what}.` };
}

/** Words a refused event subscription: the right that Azure names, and the parameter of infra/ that gives it. */
function subscriptionRefusal(failure: Failure): string {
  const { status, code } = failure;
  const right = linkedRight(failure);
  const repair = 'Deploy with CMK_ALLOW_EVENT_REPAIR=true (parameter allowEventRepair), which gives it.';
  if (!right) return code === 'AuthorizationFailed' ? `${describe(failure)} ${repair}` : describe(failure);
  const { actions, scopes } = right;
  const lacking = `${status} ${code}: the app lacks ${actions} on ${scopes}, which the event subscription names.`;
  if (!/\/providers\/Microsoft\.Storage\//i.test(scopes)) return `${lacking} ${repair}`;
  return `${lacking} That is where dead letters go: deploy with CMK_DEAD_LETTER_ACTIONS=${actions} (parameter deadLetterActions), which gives it there alone.`;
}
