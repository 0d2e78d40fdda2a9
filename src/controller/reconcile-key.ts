import { REASONS, type Reason } from '../errors/reasons.ts';
import { DAY_MS, hasBeenSince } from '../formats/spans.ts';
import { selectManagedUses } from '../index/fleet-keys.ts';
import { NO_ROLLOUT, type StoredRollout } from '../index/rollout-row.ts';
import { hasUses } from '../index/use-row.ts';
import { createKeyItem, isComparison, type NewWorkItem, SWEEP_MS, type WorkItem } from '../index/work-items.ts';
import { findNewestUsableVersion, findNextActivation, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { findPause, isResumed } from '../orders/standing-orders.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Cause } from '../work/messages.ts';
import { recordRollout } from './audit-records.ts';
import { RolloutCount, type RolloutDecision } from './decide-rollout.ts';
import { retryKey, sendFor } from './fleet-work.ts';
import { formatNameOfUse } from './moved-uses.ts';
import { findOpenRekey, hasFailedSince, stopRekey, verifyRekey } from './reconcile-rekey.ts';
import type { Callers } from './single-flight.ts';
import type { FleetServices } from './worker-ports.ts';

/** Maximum attempts while other instances decide at the same time. */
const MOST_ROUNDS = 3;
/** Number of passes that may end before a first list, which then counts as failed. */
const MOST_BUSY = 10;
/** Causes of follow-up work. If the key already has a work item, that item's cause remains. */
const FOLLOW_UPS: ReadonlySet<string> = new Set(['sweep', 'progress', 'drift']);
/** Causes that continue a rollout. They take its cause, which decides whether exempt uses may move. */
const CONTINUATIONS: ReadonlySet<string> = new Set(['sweep', 'progress', 'takeover']);

/**
 * Decides on the uses of a key, and puts its work items. Changes no account. Level-triggered and safe to run
 * concurrently. Finishes the key's own work item only after all decisions are stored.
 *
 * @throws the SDK's errors: the item remains, and the sweep finds it
 */
export async function reconcileKey(key: ManagedKey, cause: Cause, ports: FleetServices): Promise<void> {
  const item = await ports.items.ofKey(key.id);
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const decided = await decide(key, cause, item, ports);
    if (decided === 'again') continue;
    if (decided === 'done' && item) await ports.items.finish(item);
    return;
  }
  // Another instance decided first at each try, perhaps from an older state, so a worker decides again later.
  await decideLater(key, cause, 'Busy', item, ports);
}

/** Returns the cause for a decision that several callers share. Any other cause moves all that a follow-up moves, and more. */
export function findStrongestCause(causes: Callers<Cause>): Cause {
  return causes.find(({ by }) => !FOLLOW_UPS.has(by)) ?? causes[0];
}

/** @returns `again` if another instance decided first, or the orders changed; `later` if the key's item remains */
async function decide(
  key: ManagedKey,
  cause: Cause,
  item: WorkItem | undefined,
  ports: FleetServices,
): Promise<'done' | 'again' | 'later'> {
  const state = await readState(key, ports);
  const { stored, activation, orders, open, target, at } = state;
  const wanted = item && FOLLOW_UPS.has(cause.by) ? item.cause : cause;
  const begun = stored?.row.target === target?.id ? stored?.row : undefined;

  // A comparison moves no exempt use, so it must not take over a rollout that another cause has begun.
  const isContinued = CONTINUATIONS.has(wanted.by) || (isComparison(wanted) && (begun?.unfinished ?? 0) > 0);
  const origin = isContinued ? (begun?.cause ?? wanted) : wanted;

  // The item also keeps a request whose message was lost.
  const isRequested = !FOLLOW_UPS.has(wanted.by) || item?.reason === 'Paused';
  const causes = { cause, origin, isRequested };

  if (!target && !open) {
    if (await isUnknown(key, state, ports)) return 'done';
    return (await putEmptyRow(key, state, ports)) ? 'done' : 'again';
  }

  if (await isPaused(key, state, item, ports)) return 'later';

  const orderStored = open && (await ports.rollouts.read(open.rekey.id));
  const subscriptions = await ports.inSight();
  if (subscriptions && !(await requestLists(subscriptions, origin, ports))) {
    await decideLater(key, origin, 'FleetNotListed', item, ports);
    return 'later';
  }

  const countTo = (to: KeyVersion, before: StoredRollout | undefined, rekey?: string) =>
    new RolloutCount({
      target: to,
      canaries: ports.canaries,
      isOrderedOn: isResumed(orders, to.id, rekey),
      now: at,
      isComparison: isComparison(origin),
      before: before?.row,
    });

  const own = target && countTo(target, stored);
  const ordered = open && countTo(open.target, orderStored, open.rekey.id);
  const isManaged = selectManagedUses(subscriptions);
  const left = new Set<string>();
  let failures = 0;

  for await (const row of ports.rows.of(key.id)) {
    if (!isManaged(row)) continue;

    const isOrdered = open?.covers(row) === true;
    (isOrdered ? ordered : own)?.add(row);

    if (!isOrdered) continue;

    left.add(formatNameOfUse(row));

    if (hasFailedSince(row, open.rekey)) failures += 1;
  }

  if (open && failures >= open.rekey.maxFailures) {
    await stopRekey(open, failures, ports);
    return 'again';
  }

  // While an order moves all uses, the key has no separate rollout.
  if (target && own && (!open || open.rekey.only !== undefined)) {
    const rollout = { name: key.id, target, count: own, stored, activation };
    if (!(await decideRollout(rollout, key, causes, ports))) return 'again';
  }

  if (open && ordered) {
    for await (const use of ports.moved.of(open.rekey.id)) {
      if (!left.has(formatNameOfUse(use))) ordered.addMoved(use);
    }

    const rollout = { name: open.rekey.id, target: open.target, count: ordered, stored: orderStored };
    const decision = await decideRollout(rollout, key, causes, ports);

    // Decide again after an order is done: the key has its own rollout again.
    if (!decision || (await verifyRekey(open, decision, cause, ports))) return 'again';
  }

  return 'done';
}

