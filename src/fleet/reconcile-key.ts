import pMap from 'p-map';
import { CONCURRENCY } from '../azure/limits.ts';
import { type KeyVersion, newestUsableVersion, nextActivation } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { findPause, isOrderedOn, type StandingOrders } from '../orders/standing-orders.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Cause } from '../work/messages.ts';
import { type Proof, RolloutCount, type RolloutDecision } from './decide-rollout.ts';
import { accountRow, usesLookedAfter } from './fleet-keys.ts';
import { type FleetQueue, fleetWorks, type KeyQueue, retryKey } from './fleet-work.ts';
import { type OpenRekey, openRekeyOf, RekeyCount, type RekeyPorts, stopRekey, verifyRekey } from './reconcile-rekey.ts';
import type { RolloutNews, RolloutRow, RolloutStore, StoredRollout } from './rollout-row.ts';
import { findUnindexed, type Unindexed, type UnindexedPorts } from './unindexed-accounts.ts';
import type { UseRow, UseRows } from './use-row.ts';
import { LONGEST_WAIT_MS, type NewWorkItem, NO_SUBSCRIPTION, type WorkItem, type WorkItems } from './work-items.ts';

/** Attempts while other instances decide at the same time. */
const MOST_ROUNDS = 3;
/** End of a pause that has none. */
const NEVER = '9999-12-31T00:00:00Z';
/** Causes of follow-ups: if the key has an item, that item's cause counts. */
const FOLLOW_UPS: ReadonlySet<string> = new Set(['sweep', 'progress', 'drift']);

export interface KeyPorts extends FleetQueue, KeyQueue, UnindexedPorts, RekeyPorts {
  readonly items: WorkItems;
  readonly rows: UseRows;
  readonly rollouts: RolloutStore;
  /** Subscriptions that the app looks after, by id; undefined: not known, and all of them count. */
  inSight(): Promise<readonly string[] | undefined>;
  /** Accounts that go first (`CMK_CANARIES`). */
  readonly canaries: number;
  probe(canaries: readonly string[], target: string): Promise<Proof>;
  /** Records and logs what became of a rollout; the id of the record is made of news, key and version. */
  recordNews(news: RolloutNews, key: ManagedKey, row: RolloutRow, counts: RolloutDecision['counts']): Promise<void>;
}

/**
 * Decides what to do about the uses of a key, and puts work items for it. Writes to no account. Level-triggered, and safe to
 * run twice at once. Its item stays until all that it decided is stored.
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
  const { items, rollouts, moved } = ports;
  const origin = item && FOLLOW_UPS.has(cause.by) ? item.cause : cause;
  const state = await readState(key, ports);
  const { target, open, at } = state;
  if (!target && !open) {
    const none = { target: undefined, stage: 'canary', canaries: [], proven: false, unfinished: 0, failed: 0 } as const;
    const row = { ...none, progressOn: at.toISOString(), checkedOn: at.toISOString(), ...state.activation };
    if (!(await rollouts.put(key.id, row, state.stored?.etag))) return false;
    if (item) await items.finish(item);
    return true;
  }
  const pause = findPause(state.orders, key.id, at) ?? (open && findPause(state.orders, open.rekey.to, at));
  if (pause) {
    ports.log({ level: 'info', reason: 'Paused', message: REASONS.Paused, key: key.id, cause });
    // The end of a pause puts no item, so this item waits for it.
    const due = new Date(Math.min(Date.parse(pause.until ?? NEVER), at.getTime() + LONGEST_WAIT_MS));
    if (item) await items.postpone(item, { due, attempts: item.attempts, reason: 'Paused' });
    return true;
  }
  const { own, ordered, rekey } = await rolloutsOf(key, state, ports);
  const isLookedAfter = usesLookedAfter(await ports.inSight());
  const add = (row: UseRow): void => {
    if (isLookedAfter(row)) (open?.covers(row) ? rekey : own?.count)?.add(row);
  };
  const unindexed = await countUses(key, origin, add, ports);
  if (unindexed.isUnknown) {
    await putUnindexedAndSend(unindexed, [], cause, ports);
    await decideLater(key, origin, item, 'FleetNotListed', ports);
    return true;
  }
  if (open && rekey?.isStopped) {
    await stopRekey(open, rekey.failures, ports);
    return false;
  }
  await rekey?.addMoved(moved);
  const subscriptions: string[] = [];
  let orderDecision: RolloutDecision | undefined;
  // While an order moves all uses, the key has no rollout of its own.
  for (const rollout of open && open.rekey.only === undefined ? [ordered] : [own, ordered]) {
    if (!rollout) continue;
    const decision = await decideRollout(rollout, key, ports);
    // The only place that widens a stage.
    if (!(await rollouts.put(rollout.name, { ...decision.row, ...rollout.more }, rollout.stored?.etag))) return false;
    subscriptions.push(...(await putItems(decision, key, { cause, origin }, ports)));
    if (rollout === ordered) orderDecision = decision;
  }
  await putUnindexedAndSend(unindexed, subscriptions, cause, ports);
  // Once an order is done, the key has a rollout of its own again.
  if (open && orderDecision && (await verifyRekey(open, orderDecision, cause, ports))) return false;
  if (!unindexed.isComplete) await decideLater(key, origin, item, 'NewerAccountsUnknown', ports);
  else if (item) await items.finish(item);
  return true;
}

/** What a decision is made from, beside the uses. */
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
  // Read before the list: an instance that has a newer list either wrote before that, or is noticed by the ETag.
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
  /** Of its row. */
  readonly name: string;
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
  const countTo = (to: KeyVersion) =>
    new RolloutCount({ target: to, canaries, isOrderedOn: isOrderedOn(orders, to.id), now: at });
  const own = target && { name: key.id, count: countTo(target), stored, more: activation, isOrder: false };
  if (!open) return own ? { own } : {};
  const { id } = open.rekey;
  const ordered = { name: id, count: countTo(open.target), stored: await rollouts.read(id), more: {}, isOrder: true };
  return { ...(own ? { own } : {}), ordered, rekey: new RekeyCount(open, ordered.count) };
}

