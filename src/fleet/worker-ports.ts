import { z } from 'zod';
import type { CallCapacity } from '../azure/call-capacity.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { Leases } from '../work/lease-client.ts';
import type { Cause } from '../work/messages.ts';
import type { FleetIndex } from './fleet-index.ts';
import type { MovedUses } from './moved-uses.ts';
import type { Blocked, Move, Orders } from './reconcile-use.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { UseRow, UseRows } from './use-row.ts';
import type { VersionLists } from './version-lists.ts';
import type { WorkItems } from './work-items.ts';

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
  readonly gate: Gate;
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

/** Decides whether a use may move, by the pauses, stages, revocations and standing orders that this instance has cached. */
export interface Gate extends Orders {
  /**
   * Why the use may not move now. Never throws: what cannot be read blocks.
   *
   * @param target version identifier
   * @param since when the work item was read; anything cached before is read again
   */
  blocked(row: UseRow, key: ManagedKey, target: string, since: Date): Promise<Blocked | undefined>;
  /** The same right before a PATCH, from the cache alone. */
  stops(row: UseRow, key: ManagedKey, target: string): Blocked | undefined;
  /** Source keys of all orders to that key, ended orders included. */
  sourcesOf(to: string): readonly string[];
  /** Reads the orders again unless the cache is newer than `since` and its time to live. Never throws. */
  refresh(since: Date): Promise<void>;
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
