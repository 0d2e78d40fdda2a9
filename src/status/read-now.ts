import { type PartTaken, ReadCache } from '../azure/read-cache.ts';
import type { DriftReport } from '../drift/report/report.ts';
import type { DriftStorage } from '../drift/store/drift-storage-client.ts';
import { runOrUnavailable } from '../http/problem.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
import { listOpenPauses, type PauseOrder } from '../orders/standing-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import type { FleetSnapshot, FleetSnapshots } from './fleet-snapshots.ts';
import type { KeyLister, ListKeysPorts } from './key-list.ts';
import type { KeySummary, ListedVault } from './key-schemas.ts';
import type { FleetPorts } from './read-fleet.ts';
import { isRotationOpen, listRotations, type RotationViewPorts } from './rotation.ts';
import type { RotationSummary } from './rotation-schemas.ts';

/** How long an answer waits for the first read of a part, in milliseconds. */
const WAIT_MS = 1_500;
/** Time to live of a part with a large or a small read, in milliseconds. */
const LARGE_MS = 10_000;
const SMALL_MS = 5_000;
/** Time to live of the drift report, in milliseconds: operators wait for it after a check. */
const AT_ONCE_MS = 1_000;
/** Deadline for reading all keys, in milliseconds. */
const KEYS_MS = 60_000;

export type NowPorts = FleetPorts &
  ListKeysPorts &
  RotationViewPorts & {
    readonly settings: { readonly vaults: ManagedVaults };
    readonly driftStorage: Pick<DriftStorage, 'newest'>;
    readonly orderStore: Pick<OrdersStore, 'read' | 'recent'>;
  };

/** Keys of all vaults that need attention. */
interface UnusualKeys {
  /** Keys that are revoked or unreadable, or have an open rotation. */
  readonly keys: readonly KeySummary[];
  readonly vaults: readonly ListedVault[];
  /** False if the time limit passed before all keys were read. */
  readonly complete: boolean;
}

export interface NowReadings {
  readonly fleet: FleetSnapshot;
  readonly keys: UnusualKeys;
  readonly pauses: readonly PauseOrder[];
  readonly rotations: readonly RotationSummary[];
  readonly drift: DriftReport | undefined;
}

export type TakeReadings = { readonly [P in keyof NowReadings]: () => Promise<PartTaken<NowReadings[P]>> };

/** Cached parts of the health. One board per instance: its callers share the cache. */
export function createNowBoard(snapshots: FleetSnapshots, lister: KeyLister) {
  const keys = new ReadCache<UnusualKeys>(LARGE_MS);
  const pauses = new ReadCache<readonly PauseOrder[]>(SMALL_MS);
  const rotations = new ReadCache<readonly RotationSummary[]>(SMALL_MS);
  const drift = new ReadCache<DriftReport | undefined>(AT_ONCE_MS);

  return {
    /** Call after a revocation or restore by this instance, so no caller gets the earlier state. */
    changed(vault: string | undefined, { settings }: Pick<NowPorts, 'settings'>): void {
      const managed = vault === undefined ? undefined : settings.vaults.byName(vault);
      if (managed) lister.forget(managed);
      keys.invalidate('');
    },
    /** Readers of the parts. @param ports ports of the first caller, which a shared read uses */
    takers(ports: NowPorts): TakeReadings {
      const take =
        <T>(part: ReadCache<T>, read: () => Promise<T>) =>
        () =>
          part.take('', read, WAIT_MS, ports.now);

      return {
        fleet: () => snapshots.take(ports, WAIT_MS),
        keys: take(keys, () => readUnusualKeys(lister, ports)),
        pauses: take(pauses, () => readPauses(ports)),
        rotations: take(rotations, async () => (await listRotations(ports)).value.filter(isRotationOpen)),
        drift: take(drift, () => readDriftStorage(() => ports.driftStorage.newest())),
      };
    },
  };
}

/** @throws {@link HttpProblem} 503 */
export function readDriftStorage<T>(read: () => Promise<T>): Promise<T> {
  return runOrUnavailable(read, (why) => `The app could not read its own storage: ${why}`);
}

/** @throws {@link HttpProblem} 503 */
async function readPauses({ orderStore, now }: Pick<NowPorts, 'orderStore' | 'now'>): Promise<readonly PauseOrder[]> {
  const state = await runOrUnavailable(
    () => orderStore.read(),
    (why) => `The app could not read the pauses: ${why} Until it can, it moves no accounts.`,
  );
  return listOpenPauses(state, now());
}

async function readUnusualKeys(lister: KeyLister, ports: NowPorts): Promise<UnusualKeys> {
  const { all } = ports.settings.vaults;
  const limits = { most: Number.POSITIVE_INFINITY, ms: KEYS_MS };
  const { value, vaults } = await lister.list({ vaults: all, reaches: () => true, ...limits }, ports);
  const read = value.filter(({ state, unread }) => state !== 'unknown' || !unread.some(isLate));
  return { keys: read.filter(isUnusual), vaults, complete: read.length === value.length };
}

function isLate({ reason }: KeySummary['unread'][number]): boolean {
  return reason === 'TimeUp';
}

function isUnusual({ revocation, state, rotation }: KeySummary): boolean {
  return revocation !== undefined || state === 'unknown' || (rotation !== undefined && isRotationOpen(rotation));
}
