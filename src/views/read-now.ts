import { type PartTaken, ReadCache } from '../azure/read-cache.ts';
import type { DriftReport } from '../drift/report.ts';
import type { DriftStorage } from '../drift/store/drift-storage-client.ts';
import type { RotationSummary } from '../fleet/rotation-schemas.ts';
import { orUnavailable } from '../http/problem.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
import { openPauses, type PauseOrder } from '../orders/standing-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import type { FleetSnapshot, FleetSnapshots } from './fleet.ts';
import type { KeyLister, ListKeysPorts } from './key-list.ts';
import type { KeySummary, ListedVault } from './key-schemas.ts';
import type { FleetPorts } from './read-fleet.ts';
import { isRotationOpen, type RotationViewPorts, readRotationPage } from './rotation.ts';

/** How long an answer waits for a part that was never read. Milliseconds. */
const WAIT_MS = 1_500;
/** Time to live of a part, by the size of its read. Milliseconds. */
const LARGE_MS = 10_000;
const SMALL_MS = 5_000;
/** For the report, which an operator awaits after a check. Milliseconds. */
const AT_ONCE_MS = 1_000;
/** No page of keys is started after so long. Milliseconds. */
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
  /** Keys that are revoked, could not be read, or have an open rotation. */
  readonly keys: readonly KeySummary[];
  readonly vaults: readonly ListedVault[];
  /** False when not all keys were read in time. */
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

/** One for each instance: its callers share the cached parts. */
export class NowBoard {
  readonly #snapshots: FleetSnapshots;
  readonly #lister: KeyLister;
  readonly #parts = {
    keys: new ReadCache<UnusualKeys>(LARGE_MS),
    pauses: new ReadCache<readonly PauseOrder[]>(SMALL_MS),
    rotations: new ReadCache<readonly RotationSummary[]>(SMALL_MS),
    drift: new ReadCache<DriftReport | undefined>(AT_ONCE_MS),
  };

  constructor(snapshots: FleetSnapshots, lister: KeyLister) {
    this.#snapshots = snapshots;
    this.#lister = lister;
  }

  /** To be called after a revocation or restore by this instance, so that no caller is shown the state before. */
  changed(vault: string | undefined, { settings }: Pick<NowPorts, 'settings'>): void {
    const managed = vault === undefined ? undefined : settings.vaults.byName(vault);
    if (managed) this.#lister.forget(managed);
    this.#parts.keys.invalidate('');
  }

  /** The readings by part. @param ports of the first caller are used for a shared reading */
  takers(ports: NowPorts): TakeReadings {
    const { keys, pauses, rotations, drift } = this.#parts;
    const take =
      <T>(part: ReadCache<T>, read: () => Promise<T>) =>
      () =>
        part.take('', read, WAIT_MS, ports.now);
    return {
      fleet: () => this.#snapshots.take(ports, WAIT_MS),
      keys: take(keys, () => readUnusualKeys(this.#lister, ports)),
      pauses: take(pauses, () => readPauses(ports)),
      rotations: take(rotations, () => readOpenRotations(ports)),
      drift: take(drift, () => fromDriftStorage(() => ports.driftStorage.newest())),
    };
  }
}

/** @throws {@link HttpProblem} 503 */
export function fromDriftStorage<T>(read: () => Promise<T>): Promise<T> {
  return orUnavailable(read, (why) => `The app's own storage cannot be read: ${why}`);
}

/** @throws {@link HttpProblem} 503 */
async function readPauses({ orderStore, now }: Pick<NowPorts, 'orderStore' | 'now'>): Promise<readonly PauseOrder[]> {
  const state = await orUnavailable(
    () => orderStore.read(),
    (why) => `What is paused cannot be read: ${why} Without that nothing is moved.`,
  );
  return openPauses(state, now());
}

async function readUnusualKeys(lister: KeyLister, ports: NowPorts): Promise<UnusualKeys> {
  const endMs = performance.now() + KEYS_MS;
  const keys: KeySummary[] = [];
  // A vault that failed at an earlier page stays unread, since keys of it may be missing.
  const vaults = new Map<string, ListedVault>();
  let after: string | undefined;
  for (;;) {
    const all = { vaults: ports.settings.vaults.all, reaches: () => true, after };
    const { value, vaults: listed, next } = await lister.list(all, ports);
    keys.push(...value.filter(isUnusual));
    for (const one of listed) if (!vaults.get(one.vault)?.unread) vaults.set(one.vault, one);
    const complete = next === undefined;
    if (complete || performance.now() > endMs) return { keys, vaults: [...vaults.values()], complete };
    after = next;
  }
}

function isUnusual({ revocation, state, rotation }: KeySummary): boolean {
  return revocation !== undefined || state === 'unknown' || (rotation !== undefined && isRotationOpen(rotation));
}

async function readOpenRotations(ports: NowPorts): Promise<readonly RotationSummary[]> {
  const underWay: RotationSummary[] = [];
  let after: string | undefined;
  do {
    const { value, next } = await readRotationPage(after, ports);
    underWay.push(...value.filter(isRotationOpen));
    after = next;
  } while (after !== undefined);
  return underWay;
}
