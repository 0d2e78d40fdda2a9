import { type KeyVersion, newestUsableVersion, nextActivation } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { findPause, isOrderedOn, type StandingOrders } from '../orders/standing-orders.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { DAY_MS, hasBeenSince } from '../time/spans.ts';
import type { Cause } from '../work/messages.ts';
import { RolloutCount, type RolloutDecision } from './decide-rollout.ts';
import { inManagedSubscriptions } from './fleet-keys.ts';
import { retryKey, SWEEP_MS, sendFor } from './fleet-work.ts';
import { nameOfUse } from './moved-uses.ts';
import { hasFailedSince, type OpenRekey, openRekeyOf, stopRekey, verifyRekey } from './reconcile-rekey.ts';
import type { StoredRollout } from './rollout-row.ts';
import { isComparison, keyItem, type NewWorkItem, NO_SUBSCRIPTION, type WorkItem } from './work-items.ts';
import type { KeyPorts } from './worker-ports.ts';

/** Attempts while other instances decide at the same time. */
const MOST_ROUNDS = 3;
/** Causes of follow-ups. If the key has a work item already, the cause of that item is kept. */
const FOLLOW_UPS: ReadonlySet<string> = new Set(['sweep', 'progress', 'drift']);

/**
 * Decides what to do about the uses of a key, and puts work items for it. Writes to no account. Level-triggered, and safe to
 * run twice at once. The key's own work item is finished only after all decisions are stored.
 *
 * @throws the SDK's errors: the item stays, and the sweep finds it
 */
export async function reconcileKey(key: ManagedKey, cause: Cause, ports: KeyPorts): Promise<void> {
  const item = await itemOf(key, ports);
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const done = await decide(key, cause, item, ports);
    if (done) return;
  }
  throw new Error(`Other instances decide on ${key.name} at the same time.`);
}

async function itemOf(key: ManagedKey, { items }: KeyPorts): Promise<WorkItem | undefined> {
  return (await items.of(NO_SUBSCRIPTION)).find(({ about }) => about.toLowerCase() === key.id.toLowerCase());
}

/** @returns false: decide again, as another instance decided meanwhile or the orders changed */
async function decide(key: ManagedKey, cause: Cause, item: WorkItem | undefined, ports: KeyPorts): Promise<boolean> {
  const { items, rollouts } = ports;
  const origin = item && FOLLOW_UPS.has(cause.by) ? item.cause : cause;
  const state = await readState(key, ports);
  const { target, open, orders, stored, at } = state;
  if (!target && !open) {
    if (!(await putEmptyRow(key, state, ports))) return false;
    if (item) await items.finish(item);
    return true;
  }
  if (await isPaused(key, state, item, ports)) return true;
  const orderStored = open && (await rollouts.read(open.rekey.id));
  const subscriptions = await ports.inSight();
  if (subscriptions && !(await requestLists(subscriptions, origin, ports))) {
    await decideLater(key, origin, item, ports);
    return true;
  }
  const countTo = (to: KeyVersion) =>
    new RolloutCount({
      ...{ target: to, canaries: ports.canaries, isOrderedOn: isOrderedOn(orders, to.id), now: at },
      isComparison: isComparison(origin),
    });
  const own = target && countTo(target);
  const ordered = open && countTo(open.target);
  const isManaged = inManagedSubscriptions(subscriptions);
  const left = new Set<string>();
  let failures = 0;
  for await (const row of ports.rows.of(key.id)) {
    if (!isManaged(row)) continue;
    if (!open?.covers(row)) {
      own?.add(row);
      continue;
    }
    ordered?.add(row);
    left.add(nameOfUse(row));
    if (hasFailedSince(row, open.rekey)) failures += 1;
  }
  if (open && failures >= open.rekey.maxFailures) {
    await stopRekey(open, failures, ports);
    return false;
  }
  if (open) {
    for await (const use of ports.moved.of(open.rekey.id)) if (!left.has(nameOfUse(use))) ordered?.addMoved(use);
  }
  const causes = { cause, origin, isResumed: item?.reason === 'Paused' };
  // While an order moves all uses, the key has no rollout of its own.
  if (target && own && (!open || open.rekey.only !== undefined)) {
    const rollout = { name: key.id, target, count: own, stored, activation: state.activation };
    if (!(await decideRollout(rollout, key, causes, ports))) return false;
  }
  if (open && ordered) {
    const rollout = { name: open.rekey.id, target: open.target, count: ordered, stored: orderStored };
    const decision = await decideRollout(rollout, key, causes, ports);
    // Once an order is done, the key has a rollout of its own again.
    if (!decision || (await verifyRekey(open, decision, cause, ports))) return false;
  }
  if (item) await items.finish(item);
  return true;
}

