import pMap from 'p-map';
import { CONCURRENCY } from '../azure/limits.ts';
import { type Job, toHint } from '../index/jobs.ts';
import type { RolloutRow } from '../index/rollout-row.ts';
import { createKeyItem, getDue, NO_SUBSCRIPTION, SWEEP_MS } from '../index/work-items.ts';
import { isMoving } from '../orders/standing-orders.ts';
import type { Cause } from '../work/messages.ts';
import { sendFor } from './fleet-work.ts';
import type { FleetServices } from './worker-ports.ts';

/** Age after which a due item counts as lost by its worker. Milliseconds. */
const OVERDUE_MS = 30_000;
/** Interval between decisions on an unfinished rollout. Milliseconds. */
const UNFINISHED_MS = 120_000;
/** Interval between decisions on a stuck rollout. Milliseconds. */
const STUCK_MS = 600_000;

/** Subscriptions whose work is due within this time share messages. Milliseconds. */
const TOGETHER_MS = 10_000;

interface SweepPorts
  extends Pick<FleetServices, 'items' | 'rollouts' | 'orders' | 'vaults' | 'inSight' | 'send' | 'sendKey' | 'now'> {
  /** Sends the message that runs a stored job. */
  sendJob(hint: Job, visibleOn?: Date): Promise<void>;
}

/**
 * Finds unfinished work of lost messages or dead processes, and work that is due before the next sweep. Makes one
 * query, and sends a message for each key, for each job, and for each ten subscriptions. It ignores the length of the queues, which
 * includes hidden messages: a limit by length would keep back due work.
 *
 * @returns number of overdue entries
 * @throws the SDK's errors, after all other messages were sent
 */
export async function sweepWork(ports: SweepPorts): Promise<number> {
  const { items, rollouts, orders, vaults, inSight, now } = ports;
  const nowMs = now().getTime();
  const cause: Cause = { by: 'sweep', ref: '', since: now().toISOString() };

  /** Due times by subscription, and by key. */
  const subscriptions = new Map<string, number>();
  const keys = new Map<string, number>();
  const jobs: (readonly [job: Job, due: number])[] = [];
  const ids = await inSight();
  const managed = ids && new Set(ids.map((id) => id.toLowerCase()));

  for await (const item of items.all()) {
    const due = getDue(item, now()).getTime();
    const job = toHint(item);
    if (job) {
      jobs.push([job, due]);
      continue;
    }

    const isKey = item.subscription === NO_SUBSCRIPTION;
    if (!isKey && managed?.has(item.subscription.toLowerCase()) === false) {
      // A newer item may belong to a subscription that this instance does not know yet.
      if (due <= nowMs - OVERDUE_MS) await items.finish(item);
      continue;
    }

    const dues = isKey ? keys : subscriptions;
    const about = isKey ? item.about : item.subscription;
    const known = dues.get(about) ?? Number.POSITIVE_INFINITY;
    dues.set(about, Math.min(known, due));
  }

  const open = (await orders.read()).rekeys.filter(isMoving);
  const moving = open.map(({ from }) => from).filter((from) => vaults.key(from));
  const stale: string[] = [];

  for await (const { name, row } of rollouts.all()) {
    // Skips rollouts of orders, on which workers decide with the key, and keys whose vault is no longer managed.
    if (keys.has(name) || !vaults.key(name)) continue;

    const activation = Date.parse(row.activation ?? '');
    if (activation > nowMs) keys.set(name, activation);

    // While an order moves all uses of a key, the key has no separate rollout.
    if (isStaleRow(row, nowMs) && !moving.includes(name)) stale.push(name);
  }

  // Each sweep reconciles the keys of active orders.
  const undecided = [...stale, ...moving.filter((from) => !keys.has(from))];

  await items.putNew(undecided.map((key) => createKeyItem(key, cause, now())));

  const isOverdue = (due: number) => due <= nowMs - OVERDUE_MS;
  const isDueSoon = (due: number) => due > nowMs && due < nowMs + SWEEP_MS;
  const needsMessage = ([, due]: readonly [unknown, number]) => isOverdue(due) || isDueSoon(due);
  const sends = [
    ...undecided.map((key) => () => ports.sendKey(key, cause)),
    ...sendsForKeys([...keys].filter(needsMessage), nowMs, cause, ports),
    ...jobs.filter(needsMessage).map(
      ([job, due]) =>
        () =>
          ports.sendJob(job, hiddenUntil(due, nowMs)),
    ),
    ...sendsForSubscriptions([...subscriptions].filter(needsMessage), nowMs, cause, ports),
  ];

  await pMap(sends, (send) => send(), { concurrency: CONCURRENCY, stopOnError: false });

  const dues = [...keys.values(), ...subscriptions.values(), ...jobs.map(([, due]) => due)];

  return dues.filter(isOverdue).length + stale.length;
}

/** Keys or subscriptions, with the time when their work is due. */
type Dues = readonly (readonly [about: string, due: number])[];
type Send = () => Promise<void>;

function sendsForKeys(dues: Dues, nowMs: number, cause: Cause, { sendKey }: SweepPorts): readonly Send[] {
  return dues.map(
    ([key, due]) =>
      () =>
        sendKey(key, cause, hiddenUntil(due, nowMs)),
  );
}

/** Returns the end of the visibility timeout of a message about work; undefined for work that is due. */
function hiddenUntil(due: number, nowMs: number): Date | undefined {
  return due > nowMs ? new Date(due) : undefined;
}

function sendsForSubscriptions(dues: Dues, nowMs: number, cause: Cause, ports: SweepPorts): readonly Send[] {
  const groups = Map.groupBy(dues, ([, due]) => (due > nowMs ? Math.ceil(due / TOGETHER_MS) : undefined));
  return [...groups].map(([group, members]) => {
    const subscriptions = members.map(([subscription]) => ({ subscription }));
    const visibleOn = group === undefined ? undefined : new Date(group * TOGETHER_MS);
    return () => sendFor(subscriptions, cause, ports, visibleOn);
  });
}

/** Returns whether a rollout needs a new decision that no event or item requests. */
function isStaleRow({ unfinished, lastNews, checkedOn, activation }: RolloutRow, nowMs: number): boolean {
  if (activation && Date.parse(activation) <= nowMs) return true;
  const everyMs = lastNews === 'RotationStuck' ? STUCK_MS : UNFINISHED_MS;
  // Probes failed canaries again, even if all uses have moved.
  return (unfinished > 0 || lastNews === 'CanaryFailed') && Date.parse(checkedOn) <= nowMs - everyMs;
}
