import pMap from 'p-map';
import type { RecordAudit } from '../../audit/audit-trail.ts';
import {
  describeAnswerOf,
  describeError,
  describeFailure,
  type Failure,
  parseLinkedRight,
} from '../../azure/failure.ts';
import { CONCURRENCY } from '../../azure/limits.ts';
import { readOnce } from '../../azure/read-once.ts';
import { parseStorageAccountId, splitScope } from '../../azure/resource-id.ts';
import type { Log } from '../../errors/log.ts';
import { REASONS, type Reason } from '../../errors/reasons.ts';
import type { EventGrid } from '../../events/event-grid-client.ts';
import {
  compareSubscriptions,
  listRequiredSubscriptions,
  listRequiredWatches,
  planPlacement,
} from '../../events/subscription.ts';
import { formatAccountRow } from '../../index/fleet-keys.ts';
import type { UseRows } from '../../index/use-row.ts';
import { findPause } from '../../orders/standing-orders.ts';
import type { OrdersStore } from '../../orders/standing-orders-client.ts';
import type { RetireServices } from '../../retirement/evidence.ts';
import { recordRetirement, retireUnused } from '../../retirement/retire-versions.ts';
import type { Settings } from '../../settings/settings.ts';
import { type Cause, KEY_WORK } from '../../work/messages.ts';
import type { WorkQueue } from '../../work/work-queue-client.ts';
import type { Finding, Fix, FixAction } from '../report/report.ts';
import { type PutWorkPorts, putWork, type WantedWork } from './put-work.ts';

/**
 * Maximum number of versions per check that the app tries to retire. Each try reads all users of a key, twice if it
 * retires the version. The next check continues with the versions after them.
 */
const MOST_RETIREMENTS = 8;
/**
 * Deadline of one read of all users of a key. Each retirement reads twice, within the deadline of the check.
 * Milliseconds.
 */
const READ_MS = 60_000;

type Done = Pick<Fix, 'outcome' | 'detail'>;

export type FixServices = RetireServices &
  PutWorkPorts & {
    readonly settings: Settings;
    readonly queue: Pick<WorkQueue, 'send'>;
    /** Triggers reconcileKey. @throws the SDK's error */
    requestKeys(keys: readonly string[], cause: Cause): Promise<void>;
    readonly eventGrid: EventGrid;
    readonly audit: RecordAudit;
    readonly orderStore: Pick<OrdersStore, 'recent'>;
    readonly useRows: Pick<UseRows, 'of'>;
    readonly now: () => Date;
  };

/** Whether the check fixes a finding: it is fixable, CMK_AUTOFIX contains its reason, and it is not exempt. */
export function isFixed(
  { reason, action, exemption }: Pick<Finding, 'reason' | 'action' | 'exemption'>,
  autofix: readonly string[],
): boolean {
  return action !== undefined && !exemption && autofix.includes(reason);
}

/**
 * Fixes the reasons in CMK_AUTOFIX, through the same functions as every other trigger. For accounts and scopes it puts
 * work items, and their workers read the state again. Idempotent. Never throws.
 *
 * @param round number of the check; selects the versions that it retires
 */
export async function fix(
  findings: readonly Finding[],
  correlationId: string,
  services: FixServices,
  log: Log,
  round = 0,
): Promise<Fix[]> {
  const { autofix } = services.settings.drift;
  const fixable = findings.filter((finding) => isFixed(finding, autofix));
  const isRetirement = ({ action }: Finding): boolean => action?.kind === 'retire';
  const retirements = selectRetirements(fixable.filter(isRetirement), round);
  const due = [...fixable.filter((finding) => !isRetirement(finding)), ...retirements];
  const moving = moveAll(due, correlationId, services);

  // Only a fix of an account awaits it.
  moving.catch(() => {});

  // One write repairs an event subscription, regardless of its number of findings.
  const fixing = readOnce(
    ({ action, since }: Finding) => attempt(action as FixAction, since, correlationId, moving, services, log),
    ({ action }) => JSON.stringify(action),
  );
  const fixes = await pMap(
    due,
    async (finding) => {
      const { id, reason, resource } = finding;
      return { finding: id, reason, resource, ...(await fixing.get(finding)) };
    },
    { concurrency: CONCURRENCY },
  );

  logFixes(due, fixes, correlationId, log);

  return fixes;
}

