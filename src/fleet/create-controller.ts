import type { TokenCredential } from '../azure/credential.ts';
import { LIMITS } from '../azure/limits.ts';
import { storageClock } from '../azure/storage-clock.ts';
import { createKeys } from '../keys/key-client.ts';
import type { Settings } from '../settings/settings.ts';
import type { RequestKey } from '../work/work-queue-client.ts';
import { adoptingLeases } from './adopt-version-2-client.ts';
import { Controller, type ControllerPorts, createQueues } from './controller.ts';
import type { FleetTable } from './fleet-table-client.ts';
import { createMovedUses, type MovedUses } from './moved-uses.ts';
import { createRolloutStore, type RolloutStore } from './rollout-row.ts';
import { createUseRows, type UseRows } from './use-row.ts';
import { createWorkItems, type WorkItems } from './work-items.ts';
import type { FleetQueue } from './worker-ports.ts';

/** The controller, and what it keeps. */
export interface ControllerServices {
  readonly controller: Controller;
  readonly requestKey: RequestKey;
  readonly requestKeys: Controller['requestKeys'];
  readonly fleetQueue: FleetQueue;
  readonly workItems: WorkItems;
  readonly useRows: UseRows;
  readonly rollouts: RolloutStore;
  readonly moved: MovedUses;
}

/** One for each instance. No call is made yet. */
export function createController(
  settings: Settings,
  identity: TokenCredential,
  { table, control }: { readonly table: FleetTable; readonly control: FleetTable },
  ports: Omit<ControllerPorts, 'settings' | 'items' | 'rows' | 'rollouts' | 'moved' | 'keys' | 'now'>,
): ControllerServices {
  const credential = () => identity;
  const moved = createMovedUses(control);
  const stores = {
    moved,
    workItems: createWorkItems(table),
    useRows: createUseRows(table),
    rollouts: createRolloutStore(control),
  };
  const keys = createKeys(identity, LIMITS.keyWork);
  const { now } = storageClock;
  const { useRows: rows, workItems: items, rollouts } = stores;
  const leases = adoptingLeases(settings, credential, { ...ports, rows, now });
  const controller = new Controller({ ...ports, rows, items, rollouts, moved, settings, keys, leases, now });
  const fleetQueue = createQueues({ queue: ports.queue, now });
  const { requestKey, requestKeys } = controller;
  return { ...stores, controller, fleetQueue, requestKey, requestKeys };
}
