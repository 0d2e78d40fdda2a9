import type { FleetWork } from '../../src/controller/worker-ports.ts';
import { WORK } from '../../src/index/work-items.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import { type Cause, PARSERS } from '../../src/work/messages.ts';
import { VAULTS } from '../support/keys.ts';
import type { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import type { MemoryWorkItems } from '../support/memory-work-items.ts';
import type { MemoryLeases } from './memory-leases.ts';
import type { MemoryOrders } from './memory-orders.ts';
import type { MemoryStorage } from './memory-storage.ts';

/** What a writer of the work zone does; the values of a row replace those that are there, and without any it is deleted. */
export type Forgery =
  | {
      readonly into: 'table';
      readonly partition: string;
      readonly row: string;
      readonly values?: Readonly<Record<string, string>>;
    }
  | { readonly into: 'leases'; readonly state: unknown }
  | { readonly into: 'key-work' | 'fleet-work'; readonly message: unknown };

/** The work zone: a writer there writes anything. */
interface WorkZone {
  readonly index: MemoryFleetTable;
  readonly items: MemoryWorkItems;
  readonly leases: Pick<MemoryLeases, 'write'>;
  putKey(key: ManagedKey, cause: Cause): void;
  putFleet(work: FleetWork): void;
}

/** A message that is none of the app's is poison, and does nothing. */
export function forge(forgery: Forgery, { index, items, leases, putKey, putFleet }: WorkZone): void {
  switch (forgery.into) {
    case 'table': {
      const { partition, row, values } = forgery;
      if (partition === WORK) items.write(row, values);
      else index.apply({ partitionKey: partition, rowKey: row, ...(values ? { properties: values } : {}) });
      return;
    }
    case 'leases':
      leases.write(forgery.state);
      return;
    case 'fleet-work':
      putFleet(PARSERS['fleet-work'](forgery.message));
      return;
    case 'key-work': {
      const work = PARSERS['key-work'](forgery.message);
      const key = 'key' in work ? VAULTS.key(work.key) : undefined;
      if (key) putKey(key, work.cause);
    }
  }
}

/** A record of a move, as the trail has it. */
export interface RecordedMove {
  readonly id: string;
  /** Name of the account, or of its scope. */
  readonly use: string;
  /** `key/version`. */
  readonly to: string;
  /** Its row, or a pass, says that the move is the app's own. */
  readonly isFound: boolean;
  /** Only the announcement of a dead worker says so. */
  readonly isOnlyObserved: boolean;
  /** A change of an automatic use that is not the app's. */
  readonly isPickedUp: boolean;
  readonly rekey: string | undefined;
}

/** Forged rows and leases may have the app claim a change of others, marked as found; never one that there was not. */
export function judgeForgedRecords(
  recorded: readonly RecordedMove[],
  storage: MemoryStorage,
  orders: MemoryOrders,
  harms: number,
): void {
  const ids = (of: readonly RecordedMove[]) => new Set(of.map(({ id }) => id)).size;

  for (const { use, to } of recorded) {
    const all = recorded.filter((other) => other.use === use && other.to === to);
    const shown = storage.shown(use).filter((version) => version === to).length;
    if (shown < ids(all)) throw new Error(`${use} was on ${to} ${shown} times, and has ${ids(all)} ids in the trail`);
  }

  for (const { name, key, version, byApp } of storage.changes) {
    const to = `${key}/${version}`;
    const all = recorded.filter((other) => other.use === name && other.to === to);
    const own = storage.changes.filter((one) => one.name === name && `${one.key}/${one.version}` === to && one.isAsked);
    if (ids(all.filter(({ isFound }) => !isFound)) > own.length) {
      throw new Error(`${name} was moved to ${to} ${own.length} times, and more is recorded`);
    }
    if (byApp && harms === 0 && ids(all) < own.filter((one) => one.byApp).length) {
      throw new Error(`${name} was moved to ${to} ${own.length} times, and less is recorded`);
    }
  }

  for (const { rekey, use } of recorded) {
    const isOrder = rekey === undefined || orders.orders.rekeys.some(({ id }) => id === rekey);
    if (!isOrder) throw new Error(`${use} was moved by ${rekey}, which no operator ordered`);
  }
}