/** The input of a decision, apart from the uses. */
interface KeyState {
  readonly stored: StoredRollout | undefined;
  readonly orders: StandingOrders;
  /** The order that moves uses of the key, unless it is blocked. */
  readonly open: OpenRekey | undefined;
  /** Undefined: the key is revoked, or no version is usable. */
  readonly target: KeyVersion | undefined;
  /** Why there is no target, or that a version is to come. */
  readonly reason: Extract<Reason, 'RevocationOpen' | 'KeyNotFound' | 'NoUsableVersion'>;
  readonly activation: string | undefined;
  readonly at: Date;
}

async function readState(key: ManagedKey, ports: KeyPorts): Promise<KeyState> {
  // Read the row before the versions. If another instance decides from a newer list, then this row is its result, or the ETag
  // conflicts when this instance writes.
  const stored = await ports.rollouts.read(key.id);
  const versions = await ports.keys.listVersions(key);
  const orders = await ports.orders.read();
  const at = ports.now();
  const isRevoked = openRevocation(versions, at) !== undefined;
  return {
    ...{ stored, orders, at, activation: nextActivation(versions, at)?.toISOString() },
    open: await openRekeyOf(key, versions, orders, ports),
    target: isRevoked ? undefined : newestUsableVersion(versions, at),
    reason: isRevoked ? 'RevocationOpen' : versions.length === 0 ? 'KeyNotFound' : 'NoUsableVersion',
  };
}

/** The key is revoked, or no version is usable. @returns false: another instance has decided meanwhile */
function putEmptyRow(
  key: ManagedKey,
  { at, activation, stored, reason }: KeyState,
  { rollouts, log }: KeyPorts,
): Promise<boolean> {
  const level = reason === 'RevocationOpen' ? 'warning' : 'error';
  log({ level, reason, message: REASONS[reason], key: key.id });
  const none = { target: undefined, stage: 'canary', canaries: [], proven: false, unfinished: 0, failed: 0 } as const;
  const row = { ...none, progressOn: at.toISOString(), checkedOn: at.toISOString() };
  return rollouts.put(key.id, { ...row, activation }, stored?.etag);
}

/** Whether the key is paused. An operator who ends a pause may not reach the items: the item of the key finds the end, too. */
async function isPaused(
  key: ManagedKey,
  { orders, open, at }: KeyState,
  item: WorkItem | undefined,
  { items, log }: KeyPorts,
): Promise<boolean> {
  const pause = findPause(orders, key.id, at) ?? (open && findPause(orders, open.rekey.to, at));
  if (!pause) return false;
  log({ level: 'info', reason: 'Paused', message: REASONS.Paused, key: key.id });
  const next = at.getTime() + SWEEP_MS;
  const due = new Date(pause.until ? Math.min(Date.parse(pause.until), next) : next);
  if (item) await items.postpone(item, { due, attempts: item.attempts, reason: 'Paused' });
  return true;
}

/** Keeps the item: nothing else would reconcile a key once its subscriptions are listed. */
async function decideLater(key: ManagedKey, cause: Cause, item: WorkItem | undefined, ports: KeyPorts): Promise<void> {
  const at = ports.now();
  if (!item) await ports.items.putNew([keyItem(key.id, cause, at)]);
  const own = item ?? (await itemOf(key, ports));
  // `progress` is a follow-up cause: postponed items of subscriptions stay postponed.
  if (own) await retryKey(own, { by: 'progress', ref: '', since: at.toISOString() }, 'FleetNotListed', ports);
}

