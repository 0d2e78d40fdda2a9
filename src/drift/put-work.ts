import { storageClock } from '../azure/storage-clock.ts';
import { sendFor } from '../fleet/fleet-work.ts';
import { type NewWorkItem, type WorkItems, workRow } from '../fleet/work-items.ts';
import type { FleetServices } from '../fleet/worker-ports.ts';
import type { Cause } from '../work/messages.ts';

export interface PutWorkPorts {
  readonly workItems: Pick<WorkItems, 'putNew'>;
  readonly fleetQueue: Pick<FleetServices, 'send'>;
}

/** A work item without time and cause. */
export type WantedWork = Pick<NewWorkItem, 'subscription' | 'kind' | 'about' | 'fresh'>;

/**
 * Puts work items and sends messages. Does not replace items of events or operators: a drift item would not move exempt
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
  await workItems.putNew([...items.values()]);
  // Work does not depend on the message: without it, the sweep finds the items.
  await sendFor([...items.values()], cause, { send: (work) => fleetQueue.send(work).catch(() => {}) });
}