/** Keeps the item: nothing else would reconcile a key whose uses are not all known. */
async function decideLater(
  key: ManagedKey,
  cause: Cause,
  item: WorkItem | undefined,
  reason: Reason,
  ports: KeyPorts,
): Promise<void> {
  const at = ports.now();
  const about = { subscription: NO_SUBSCRIPTION, kind: 'key', about: key.id } as const;
  if (!item) await ports.items.putNew([{ ...about, due: at, since: at, cause }]);
  const own = item ?? (await itemOf(key, ports));
  // As after progress: postponed items of subscriptions stay postponed.
  if (own) await retryKey(own, { by: 'progress', ref: '', since: at.toISOString() }, reason, ports);
}

async function decideRollout(
  { count, stored, isOrder }: Rollout,
  key: ManagedKey,
  ports: KeyPorts,
): Promise<RolloutDecision> {
  let decision = count.decide(stored?.row);
  if (decision.needsProof && decision.row.target) {
    decision = count.decide(stored?.row, await ports.probe(decision.row.canaries, decision.row.target));
  }
  // Before the row is stored: if it is not, the next decision appends the record again, with the same id. `verifyRekey` records the
  // end of an order.
  if (decision.news && !(isOrder && decision.news === 'RotationFinished')) {
    await ports.recordNews(decision.news, key, decision.row, decision.counts);
  }
  return decision;
}

/** Puts items for the subscriptions in which something may move. */
async function putItems(
  { row, subscriptions, isWider, news }: RolloutDecision,
  key: ManagedKey,
  { cause, origin }: { readonly cause: Cause; readonly origin: Cause },
  { items, log, now }: KeyPorts,
): Promise<readonly string[]> {
  const at = now();
  if (isWider && row.unfinished > 0) {
    const about = { key: key.id, target: row.target, stage: row.stage, unfinished: row.unfinished };
    log({ level: 'info', reason: 'StageWidened', message: `${REASONS.StageWidened} Stage: ${row.stage}.`, ...about });
  }
  // A follow-up leaves postponed items as they are, unless the stage admits more or there is news.
  const wakesPostponed = isWider || news !== undefined || !FOLLOW_UPS.has(cause.by);
  // The cause of an item that exists stays: other than the drift check, it may move exempt uses.
  const causeIn = async (subscription: string): Promise<Cause> => {
    const known = wakesPostponed && origin.by === 'drift' ? await items.of(subscription) : [];
    return known.find(({ kind, about }) => kind === 'key' && about === key.id)?.cause ?? origin;
  };
  const toItem = async (subscription: string): Promise<NewWorkItem> => ({
    ...{ subscription, kind: 'key', about: key.id, due: at, since: at, cause: await causeIn(subscription) },
    // The index may be wrong if nothing moves for long: every use is read.
    ...(news === 'RotationStuck' ? { fresh: true } : {}),
  });
  const wanted = await pMap(subscriptions, toItem, { concurrency: CONCURRENCY });
  await (wakesPostponed ? items.put(wanted) : items.putNew(wanted));
  return subscriptions;
}

/** What the index lacks is counted as if it were there: a stage is never decided on a part of the uses. */
async function countUses(
  key: ManagedKey,
  cause: Cause,
  add: (row: UseRow) => void,
  ports: KeyPorts,
): Promise<Unindexed> {
  const indexed = new Set<string>();
  const countIndexed = async (): Promise<void> => {
    for await (const row of ports.rows.of(key.id)) {
      add(row);
      if (row.scope === undefined) indexed.add(accountRow(row.account));
    }
  };
  const [compare] = await Promise.all([findUnindexed(key, cause, ports), countIndexed()]);
  const unindexed = await compare(indexed);
  for (const row of unindexed.rows) add(row);
  return unindexed;
}

/** Puts items for what the index lacks, and sends messages for all subscriptions that have items. */
async function putUnindexedAndSend(
  unindexed: Unindexed,
  subscriptions: readonly string[],
  cause: Cause,
  { items, send }: KeyPorts,
): Promise<void> {
  await items.putNew(unindexed.items);
  const all = new Set([...subscriptions, ...unindexed.items.map(({ subscription }) => subscription)]);
  for (const work of fleetWorks([...all], cause)) await send(work);
}
