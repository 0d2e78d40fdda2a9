import pMap from 'p-map';
import { CONCURRENCY } from '../../azure/limits.ts';
import { storageClock } from '../../azure/storage-clock.ts';
import { sendFor } from '../../controller/fleet-work.ts';
import type { FleetServices } from '../../controller/worker-ports.ts';
import { formatWorkRow, isAboutAccount, type NewWorkItem, type WorkItems } from '../../index/work-items.ts';
import type { Cause } from '../../work/messages.ts';

export interface PutWorkPorts {
  readonly workItems: Pick<WorkItems, 'put' | 'putNew' | 'refresh'>;
  readonly fleetQueue: Pick<FleetServices, 'send'>;
}

/** A work item without time and cause. */
export type WantedWork = Pick<NewWorkItem, 'subscription' | 'kind' | 'about' | 'fresh'>;

/**
 * Puts work items and sends messages. Keeps existing items, whose causes may move exempt accounts, but replaces items
 * of accounts.
 *
 * @throws the SDK's error if putting the items fails
 */
export async function putWork(
  wanted: readonly WantedWork[],
  cause: Cause,
  { workItems, fleetQueue }: PutWorkPorts,
): Promise<void> {
  const at = storageClock.now();
  const items = [
    ...new Map(wanted.map((item) => [formatWorkRow(item), { ...item, due: at, since: at, cause }])).values(),
  ];
  const accounts = items.filter(isAboutAccount);

  // A running pass would finish the old item although it read the account before this change.
  if (accounts.length > 0) await workItems.put(accounts);

  const others = items.filter((item) => !isAboutAccount(item));
  const created = new Set(await workItems.putNew(others));

  // A pass may have read the uses for an existing item before this finding, and may finish it in the meantime.
  const stale = others.filter((item) => item.fresh && !created.has(item));
  const refresh = async (item: NewWorkItem) =>
    (await workItems.refresh(item)) || (await workItems.putNew([item])).length > 0 || workItems.refresh(item);

  await pMap(stale, refresh, { concurrency: CONCURRENCY });

  // Work does not depend on the message: without it, the sweep finds the items.
  await sendFor(items, cause, { send: (work) => fleetQueue.send(work).catch(() => {}) });
}
