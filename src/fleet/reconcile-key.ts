import { type KeyVersion, newestUsableVersion, nextActivation } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { findPause, isOrderedOn, type StandingOrders } from '../orders/standing-orders.ts';
import { REASONS } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { DAY_MS, hasBeenSince } from '../time/spans.ts';
import type { Cause } from '../work/messages.ts';
import { type Proof, RolloutCount, type RolloutDecision } from './decide-rollout.ts';
import type { FleetIndex } from './fleet-index.ts';
import { inManagedSubscriptions } from './fleet-keys.ts';
import { type FleetQueue, fleetWorks, type KeyQueue, retryKey } from './fleet-work.ts';
import { type OpenRekey, openRekeyOf, RekeyCount, type RekeyPorts, stopRekey, verifyRekey } from './reconcile-rekey.ts';
import type { RolloutNews, RolloutStore, StoredRollout } from './rollout-row.ts';
import type { UseRows } from './use-row.ts';
import { LONGEST_WAIT_MS, type NewWorkItem, NO_SUBSCRIPTION, type WorkItem, type WorkItems } from './work-items.ts';

/** Attempts while other instances decide at the same time. */
const MOST_ROUNDS = 3;
/** Stands in for the end of a pause without one. */
const NEVER = '9999-12-31T00:00:00Z';
/** Causes of follow-ups. If the key has a work item already, the cause of that item is kept. */
const FOLLOW_UPS: ReadonlySet<string> = new Set(['sweep', 'progress', 'drift']);

export interface KeyPorts extends FleetQueue, KeyQueue, RekeyPorts {
  readonly items: WorkItems;
  readonly rows: UseRows;
  readonly fleet: Pick<FleetIndex, 'listings'>;
  readonly rollouts: RolloutStore;
  /** Ids of the subscriptions that the app manages; undefined: not known, and all in the index count. */
  inSight(): Promise<readonly string[] | undefined>;
  /** Accounts that go first (`CMK_CANARIES`). */
  readonly canaries: number;
  probe(canaries: readonly string[], target: string): Promise<Proof>;
  readonly log: Log;
  /** Records and logs what became of a rollout; the id of the record is made of news, key and version. */
  recordNews(
    news: RolloutNews,
    key: ManagedKey,
    target: KeyVersion,
    decision: Pick<RolloutDecision, 'row' | 'counts'>,
  ): Promise<void>;
}

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
  const { items } = ports;
  const origin = item && FOLLOW_UPS.has(cause.by) ? item.cause : cause;
  const state = await readState(key, ports);
  const { target, open } = state;
  if (!target && !open) {
    if (!(await putEmptyRow(key, state, ports))) return false;
    if (item) await items.finish(item);
    return true;
  }
  if (await isPaused(key, state, item, ports)) return true;
  const { own, ordered, rekey } = await rolloutsOf(key, state, ports);
  const subscriptions = await ports.inSight();
  if (subscriptions && !(await requestLists(subscriptions, origin, ports))) {
    await decideLater(key, origin, item, ports);
    return true;
  }
  const isManaged = inManagedSubscriptions(subscriptions);
  for await (const row of ports.rows.of(key.id)) {
    if (isManaged(row)) (open?.covers(row) ? rekey : own?.count)?.add(row);
  }
  if (open && rekey?.isStopped) {
    await stopRekey(open, rekey.failures, ports);
    return false;
  }
  await rekey?.addMoved(ports.moved);
  // While an order moves all uses, the key has no rollout of its own.
  const rollouts = [open && open.rekey.only === undefined ? undefined : own, ordered].filter(
    (one) => one !== undefined,
  );
  for (const rollout of rollouts) {
    const decision = await decideRollout(rollout, key, ports);
    if (!decision) return false;
    await sendFor(await putItems(decision, key, { cause, origin }, ports), cause, ports);
    // Once an order is done, the key has a rollout of its own again.
    if (rollout === ordered && open && (await verifyRekey(open, decision, cause, ports))) return false;
  }
  if (item) await items.finish(item);
  return true;
}

/** The key is revoked, or no version is usable. @returns false: another instance has decided meanwhile */
function putEmptyRow(key: ManagedKey, { at, activation, stored }: KeyState, { rollouts }: KeyPorts): Promise<boolean> {
  const none = { target: undefined, stage: 'canary', canaries: [], proven: false, unfinished: 0, failed: 0 } as const;
  const row = { ...none, progressOn: at.toISOString(), checkedOn: at.toISOString(), ...activation };
  return rollouts.put(key.id, row, stored?.etag);
}

/** Whether the key is paused. The end of a pause puts no item, so the item of the key waits for it. */
async function isPaused(
  key: ManagedKey,
  { orders, open, at }: KeyState,
  item: WorkItem | undefined,
  { items, log }: KeyPorts,
): Promise<boolean> {
  const pause = findPause(orders, key.id, at) ?? (open && findPause(orders, open.rekey.to, at));
  if (!pause) return false;
  log({ level: 'info', reason: 'Paused', message: REASONS.Paused, key: key.id });
  const due = new Date(Math.min(Date.parse(pause.until ?? NEVER), at.getTime() + LONGEST_WAIT_MS));
  if (item) await items.postpone(item, { due, attempts: item.attempts, reason: 'Paused' });
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
  readonly activation: { readonly activation?: string };
  readonly at: Date;
}

