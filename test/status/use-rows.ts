import type { FleetAccount } from '../../src/index/fleet-index.ts';
import type { UseRow } from '../../src/index/use-row.ts';
import type { WorkItem } from '../../src/index/work-items.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import type { DeniedMove } from '../../src/status/denied-moves.ts';
import { day, KEY, SUBSCRIPTION, versionName } from '../support/keys.ts';

export const NOW = day(200);

/** The ARM id of the n-th account. */
export function accountId(n: number, subscription = SUBSCRIPTION): string {
  return `/subscriptions/${subscription}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/st${n}`;
}

/** A use of the key by the n-th account, moved to the version of day 100; changed as told. */
export function useRow(n: number, change: Partial<UseRow> = {}): UseRow {
  const version = versionName(100);

  return {
    key: KEY.id,
    account: accountId(n),
    location: 'westeurope',
    mode: 'pinned',
    pinned: version,
    current: version,
    readOn: NOW.toISOString(),
    state: 'done',
    at: day(150).toISOString(),
    attempts: 0,
    ...change,
  };
}

/** Pinned to a version before that. */
export const OLD = { pinned: versionName(1), current: versionName(1), state: 'pending' } as const;
/** Automatic, and on a version before that. */
const automatic: unknown = { mode: 'automatic', pinned: undefined, current: versionName(1) };
export const AUTOMATIC = automatic as Partial<UseRow>;

/** What is read of the key but its versions: without a rollout or a pause, unless changed. */
export function viewPorts(uses: readonly UseRow[]) {
  const now = () => NOW;

  return {
    useRows: {
      async *of() {
        yield* uses;
      },
    },
    fleet: {
      async *accounts(): AsyncGenerator<FleetAccount> {},
      listings: async (): Promise<ReadonlyMap<string, Date>> => new Map([[SUBSCRIPTION, NOW]]),
    },
    workItems: { async *all(): AsyncGenerator<WorkItem> {} },
    inSight: async (): Promise<readonly string[] | undefined> => undefined,
    rollouts: { read: async () => undefined },
    orderStore: { recent: async () => NO_ORDERS },
    deniedMoves: { read: async (): Promise<readonly DeniedMove[]> => [] },
    now,
  };
}
