import type { InSight } from '../accounts/in-sight.ts';
import type { Rollout } from '../accounts/rollout.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { type Budget, DOCUMENTED, shareOf } from '../azure/pacer.ts';
import type { DataServices } from '../effect/probe.ts';
import type { PlaceLists } from '../effect/probe-targets.ts';
import type { FleetIndex } from '../fleet/fleet-index.ts';
import type { FleetTable } from '../fleet/fleet-rows.ts';
import { createRotationNotes, type RotationNotes } from '../fleet/rotation-notes.ts';
import type { Keys } from '../keys/key-client.ts';
import { KnownOrders } from '../orders/known-orders.ts';
import { createOrdersStore, type OrdersStore } from '../orders/standing-orders-client.ts';
import type { Settings } from '../settings/settings.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { canaryProbe, type ProbeCanaries } from './probe-canaries.ts';
import { createRollout } from './rollout.ts';

export interface RolloutServices {
  readonly rotationNotes: RotationNotes;
  /** What operators have ordered, where it is kept; and as this instance knows it. */
  readonly orderStore: OrdersStore;
  readonly control: KnownOrders;
  /** When, and in which order, accounts are moved. */
  readonly rollout: Rollout;
  readonly probeCanaries: ProbeCanaries;
  /** What Azure takes of writes in one subscription and region. */
  readonly writeBudgets: readonly Budget[];
}

/** What the app takes of Azure's writes in one subscription and region. */
export function writesOf(share: number): readonly Budget[] {
  return [DOCUMENTED.storageWritesASecond, shareOf(DOCUMENTED.storageWritesAnHour, share)];
}

/** One for each instance. No call is made yet. */
export function createRolloutServices(
  ports: PlaceLists &
    DataServices & {
      readonly settings: Settings;
      readonly inSight: InSight;
      readonly keys: Keys;
      readonly table: FleetTable;
      readonly fleet: FleetIndex;
      readonly queue: Pick<WorkQueue, 'send'>;
      readonly now: () => Date;
    },
  credential: () => TokenCredential,
): RolloutServices {
  const orderStore = createOrdersStore(ports.settings, credential);
  const control = new KnownOrders(orderStore, ports.now);
  const rotationNotes = createRotationNotes(ports.table);
  const writeBudgets = writesOf(ports.settings.budgetShare);
  const rollout = createRollout({ ...ports, control, rotationNotes, writeBudgets });
  return { rotationNotes, orderStore, control, rollout, probeCanaries: canaryProbe(ports), writeBudgets };
}
