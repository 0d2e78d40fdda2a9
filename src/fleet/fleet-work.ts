import pMap from 'p-map';
import { errorText } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import { findPause, findRekey, hasContest, isMoving, type StandingOrders } from '../orders/standing-orders.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { type Cause, MOST_SUBSCRIPTIONS } from '../work/messages.ts';
import type { RequestKey } from '../work/work-queue-client.ts';
import { reconcileSubscription } from './reconcile-subscription.ts';
import type { RolloutRow, RolloutStore } from './rollout-row.ts';
import { dueOf, NO_SUBSCRIPTION, type WorkItem, type WorkItems } from './work-items.ts';
import type { WorkerPorts } from './worker-ports.ts';

/** "Read the work items of these subscriptions": a hint, as the items are the truth. */
export interface FleetWork {
  /** At most {@link MOST_SUBSCRIPTIONS}. */
  readonly subscriptions: readonly string[];
  /** How often it was requeued since another worker held the lease. */
  readonly tries: number;
  readonly cause: Cause;
}

export interface FleetQueue {
  /** Queue errors are the SDK's. @param visibleOn hidden until then; absent: at once */
  send(work: FleetWork, visibleOn?: Date): Promise<void>;
}

export interface KeyQueue {
  /** "Reconcile this key." @param key identifier without a version */
  sendKey(key: string, cause: Cause, visibleOn?: Date): Promise<void>;
}

/** A message that met another worker is hidden for so long, so often: the holder may be dead. */
const [BUSY_MS, BUSY_TRIES] = [30_000, 2];
/** What is due later than that is the sweep's. Milliseconds. */
export const SWEEP_MS = 120_000;
/** A worker has so long before the sweep takes its items for forgotten. Milliseconds. */
const OVERDUE_MS = 30_000;
/** Of a key that cannot be reconciled: until the next try, doubled with each, and at most. Seconds. */
const [FIRST_DELAY, LONGEST_DELAY] = [15, 300];
/** Rollouts that are not finished are decided on again after so long, stuck ones later. Milliseconds. */
const [UNFINISHED_MS, STUCK_MS] = [120_000, 600_000];

/** By tens, one message each. */
export function fleetWorks(subscriptions: readonly string[], cause: Cause): FleetWork[] {
  return Array.from({ length: Math.ceil(subscriptions.length / MOST_SUBSCRIPTIONS) }, (_, n) => ({
    subscriptions: subscriptions.slice(n * MOST_SUBSCRIPTIONS, (n + 1) * MOST_SUBSCRIPTIONS),
    ...{ tries: 0, cause },
  }));
}

/**
 * What a message of `fleet-work` asks for. Never throws: the items stay where they are, and the sweep finds them.
 *
 * @param until no call is begun later
 */
export async function handleFleetWork(work: FleetWork, until: Date, ports: WorkerPorts & FleetQueue): Promise<void> {
  const { send, now, log } = ports;
  const one = async (subscription: string): Promise<void> => {
    const result = await reconcileSubscription(subscription, until, ports);
    const alone = { ...work, subscriptions: [subscription] };
    if (result.outcome === 'busy') {
      // The holder reads the items again before it ends; one that the sweep found may hold no more.
      if (work.cause.by !== 'sweep' || work.tries >= BUSY_TRIES) return;
      await send({ ...alone, tries: work.tries + 1 }, new Date(now().getTime() + BUSY_MS));
    } else if (result.nextDue && result.nextDue.getTime() - now().getTime() < SWEEP_MS) {
      await send({ ...alone, tries: 0 }, result.nextDue);
    }
  };
  await pMap(work.subscriptions, (subscription) =>
    one(subscription).catch((error: unknown) =>
      log({ level: 'error', reason: 'PassFailed', message: `${REASONS.PassFailed} ${errorText(error)}` }),
    ),
  );
}

/**
 * What a message of `key-work` asks for. Never throws: an error of a key is written to its item.
 *
 * @param reconcile decides on the key
 */
export async function handleKeyWork(
  key: string,
  reconcile: () => Promise<void>,
  ports: Pick<WorkerPorts, 'items' | 'now' | 'log'> & KeyQueue,
): Promise<void> {
  try {
    await reconcile();
  } catch (error) {
    ports.log({ level: 'error', reason: 'PassFailed', message: `${REASONS.PassFailed} ${errorText(error)}` });
    const retry = async (): Promise<void> => {
      const item = (await ports.items.of(NO_SUBSCRIPTION)).find(({ about }) => about === key);
      if (item) await retryKey(item, item.cause, 'PassFailed', ports);
    };
    await retry().catch(() => {});
  }
}

/**
 * Has a key reconciled again after a while, longer with each time. An item that was put anew has its own message.
 *
 * @param cause of the message
 */
export async function retryKey(
  item: WorkItem,
  cause: Cause,
  reason: Reason,
  { items, now, sendKey }: Pick<WorkerPorts, 'items' | 'now'> & KeyQueue,
): Promise<void> {
  const seconds = Math.min(FIRST_DELAY * 2 ** item.attempts, LONGEST_DELAY);
  const due = new Date(now().getTime() + seconds * 1000);
  const isSame = await items.postpone(item, { due, attempts: item.attempts + 1, reason });
  if (isSame && seconds * 1000 < SWEEP_MS) await sendKey(item.about, cause, due);
}

