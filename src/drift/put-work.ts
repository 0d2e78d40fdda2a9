import { storageClock } from '../azure/storage-clock.ts';
import { sendFor } from '../fleet/fleet-work.ts';
import { type NewWorkItem, type WorkItems, workRow } from '../fleet/work-items.ts';
import type { FleetServices } from '../fleet/worker-ports.ts';
import type { Cause } from '../work/messages.ts';

export interface PutWorkPorts {
  readonly workItems: Pick<WorkItems, 'put' | 'putNew'>;
  readonly fleetQueue: Pick<FleetServices, 'send'>;
}

/** A work item without time and cause. */
export type WantedWork = Pick<NewWorkItem, 'subscription' | 'kind' | 'about' | 'fresh'>;

/**
 * Puts work items and sends messages. Does not replace items of keys and lists: a drift item would not move exempt
 * accounts.
 *
 * @throws the SDK's error if putting the items fails
 */
export async function putWork(
  wanted: readonly WantedWork[],
  cause: Cause,
  { workItems, fleetQueue }: PutWorkPorts,
): Promise<void> {
  const at = storageClock.now();
  const items = new Map(wanted.map((item) => [workRow(item), { ...item, due: at, since: at, cause }]));
  if (items.size === 0) return;
  const accounts = [...items.values()].filter(({ kind }) => kind === 'account');
  // Replaces the item that a running pass finishes: the pass may have read the account before its change.
  if (accounts.length > 0) await workItems.put(accounts);
  await workItems.putNew([...items.values()].filter(({ kind }) => kind !== 'account'));
  // Work does not depend on the message: without it, the sweep finds the items.
  await sendFor([...items.values()], cause, { send: (work) => fleetQueue.send(work).catch(() => {}) });
}