type KeyState = Awaited<ReturnType<typeof readState>>;

async function readState(key: ManagedKey, ports: FleetServices) {
  // Read the row before the versions. Another instance may decide from a newer list. Either this row has that decision,
  // or the ETag conflicts at this instance's write.
  const stored = await ports.rollouts.read(key.id);
  const versions = await ports.keys.listVersions(key);
  const orders = await ports.orders.read();
  const at = ports.now();
  const isRevoked = openRevocation(versions, at) !== undefined;

  return {
    stored,
    versions,
    orders,
    at,
    isRevoked,
    activation: findNextActivation(versions, at)?.toISOString(),
    open: await findOpenRekey(key, versions, orders, ports),
    /** Undefined if the key is revoked or has no usable version. */
    target: isRevoked ? undefined : findNewestUsableVersion(versions, at),
  };
}

/** Returns whether the app knows only the name of a key, which a writer of the queue may have invented. */
async function isUnknown(
  key: ManagedKey,
  { versions, stored }: KeyState,
  { rows, log }: FleetServices,
): Promise<boolean> {
  if (versions.length > 0 || stored) return false;
  if (await hasUses(rows, key.id)) return false;
  log({ level: 'info', reason: 'KeyNotFound', message: REASONS.KeyNotFound, key: key.id });
  return true;
}

/** Stores a row without a target. @returns false if another instance decided first */
function putEmptyRow(
  key: ManagedKey,
  { at, activation, stored, versions, isRevoked }: KeyState,
  { rollouts, log }: FleetServices,
): Promise<boolean> {
  const withoutTarget = versions.length === 0 ? 'KeyNotFound' : 'NoUsableVersion';
  const reason = isRevoked ? 'RevocationOpen' : withoutTarget;
  log({ level: isRevoked ? 'warning' : 'error', reason, message: REASONS[reason], key: key.id });
  const row = { ...NO_ROLLOUT, progressOn: at.toISOString(), checkedOn: at.toISOString(), activation };
  return rollouts.put(key.id, row, stored?.etag);
}

/** Returns whether a pause covers the key. The key's item detects the pause's end if the operator's request fails. */
async function isPaused(
  key: ManagedKey,
  { orders, open, at }: KeyState,
  item: WorkItem | undefined,
  { items, log }: FleetServices,
): Promise<boolean> {
  const pause = findPause(orders, key.id, at) ?? (open && findPause(orders, open.rekey.to, at));
  if (!pause) return false;

  log({ level: 'info', reason: 'Paused', message: REASONS.Paused, key: key.id });

  const next = at.getTime() + SWEEP_MS;
  const due = new Date(pause.until ? Math.min(Date.parse(pause.until), next) : next);
  if (item) await items.postpone(item, { due, attempts: item.attempts, reason: 'Paused' });

  return true;
}

