import type { RekeyStore } from '../fleet/rekey-order.ts';
import { wayOf } from '../fleet/rekey-order.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { sendStep } from './start-rekey.ts';
import { UNVERIFIED_SECONDS } from './waves.ts';

/** The longest that a step is away from the next one, with the time that clocks differ by and a step takes. Milliseconds. */
const LOST_MS = UNVERIFIED_SECONDS * 1000 + 10 * 60_000;

/**
 * Puts the next step of each order into the queue whose message was lost: one that moves, and has made none for long,
 * or one to which something was done that nobody has recorded.
 * Errors are the SDK's.
 *
 * @returns the ids of those that were
 */
export async function reviveRekeys(services: {
  readonly rekeys: Pick<RekeyStore, 'orders'>;
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly now: () => Date;
}): Promise<string[]> {
  const revived: string[] = [];
  for (const order of await services.rekeys.orders()) {
    if (!order.unrecorded && !wayOf(order)) continue;
    if (services.now().getTime() - Date.parse(order.tickedOn) < LOST_MS) continue;
    await sendStep(order, services);
    revived.push(order.id);
  }
  return revived;
}
