import type { TokenCredential } from '../azure/credential.ts';
import { LIMITS } from '../azure/limits.ts';
import { storageClock } from '../azure/storage-clock.ts';
import { createKeys } from '../keys/key-client.ts';
import type { Settings } from '../settings/settings.ts';
import type { RequestKey } from '../work/work-queue-client.ts';
import { adoptingLeases } from './adopt-version-2-client.ts';
import { Controller, type ControllerPorts, createQueues } from './controller.ts';
import type { FleetTable } from './fleet-rows.ts';
import { createFleetTable } from './fleet-table-client.ts';
import type { FleetQueue } from './fleet-work.ts';
import { createMovedUses, type MovedUses } from './moved-uses.ts';
import type { RolloutStore } from './rollout-row.ts';
import { CONTROL_TABLE, createRolloutStore } from './rollout-store-client.ts';
import { createUseRows, type UseRows } from './use-row.ts';
import type { WorkItems } from './work-items.ts';
import { createWorkItems } from './work-items-client.ts';

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
  table: FleetTable,
  ports: Omit<ControllerPorts, 'settings' | 'items' | 'rows' | 'rollouts' | 'moved' | 'keys' | 'now'>,
): ControllerServices {
  const credential = () => identity;
  const moved = createMovedUses(createFleetTable(settings, credential, CONTROL_TABLE));
  const stores = {
    moved,
    workItems: createWorkItems(settings, credential),
    useRows: createUseRows(table),
    rollouts: createRolloutStore(settings, credential),
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