async function readState(key: ManagedKey, ports: KeyPorts): Promise<KeyState> {
  // Read the row before the versions. If another instance decides from a newer list, then this row is its result, or the ETag
  // conflicts when this instance writes.
  const stored = await ports.rollouts.read(key.id);
  const versions = await ports.keys.listVersions(key);
  const orders = await ports.orders.read();
  const at = ports.now();
  const activation = nextActivation(versions, at)?.toISOString();
  return {
    ...{ stored, orders, at, activation: activation ? { activation } : {} },
    open: await openRekeyOf(key, versions, orders, ports),
    target: openRevocation(versions, at) ? undefined : newestUsableVersion(versions, at),
  };
}

/** The rollout of a key, or of an order that moves its uses. */
interface Rollout {
  /** Name of its row: the id of the key, or of the order. */
  readonly name: string;
  readonly target: KeyVersion;
  readonly count: RolloutCount;
  readonly stored: StoredRollout | undefined;
  readonly more: { readonly activation?: string };
  readonly isOrder: boolean;
}

async function rolloutsOf(
  key: ManagedKey,
  { target, open, orders, stored, activation, at }: KeyState,
  { rollouts, canaries }: KeyPorts,
): Promise<{ readonly own?: Rollout; readonly ordered?: Rollout; readonly rekey?: RekeyCount }> {
  const countTo = (to: KeyVersion) => ({
    target: to,
    count: new RolloutCount({ target: to, canaries, isOrderedOn: isOrderedOn(orders, to.id), now: at }),
  });
  const own = target && { name: key.id, ...countTo(target), stored, more: activation, isOrder: false };
  if (!open) return own ? { own } : {};
  const { id } = open.rekey;
  const ordered = { name: id, ...countTo(open.target), stored: await rollouts.read(id), more: {}, isOrder: true };
  return { ...(own ? { own } : {}), ordered, rekey: new RekeyCount(open, ordered.count) };
}

/** Keeps the item: nothing else would reconcile a key once its subscriptions are listed. */
async function decideLater(key: ManagedKey, cause: Cause, item: WorkItem | undefined, ports: KeyPorts): Promise<void> {
  const at = ports.now();
  const about = { subscription: NO_SUBSCRIPTION, kind: 'key', about: key.id } as const;
  if (!item) await ports.items.putNew([{ ...about, due: at, since: at, cause }]);
  const own = item ?? (await itemOf(key, ports));
  // `progress` is a follow-up cause: postponed items of subscriptions stay postponed.
  if (own) await retryKey(own, { by: 'progress', ref: '', since: at.toISOString() }, 'FleetNotListed', ports);
}

/** Undefined: another instance has decided meanwhile. */
async function decideRollout(
  { name, target, count, stored, more, isOrder }: Rollout,
  key: ManagedKey,
  ports: KeyPorts,
): Promise<RolloutDecision | undefined> {
  let decision = count.decide(stored?.row);
  if (decision.needsProof) {
    decision = count.decide(stored?.row, await ports.probe(decision.row.canaries, target.id));
  }
  // Record before storing the row. If the row is not stored, the next decision appends the record again, with the same id.
  // `verifyRekey` records the end of an order.
  if (decision.news && !(isOrder && decision.news === 'RotationFinished')) {
    await ports.recordNews(decision.news, key, target, decision);
  }
  // The only place that widens a stage.
  const isStored = await ports.rollouts.put(name, { ...decision.row, ...more }, stored?.etag);
  return isStored ? decision : undefined;
}

/** Puts items for the subscriptions in which something may move. @returns those that need a message */
async function putItems(
  { row, subscriptions, isWider, news }: RolloutDecision,
  key: ManagedKey,
  { cause, origin }: { readonly cause: Cause; readonly origin: Cause },
  { items, log, now }: KeyPorts,
): Promise<readonly NewWorkItem[]> {
  const at = now();
  if (isWider && row.unfinished > 0) {
    const about = { key: key.id, target: row.target, stage: row.stage, unfinished: row.unfinished };
    log({ level: 'info', reason: 'StageWidened', message: `${REASONS.StageWidened} Stage: ${row.stage}.`, ...about });
  }
  // A follow-up leaves existing items as they are, with their messages, unless the stage admits more or there is news.
  const wakesPostponed = isWider || news !== undefined || !FOLLOW_UPS.has(cause.by);
  // The cause of an item that exists stays: other than the drift check, it may move exempt uses.
  const causes = wakesPostponed && origin.by === 'drift' ? await causesOf(key, items) : new Map<string, Cause>();
  const wanted = subscriptions.map(
    (subscription): NewWorkItem => ({
      ...{ subscription, kind: 'key', about: key.id, due: at, since: at, cause: causes.get(subscription) ?? origin },
      // The index may be wrong if nothing moves for long: every use is read.
      ...(news === 'RotationStuck' ? { fresh: true } : {}),
    }),
  );
  if (!wakesPostponed) return items.putNew(wanted);
  await items.put(wanted);
  return wanted;
}

/** The cause of the key's item in each subscription. */
async function causesOf(key: ManagedKey, items: WorkItems): Promise<ReadonlyMap<string, Cause>> {
  const causes = new Map<string, Cause>();
  for await (const { kind, about, subscription, cause } of items.all()) {
    if (kind === 'key' && about === key.id) causes.set(subscription, cause);
  }
  return causes;
}

/**
 * Has subscriptions listed that were not listed for a day.
 *
 * @returns whether the index has all subscriptions, so that no stage is decided on a part of the uses. A subscription whose
 *   first list failed does not delay the decision.
 */
async function requestLists(subscriptions: readonly string[], cause: Cause, ports: KeyPorts): Promise<boolean> {
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

async function sendFor(items: readonly NewWorkItem[], cause: Cause, { send }: KeyPorts): Promise<void> {
  const subscriptions = new Set(items.map(({ subscription }) => subscription));
  for (const work of fleetWorks([...subscriptions], cause)) await send(work);
}