/** Returns the retirements of this check. Each check continues after those of the one before, so that all are tried in turn. */
function selectRetirements(retirements: readonly Finding[], round: number): Finding[] {
  const from = retirements.length > 0 ? (round * MOST_RETIREMENTS) % retirements.length : 0;
  return [...retirements.slice(from), ...retirements.slice(0, from)].slice(0, MOST_RETIREMENTS);
}

/**
 * Puts one item for each subscription and key, regardless of the number of accounts. reconcileKey decides the stage. For
 * a scope that the index lacks, it puts an item that lists the scopes of its account.
 */
async function moveAll(due: readonly Finding[], ref: string, services: FixServices): Promise<Done> {
  const orders = await services.orderStore.recent();
  const moves = due.flatMap(({ action, resource }) =>
    action?.kind === 'account' && !findPause(orders, action.key, services.now()) ? [{ ...action, resource }] : [],
  );
  const cause = { by: 'drift', ref, since: services.now().toISOString() };
  try {
    const knownScopes = readOnce(
      ({ subscription, key }: ShareOfKey) => readKnownScopes(key, subscription, services),
      ({ subscription, key }) => `${subscription} ${key}`.toLowerCase(),
    );
    const wanted = await pMap(moves, async ({ account, key, resource }): Promise<WantedWork[]> => {
      const subscription = parseStorageAccountId(account)?.subscriptionId;
      if (!subscription) return [];

      const { scope } = splitScope(resource);
      if (scope === undefined) return [{ subscription, kind: 'key', about: key }];

      const isKnown = (await knownScopes.get({ subscription, key })).has(formatAccountRow(account, scope));

      // The index may contain an outdated version of the scope, and the list of accounts does not show scopes.
      if (isKnown) return [{ subscription, kind: 'key', about: key, fresh: true }];

      return [{ subscription, kind: 'scopes', about: account }];
    });

    const items = wanted.flat().sort((a, b) => Number(a.fresh ?? false) - Number(b.fresh ?? false));
    await putWork(items, cause, services);
    await services.requestKeys([...new Set(moves.map(({ key }) => key))], cause);

    return { outcome: 'enqueued', detail: 'The worker of its subscription decides whether to move it.' };
  } catch (error) {
    return { outcome: 'failed', detail: describeError(error) };
  }
}

/** The uses of a key in one subscription. */
interface ShareOfKey {
  readonly subscription: string;
  readonly key: string;
}

async function readKnownScopes(
  key: string,
  subscription: string,
  { useRows }: Pick<FixServices, 'useRows'>,
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  for await (const { account, scope } of useRows.of(key, subscription)) {
    if (scope !== undefined) known.add(formatAccountRow(account, scope));
  }
  return known;
}

/** Logs one record for equal fixes of one cause. The worker logs what it does for a queued work item. */
function logFixes(due: readonly Finding[], fixes: readonly Fix[], correlationId: string, log: Log): void {
  const made = fixes.map((fix, index) => ({ ...fix, cause: due[index]?.cause.id ?? '' }));
  const alike = Map.groupBy(made, ({ cause, reason, outcome, detail }) => [cause, reason, outcome, detail].join(' '));
  for (const [first, ...others] of alike.values()) {
    if (!first || first.outcome === 'waiting' || first.outcome === 'enqueued') continue;

    const failed = first.outcome === 'failed';
    const { reason, detail, resource, cause } = first;
    const about = { because: reason, resource, resources: 1 + others.length, cause, correlationId };
    log({
      level: failed ? 'error' : 'info',
      reason: failed ? 'DriftFixFailed' : 'DriftFixed',
      message: `${REASONS[reason as Reason]} ${detail}`,
      ...about,
    });
  }
}