interface Causes {
  readonly cause: Cause;
  /** What the work is for. */
  readonly origin: Cause;
  /** The key was paused at the last decision. */
  readonly isResumed: boolean;
}

/** The rollout of a key, or of an order that moves its uses. */
interface Rollout {
  /** Name of its row: the id of the key, or of the order. */
  readonly name: string;
  readonly target: KeyVersion;
  readonly count: RolloutCount;
  readonly stored: StoredRollout | undefined;
  readonly activation?: string | undefined;
}

/** Decides on the stage, and has the uses moved that it admits. Undefined: another instance has decided meanwhile. */
async function decideRollout(
  { name, target, count, stored, activation }: Rollout,
  key: ManagedKey,
  causes: Causes,
  ports: KeyPorts,
): Promise<RolloutDecision | undefined> {
  let decision = count.decide(stored?.row);
  if (decision.needsProof) {
    decision = count.decide(stored?.row, await ports.probe(decision.row.canaries, target.id));
  }
  // Record before storing the row. If the row is not stored, the next decision appends the record again, with the same id.
  // `verifyRekey` records the end of an order.
  if (decision.news && (name === key.id || decision.news !== 'RotationFinished')) {
    await ports.recordNews(decision.news, key, target, decision);
  }
  // The only place that widens a stage.
  if (!(await ports.rollouts.put(name, { ...decision.row, activation }, stored?.etag))) return undefined;
  await sendFor(await putItems(decision, key, causes, ports), causes.cause, ports);
  return decision;
}

/** Puts items for the subscriptions in which something may move. @returns those that need a message */
async function putItems(
  { row, subscriptions, isWider, news }: RolloutDecision,
  key: ManagedKey,
  { cause, origin, isResumed }: Causes,
  { items, log, now }: KeyPorts,
): Promise<readonly NewWorkItem[]> {
  const at = now();
  if (isWider && row.unfinished > 0) {
    const about = { key: key.id, target: row.target, stage: row.stage, unfinished: row.unfinished };
    log({ level: 'info', reason: 'StageWidened', message: `${REASONS.StageWidened} Stage: ${row.stage}.`, ...about });
  }
  // The index may be wrong if nothing moves for long: every use is read.
  const fresh = news === 'RotationStuck' ? ({ fresh: true } as const) : {};
  const wanted = subscriptions.map(
    (subscription): NewWorkItem => ({ ...keyItem(key.id, origin, at), subscription, ...fresh }),
  );
  // A follow-up leaves existing items as they are, with their messages, unless the stage admits more or there is news. So does
  // a comparison: other causes may move exempt uses.
  const wakesPostponed = isWider || news !== undefined || isResumed || !FOLLOW_UPS.has(cause.by);
  if (!wakesPostponed || isComparison(origin)) return items.putNew(wanted);
  await items.put(wanted);
  return wanted;
}

/**
 * Has subscriptions listed that were not listed for a day.
 *
 * @returns whether the index has all subscriptions, so that no stage is decided on a part of the uses. A subscription whose
 *   first list failed does not delay the decision.
 */
export async function requestLists(
  subscriptions: readonly string[],
  cause: Cause,
  ports: Pick<KeyPorts, 'items' | 'fleet' | 'now' | 'send'>,
): Promise<boolean> {
  const { items, fleet, now } = ports;
  const listings = await fleet.listings();
  const at = now();
  const due = subscriptions.filter((id) => !hasBeenSince(listings.get(id.toLowerCase()), at.getTime() - DAY_MS, at));
  const list = { kind: 'list', about: '', due: at, since: at, cause } as const;
  await sendFor(await items.putNew(due.map((subscription) => ({ ...list, subscription }))), cause, ports);
  const unlisted = new Set(due.map((id) => id.toLowerCase()).filter((id) => !listings.has(id)));
  if (unlisted.size === 0) return true;
  for await (const { kind, subscription, attempts } of items.all()) {
    if (kind === 'list' && attempts > 0) unlisted.delete(subscription.toLowerCase());
  }
  return unlisted.size === 0;
}
