import { z } from 'zod';
import type { CallCapacity } from '../azure/call-capacity.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { Settings } from '../settings/settings.ts';
import type { Leases } from '../work/lease-client.ts';
import type { Cause } from '../work/messages.ts';
import type { FleetIndex } from './fleet-index.ts';
import type { MovedUses } from './moved-uses.ts';
import type { Blocked, Move, Order } from './reconcile-use.ts';
import type { ListedKey } from './rekey-plan.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { UseRow, UseRows } from './use-row.ts';
import type { WorkItems } from './work-items.ts';

/** What the worker of a subscription needs. */
export interface WorkerPorts {
  readonly items: WorkItems;
  readonly rows: UseRows;
  readonly fleet: Pick<FleetIndex, 'account' | 'accounts' | 'write' | 'listed'>;
  readonly leases: Leases;
  readonly accounts: StorageAccounts;
  readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> };
  readonly vaults: Pick<ManagedVaults, 'key' | 'keyOf'>;
  readonly moved: Pick<MovedUses, 'put'>;
  /** What says whether a use may move now. */
  readonly gate: Gate;
  /** Decides again on a key whose uses have moved. Its item is put before. Never throws. */
  reconcileKey(key: ManagedKey): Promise<void>;
  /** Of this instance, shared by its passes. */
  readonly capacity: CallCapacity;
  /** Appends records of moves; ids of those that are in the trail within the time it has. Never throws. */
  record(moves: readonly { readonly move: Move; readonly cause: Cause }[]): Promise<ReadonlySet<string>>;
  /** Uses that the drift check leaves where they are. */
  isExempt(row: UseRow): boolean;
  readonly refreshAutomatic: boolean;
  /** Whose encryption scopes are looked for: those of all accounts, or of those alone that use a managed key themselves. */
  readonly scopeDiscovery: Settings['scopeDiscovery'];
  /** Part of the windows of the Storage resource provider's budgets (`CMK_BUDGET_SHARE`). */
  readonly budgetShare: number;
  /** The clock of the app's storage account, so that instances with skewed clocks agree. */
  readonly now: () => Date;
  sleep(ms: number): Promise<void>;
  readonly log: Log;
}

/** Pauses, stages, open revocations and standing orders, as they are known in this instance. */
export interface Gate {
  /**
   * Why the use is not moved now. Never throws: what cannot be read blocks.
   *
   * @param to the key that an order moves it to
   * @param since what was read before is read again: it does not have what the work item is about
   */
  blocked(row: UseRow, from: ListedKey, to: ListedKey | undefined, since: Date): Promise<Blocked | undefined>;
  /** Asked right before a PATCH, without a request. @param target version identifier */
  stops(row: UseRow, key: ManagedKey, target: string): Blocked | undefined;
  /** The active order for the uses of a key. */
  order(key: ManagedKey): Order | undefined;
  /** Id of the last order that was to move uses from one key to the other. */
  orderBetween(from: string, to: string): string | undefined;
  /** Keys from which orders were to move uses to that one. */
  sourcesOf(to: string): readonly string[];
  /** Reads the orders again, unless they were read since then and lately. Never throws. */
  refresh(since: Date): Promise<void>;
}

const TARGETS = z.record(z.string().max(300), z.string().max(400));
const PASS = z.object({ startedOn: z.iso.datetime(), targets: TARGETS });
const USAGE = z.record(z.string().max(200), z.array(z.tuple([z.number(), z.number()])).max(100));
/**
 * What is stored with the lease. It decides what is read and whose move a change was, never what is written. While there is
 * a `pass`, its worker is at work or died.
 */
export const PASS_STATE = z.object({
  pass: PASS.optional().catch(undefined),
  /** Passes in a row whose workers died. */
  unclean: z.number().int().min(0).catch(0),
  usage: USAGE.catch({}),
});
export type PassState = z.output<typeof PASS_STATE>;
