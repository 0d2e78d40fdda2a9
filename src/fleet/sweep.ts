import { parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import { isMoving } from '../orders/standing-orders.ts';
import type { Cause } from '../work/messages.ts';
import { SWEEP_MS } from './fleet-work.ts';
import type { RolloutRow } from './rollout-row.ts';
import { dueOf, keyItem, NO_SUBSCRIPTION } from './work-items.ts';
import type { FleetServices } from './worker-ports.ts';

/** Age after which a due item counts as lost by its worker. Milliseconds. */
const OVERDUE_MS = 30_000;
/** Intervals between decisions on unfinished and on stuck rollouts. Milliseconds. */
const [UNFINISHED_MS, STUCK_MS] = [120_000, 600_000];

type SweepPorts = Pick<FleetServices, 'items' | 'rollouts' | 'orders' | 'send' | 'sendKey' | 'now'>;

/**
 * Finds unfinished work of lost messages or dead processes, and work that is due before the next sweep. Makes one
 * query, and returns the messages to send.
 */
export async function sweepWork({ items, rollouts, orders, send, sendKey, now }: SweepPorts): Promise<{
  /** Number of overdue entries. */
  readonly overdue: number;
  readonly sends: readonly (() => Promise<void>)[];
}> {
  const nowMs = now().getTime();
  const cause: Cause = { by: 'sweep', ref: '', since: now().toISOString() };
  /** Due times by key or subscription. */
  const dues = new Map<string, { readonly isKey: boolean; readonly due: number }>();
  for await (const item of items.all()) {
    const isKey = item.subscription === NO_SUBSCRIPTION;
    const about = isKey ? item.about : item.subscription;
    const known = dues.get(about)?.due ?? Number.POSITIVE_INFINITY;
    dues.set(about, { isKey, due: Math.min(known, dueOf(item, now()).getTime()) });
  }
  const moving = (await orders.read()).rekeys.filter(isMoving).map(({ from }) => from);
  const stale: string[] = [];
  for await (const { name, row } of rollouts.all()) {
    // Workers decide on an order's rollout with its key.
    if (dues.has(name) || !parseKeyIdentifier(name)) continue;
    const activation = Date.parse(row.activation ?? '');
    if (activation > nowMs) dues.set(name, { isKey: true, due: activation });
    // While an order moves all uses of a key, the key has no separate rollout.
    if (isStaleRow(row, nowMs) && !moving.some((from) => sameKeyName(from, name))) stale.push(name);
  }
  // Each sweep reconciles the keys of active orders.
  const undecided = [...stale, ...moving.filter((from) => !dues.has(from))];
  await items.putNew(undecided.map((key) => keyItem(key, cause, now())));
  const overdue = [...dues].filter(([, { due }]) => due <= nowMs - OVERDUE_MS);
  const soon = [...dues].filter(([, { due }]) => due > nowMs && due < nowMs + SWEEP_MS);
  const sends = [...overdue, ...soon].map(([about, { isKey, due }]) => () => {
    const visibleOn = due > nowMs ? new Date(due) : undefined;
    return isKey ? sendKey(about, cause, visibleOn) : send({ subscriptions: [about], tries: 0, cause }, visibleOn);
  });
  return {
    overdue: overdue.length + stale.length,
    sends: [...undecided.map((key) => () => sendKey(key, cause)), ...sends],
  };
}

/** Returns whether a rollout needs a new decision that no event or item requests. */
function isStaleRow({ unfinished, lastNews, checkedOn, activation }: RolloutRow, nowMs: number): boolean {
  if (activation && Date.parse(activation) <= nowMs) return true;
  const everyMs = lastNews === 'RotationStuck' ? STUCK_MS : UNFINISHED_MS;
  // Probes failed canaries again, even if all uses have moved.
  return (unfinished > 0 || lastNews === 'CanaryFailed') && Date.parse(checkedOn) <= nowMs - everyMs;
}