/** Keeps the key's item, so that a worker decides again. */
async function decideLater(
  key: ManagedKey,
  cause: Cause,
  reason: Reason,
  item: WorkItem | undefined,
  ports: FleetServices,
): Promise<void> {
  const at = ports.now();
  if (!item) await ports.items.putNew([createKeyItem(key.id, cause, at)]);

  const own = item ?? (await ports.items.ofKey(key.id));

  // `progress` is a follow-up cause: postponed items of subscriptions stay postponed.
  if (own) await retryKey(own, { by: 'progress', ref: '', since: at.toISOString() }, reason, ports);
}

interface Causes {
  readonly cause: Cause;
  /** The original cause of the work. */
  readonly origin: Cause;
  /** Whether an event or operator requested the decision, or a pause of the key has ended. */
  readonly isRequested: boolean;
}

/** The rollout of a key, or of a re-key order. */
interface Rollout {
  /** Name of the row: id of the key or of the order. */
  readonly name: string;
  readonly target: KeyVersion;
  readonly count: RolloutCount;
  readonly stored: StoredRollout | undefined;
  readonly activation?: string | undefined;
}

/** Decides on the stage, and requests its moves. Returns undefined if another instance decided first. */
async function decideRollout(
  { name, target, count, stored, activation }: Rollout,
  key: ManagedKey,
  causes: Causes,
  ports: FleetServices,
): Promise<RolloutDecision | undefined> {
  let decision = count.decide();
  if (decision.needsProof) decision = count.decide(await ports.probe(decision.row.canaries, target.id));

  // Record before storing the row. If storing fails, the next decision appends the record again with the same id.
  // `verifyRekey` records the end of an order.
  if (decision.news && (name === key.id || decision.news !== 'RotationFinished')) {
    await recordRollout(decision.news, key, target, decision, ports);
  }

  // Only this line widens a stage.
  const isStored = await ports.rollouts.put(name, { ...decision.row, activation, cause: causes.origin }, stored?.etag);
  if (!isStored) return undefined;

  await sendFor(await putItems(decision, key, causes, ports), causes.cause, ports);

  return decision;
}

/** Puts items for the subscriptions with unfinished uses. @returns items that need a message */
async function putItems(
  { row, subscriptions, isWider, news }: RolloutDecision,
  key: ManagedKey,
  { origin, isRequested }: Causes,
  { items, log, now }: FleetServices,
): Promise<readonly NewWorkItem[]> {
  const at = now();

  if (isWider && row.unfinished > 0) {
    const about = { key: key.id, target: row.target, stage: row.stage, unfinished: row.unfinished };
    log({ level: 'info', reason: 'StageWidened', message: `${REASONS.StageWidened} Stage: ${row.stage}.`, ...about });
  }

  const item = createKeyItem(key.id, origin, at);
  const wanted = subscriptions.map((subscription): NewWorkItem => ({ ...item, subscription }));

  // Follow-ups and comparisons keep existing items and their messages. Exceptions for follow-ups: a wider stage, an
  // event, or the end of a pause. Other causes may move exempt uses, so a comparison never replaces their items.
  const wakesPostponed = isWider || news !== undefined || isRequested;
  if (!wakesPostponed || isComparison(origin)) return items.putNew(wanted);

  await items.put(wanted);

  return wanted;
}

/**
 * Requests lists of subscriptions whose last list is older than a day.
 *
 * @returns whether the index has all subscriptions: a stage needs all uses. A subscription whose first list failed does
 *   not delay the decision.
 */
export async function requestLists(
  subscriptions: readonly string[],
  cause: Cause,
  ports: Pick<FleetServices, 'items' | 'fleet' | 'now' | 'send'>,
): Promise<boolean> {
  const { items, fleet, now } = ports;
  const listings = await fleet.listings();
  const at = now();
  const due = subscriptions.filter((id) => !hasBeenSince(listings.get(id.toLowerCase()), at.getTime() - DAY_MS, at));
  const list = { kind: 'list', about: '', due: at, since: at, cause } as const;

  await sendFor(await items.putNew(due.map((subscription) => ({ ...list, subscription }))), cause, ports);

  const unlisted = new Set(due.map((id) => id.toLowerCase()).filter((id) => !listings.has(id)));
  if (unlisted.size === 0) return true;

  for await (const { kind, subscription, attempts, reason } of items.all()) {
    if (kind === 'list' && attempts > (reason === 'Busy' ? MOST_BUSY : 0)) unlisted.delete(subscription.toLowerCase());
  }

  return unlisted.size === 0;
}
