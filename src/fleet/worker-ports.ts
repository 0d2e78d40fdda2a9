import { z } from 'zod';
import type { CallCapacity } from '../azure/call-capacity.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { UnrecordedOrder } from '../orders/standing-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import type { Leases } from '../work/lease-client.ts';
import type { Cause } from '../work/messages.ts';
import type { Proof, RolloutDecision } from './decide-rollout.ts';
import type { FleetIndex } from './fleet-index.ts';
import type { MovedUses } from './moved-uses.ts';
import type { Move } from './reconcile-use.ts';
import type { RolloutGate } from './rollout-gate.ts';
import type { RolloutNews, RolloutStore } from './rollout-row.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { UseRow, UseRows } from './use-row.ts';
import type { VersionLists } from './version-lists.ts';
import type { WorkItems } from './work-items.ts';

/** "Read the work items of these subscriptions": a hint, as the items are the truth. */
export interface FleetWork {
  /** At most `MOST_SUBSCRIPTIONS`. */
  readonly subscriptions: readonly string[];
  /** How often it was requeued since another worker held the lease. */
  readonly tries: number;
  readonly cause: Cause;
}

export interface FleetQueue {
  /** Queue errors are the SDK's. @param visibleOn hidden until then; absent: at once */
  send(work: FleetWork, visibleOn?: Date): Promise<void>;
}

export interface KeyQueue {
  /** "Reconcile this key." @param key identifier without a version */
  sendKey(key: string, cause: Cause, visibleOn?: Date): Promise<void>;
}

/** What the worker of a subscription needs. */
export interface WorkerPorts {
  readonly items: WorkItems;
  readonly rows: UseRows;
  readonly fleet: Pick<FleetIndex, 'account' | 'accounts' | 'write' | 'listed'>;
  readonly leases: Leases;
  readonly accounts: StorageAccounts;
  /** Shared by all passes of the instance. */
  readonly versions: VersionLists;
  readonly vaults: Pick<ManagedVaults, 'key' | 'keyOf'>;
  readonly moved: Pick<MovedUses, 'put' | 'drop'>;
  readonly gate: Pick<RolloutGate, keyof RolloutGate>;
  /** Reconciles a key whose uses have moved; its work item is stored before. Never throws. */
  reconcileKey(key: ManagedKey): Promise<void>;
  /** Shared by all passes of the instance. */
  readonly capacity: CallCapacity;
  /** Appends records of moves to the audit trail. Never throws. @returns ids of those that were appended in time */
  record(moves: readonly { readonly move: Move; readonly cause: Cause }[]): Promise<ReadonlySet<string>>;
  /** Whether the drift check must not move the use. */
  isExempt(row: UseRow): boolean;
  /** The clock of the app's storage account, so that instances with skewed clocks agree. */
  readonly now: () => Date;
  /** When the pass aborts PATCH calls without an answer; absent: each has its own deadline. */
  readonly writesUntil?: Date;
  sleep(ms: number): Promise<void>;
  readonly log: Log;
}

/** What the decision on a key needs. */
export interface KeyPorts extends Pick<WorkerPorts, 'items' | 'rows' | 'now' | 'log'>, FleetQueue, KeyQueue {
  readonly fleet: Pick<FleetIndex, 'listings' | 'accounts'>;
  readonly moved: Pick<MovedUses, 'of'>;
  readonly vaults: Pick<ManagedVaults, 'key'>;
  readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> };
  readonly rollouts: RolloutStore;
  readonly orders: OrdersStore;
  /** Ids of the subscriptions that the app manages; undefined: not known, and all in the index count. */
  inSight(): Promise<readonly string[] | undefined>;
  /** Accounts that go first (`CMK_CANARIES`). */
  readonly canaries: number;
  probe(canaries: readonly string[], target: string): Promise<Proof>;
  /** Appends a decision on an order to the audit trail. Never throws. */
  recordOrder(change: UnrecordedOrder): Promise<unknown>;
  /** Records and logs what became of a rollout; the id of the record is made of news, key and version. */
  recordNews(
    news: RolloutNews,
    key: ManagedKey,
    target: KeyVersion,
    decision: Pick<RolloutDecision, 'row' | 'counts'>,
  ): Promise<void>;
}

const TARGETS = z.record(z.string().max(300), z.string().max(400));
const PASS = z.object({ startedOn: z.iso.datetime(), targets: TARGETS });
const USAGE = z.record(z.string().max(200), z.array(z.tuple([z.number(), z.number()])).max(100));
/**
 * What is stored with the lease. It decides what is read and whose move a change was, never what is written to an account.
 * While `pass` is there, its worker is running, or has died.
 */
export const PASS_STATE = z.object({
  pass: PASS.optional().catch(undefined),
  /** Passes in a row whose workers died. */
  unclean: z.number().int().min(0).catch(0),
  usage: USAGE.catch({}),
});
export type PassState = z.output<typeof PASS_STATE>;
