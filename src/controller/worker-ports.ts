import type { StorageAccounts } from '../accounts/storage-client.ts';
import type { RecordAudit } from '../audit/audit-trail.ts';
import type { CallCapacity } from '../azure/call-capacity.ts';
import type { Log } from '../errors/log.ts';
import type { FleetIndex } from '../index/fleet-index.ts';
import type { RolloutStore } from '../index/rollout-row.ts';
import type { UseRows } from '../index/use-row.ts';
import type { WorkItems } from '../index/work-items.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import type { Leases } from '../work/lease-client.ts';
import type { Cause, FleetQueueWork } from '../work/messages.ts';
import type { Proof } from './decide-rollout.ts';
import type { KeyStates } from './key-states.ts';
import type { MovedUses } from './moved-uses.ts';
import type { Exclusions } from './select.ts';

/** A message that requests a read of the subscriptions' work items. Only a hint: the items are authoritative. */
export type FleetWork = Pick<FleetQueueWork, 'subscriptions' | 'tries' | 'cause'>;

/** Services of the controller: of the decision on a key, and of the worker of a subscription. */
export interface FleetServices {
  /** Throws the SDK's errors. @param visibleOn end of the visibility timeout; absent: visible at once */
  send(work: FleetWork, visibleOn?: Date): Promise<void>;
  /** Requests that a worker reconciles a key. @param key identifier without a version */
  sendKey(key: string, cause: Cause, visibleOn?: Date): Promise<void>;
  readonly items: WorkItems;
  readonly rows: UseRows;
  readonly fleet: FleetIndex;
  readonly leases: Leases;
  readonly accounts: StorageAccounts;
  readonly vaults: Pick<ManagedVaults, 'key'>;
  /** Lists the versions at each call. */
  readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> };
  /** All passes of the instance share these states. */
  readonly states: KeyStates;
  readonly rollouts: RolloutStore;
  readonly orders: OrdersStore;
  readonly moved: MovedUses;
  /** Ids of managed subscriptions; undefined if the app cannot read them: then all in the index count. */
  inSight(): Promise<readonly string[] | undefined>;
  /** Number of canary accounts (`CMK_CANARY`). */
  readonly canaries: number;
  probe(canaries: readonly string[], target: string): Promise<Proof>;
  /** Reconciles a key whose uses have moved; its work item is already stored. Never throws. */
  reconcileKey(key: ManagedKey): Promise<void>;
  /** All passes of the instance share this limit. */
  readonly capacity: CallCapacity;
  readonly audit: RecordAudit;
  /** Uses that the drift check must not move. */
  readonly exclusions: Exclusions;
  /** Clock of the app's storage account, so that instances with skewed clocks agree. */
  readonly now: () => Date;
  /** When the pass aborts unanswered PATCH calls; absent: each call has its own deadline. */
  readonly writesUntil?: Date;
  readonly sleep: (ms: number) => Promise<void>;
  readonly log: Log;
}