/** Has keys reconciled; `all`: those that have work to do, as what waits for the end of a pause has. */
export async function requestEach(
  keys: readonly string[] | 'all',
  cause: Cause,
  { items, requestKey }: { readonly items: Pick<WorkItems, 'all'>; readonly requestKey: RequestKey },
): Promise<void> {
  const all = new Set(keys === 'all' ? [] : keys);
  if (keys === 'all') for await (const { kind, about } of items.all()) if (kind === 'key') all.add(about);
  await pMap(all, (key) => requestKey(key, cause), { concurrency: CONCURRENCY });
}

interface SweepPorts extends FleetQueue, KeyQueue {
  readonly items: WorkItems;
  readonly rollouts: Pick<RolloutStore, 'all'>;
  readonly orders: { read(): Promise<StandingOrders> };
  readonly now: () => Date;
}

/**
 * Finds the work that a lost message or a dead process left, and what comes due before the next sweep: one query, and a
 * message for each that it finds.
 *
 * @returns how much was overdue
 */
export async function sweepWork({ items, rollouts, orders, send, sendKey, now }: SweepPorts): Promise<number> {
  const nowMs = now().getTime();
  const standing = await orders.read();
  const dues = new Map<string, { readonly about: string; readonly isKey: boolean; due: number }>();
  for await (const item of items.all()) {
    const { subscription, about } = item;
    const due = (await isReleased(item, standing, { items, now })) ? new Date(nowMs + 1) : dueOf(item, now());
    const isKey = subscription === NO_SUBSCRIPTION;
    const name = isKey ? about : subscription;
    const known = dues.get(name);
    if (!known) dues.set(name, { about: name, isKey, due: due.getTime() });
    else known.due = Math.min(known.due, due.getTime());
  }
  const cause: Cause = { by: 'sweep', ref: '', since: now().toISOString() };
  const moving = standing.rekeys.filter(isMoving);
  for await (const { name, row } of rollouts.all()) {
    // Rollouts of orders are decided with their keys.
    if (dues.has(name) || !parseKeyIdentifier(name)) continue;
    const activation = Date.parse(row.activation ?? '');
    if (activation > nowMs) dues.set(name, { about: name, isKey: true, due: activation });
    // While an order moves all uses of a key, nothing is decided on the key's own rollout.
    if (!isForgotten(row, nowMs) || moving.some(({ from }) => sameKeyName(from, name))) continue;
    const at = now();
    await items.putNew([{ subscription: NO_SUBSCRIPTION, kind: 'key', about: name, due: at, since: at, cause }]);
    dues.set(name, { about: name, isKey: true, due: nowMs - OVERDUE_MS });
  }
  // An active order is reconciled at each sweep.
  const sources = moving.filter(({ from }) => !dues.has(from));
  await items.putNew(
    sources.map(({ from }) => ({
      ...{ subscription: NO_SUBSCRIPTION, kind: 'key', about: from, due: now(), since: now(), cause },
    })),
  );
  await pMap(sources, ({ from }) => sendKey(from, cause), { concurrency: CONCURRENCY });
  const all = [...dues.values()];
  const overdue = all.filter(({ due }) => due <= nowMs - OVERDUE_MS);
  const soon = all.filter(({ due }) => due > nowMs && due < nowMs + SWEEP_MS);
  const subscriptions = overdue.filter(({ isKey }) => !isKey).map(({ about }) => about);
  await pMap(fleetWorks(subscriptions, cause), (work) => send(work), { concurrency: CONCURRENCY });
  const rest = [...overdue.filter(({ isKey }) => isKey), ...soon];
  await pMap(
    rest,
    ({ about, isKey, due }) => {
      const visibleOn = new Date(Math.max(due, nowMs));
      return isKey ? sendKey(about, cause, visibleOn) : send({ subscriptions: [about], tries: 0, cause }, visibleOn);
    },
    { concurrency: CONCURRENCY },
  );
  return overdue.length;
}

/**
 * Makes an item due that waits for a pause or a contest that an operator has ended: the process that ended it may have died
 * before it had put a new one.
 *
 * @returns whether it has
 */
async function isReleased(
  item: WorkItem,
  standing: StandingOrders,
  { items, now }: Pick<SweepPorts, 'items' | 'now'>,
): Promise<boolean> {
  const { subscription, kind, about, reason } = item;
  const at = now();
  if (kind !== 'key' || dueOf(item, at) <= at) return false;
  const to = findRekey(standing, about)?.to;
  const isHeld =
    reason === 'Paused'
      ? (findPause(standing, about, at) ?? (to && findPause(standing, to, at)))
      : reason !== 'ContestedChange' || hasContest(standing.contests, subscription, at);
  return !isHeld && items.postpone(item, { due: at, attempts: 0 });
}

/** Whether it is time to decide on a rollout again: no event or item may ask for it. */
function isForgotten({ unfinished, lastNews, checkedOn, activation }: RolloutRow, nowMs: number): boolean {
  if (activation && Date.parse(activation) <= nowMs) return true;
  const everyMs = lastNews === 'RotationStuck' ? STUCK_MS : UNFINISHED_MS;
  // Canaries that do not serve are probed again, although all uses are moved.
  return (unfinished > 0 || lastNews === 'CanaryFailed') && Date.parse(checkedOn) <= nowMs - everyMs;
}