async function attempt(
  action: FixAction,
  since: string,
  correlationId: string,
  moving: Promise<Done>,
  services: FixServices,
  log: Log,
): Promise<Done> {
  try {
    const pause = 'key' in action && findPause(await services.orderStore.recent(), action.key, services.now());

    // The next check retries the fixes of a paused key.
    if (pause) return { outcome: 'waiting', detail: pause.reason };

    switch (action.kind) {
      case 'account':
        return await moving;
      case 'events':
      case 'watch':
        return await putSubscriptions(action, services);
      case 'retire':
        return await retireByLog(action, correlationId, services, log);
      case 'rotate':
        await services.queue.send(KEY_WORK, {
          kind: 'rotate',
          key: action.key,
          cause: { by: 'drift', ref: correlationId, since },
        });

        return { outcome: 'enqueued', detail: 'The rotation worker decides whether to rotate it.' };
    }
  } catch (error) {
    return { outcome: 'failed', detail: describeError(error) };
  }
}

/** Retires one version if the log proves it unused. Reads the state again and never disables without proof. */
async function retireByLog(
  { key: id, version }: Extract<FixAction, { kind: 'retire' }>,
  correlationId: string,
  services: FixServices,
  log: Log,
): Promise<Done> {
  const key = services.settings.vaults.key(id);
  if (!key) return { outcome: 'failed', detail: REASONS.VaultNotManaged };

  const options = { version, readMs: READ_MS, disable: true, proof: 'log' } as const;
  for await (const one of retireUnused(key, options, services)) {
    await recordRetirement(key, one, correlationId, services, log);
    if (one.outcome === 'retired') return { outcome: 'done', detail: `Version ${version} is disabled.` };

    if ('reasons' in one) {
      const left = one.outcome === 'kept' || one.outcome === 'unproven';
      return { outcome: left ? 'waiting' : 'failed', detail: one.reasons.join(' ') };
    }
  }

  return { outcome: 'done', detail: 'The version is already disabled.' };
}

/**
 * Writes the event subscriptions of a vault or a subscription. Compares again with the current state, because another
 * instance may have written it.
 */
async function putSubscriptions(
  action: Extract<FixAction, { kind: 'events' | 'watch' }>,
  { settings, eventGrid }: FixServices,
): Promise<Done> {
  const { functionAppId, storageAccountId } = settings.drift;
  const source =
    action.kind === 'events'
      ? settings.vaults.byId(action.vault)
      : { id: `/subscriptions/${action.subscription}`, subscriptionId: action.subscription };
  if (!source) return { outcome: 'failed', detail: REASONS.VaultNotManaged };
  if (!functionAppId) return { outcome: 'failed', detail: REASONS.ChangesNotWatched };

  const wanted =
    action.kind === 'events'
      ? listRequiredSubscriptions({ functionAppId, storageAccountId }).filter(
          (one) => one.functionName === action.functionName,
        )
      : listRequiredWatches({ functionAppId }, settings.clientId);

  const { topic, subscriptions } = await eventGrid.read(source);
  const written: string[] = [];

  for (const verdict of compareSubscriptions(wanted, subscriptions)) {
    if (verdict.is === 'right') continue;

    const { isNew, ...place } = planPlacement(verdict, topic);
    try {
      await eventGrid.put(source, place, verdict.wanted);
    } catch (error) {
      return { outcome: 'failed', detail: subscriptionRefusal(describeFailure(error)) };
    }

    written.push(`The event subscription ${place.name} was ${isNew ? 'created' : 'repaired'}.`);
  }

  return { outcome: 'done', detail: written.join(' ') || 'The event subscription is already correct.' };
}

/** Describes a rejected event subscription: the missing permission, and the parameter of infra/ that grants it. */
function subscriptionRefusal(failure: Failure): string {
  const { status, code } = failure;
  const right = parseLinkedRight(failure);
  const repair = 'Deploy with CMK_ALLOW_EVENT_REPAIR=true (parameter allowEventRepair), which grants the permission.';
  if (!right) {
    return code === 'AuthorizationFailed' ? `${describeAnswerOf(failure)} ${repair}` : describeAnswerOf(failure);
  }
  const { actions, scopes } = right;
  const lacking = `${status} ${code}: the app lacks ${actions} on ${scopes}, which the event subscription names.`;
  if (!/\/providers\/Microsoft\.Storage\//i.test(scopes)) return `${lacking} ${repair}`;
  return `${lacking} Event Grid writes dead letters there: deploy with CMK_DEAD_LETTER_ACTIONS=${actions} (parameter deadLetterActions), which grants the permission only there.`;
}
