import pMap from 'p-map';
import { countUnlisted, type InSight } from '../accounts/in-sight.ts';
import { describeError } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { DAY_MS } from '../formats/spans.ts';
import { runOrUnavailable } from '../http/problem.ts';
import type { FleetIndex } from '../index/fleet-index.ts';
import { selectManagedUses } from '../index/fleet-keys.ts';
import type { RolloutStore } from '../index/rollout-row.ts';
import type { UseRows } from '../index/use-row.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { findPause, listOpenPauses } from '../orders/standing-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import { type DeniedMoves, selectDeniedOf } from './denied-moves.ts';
import { RotationCount } from './rotation-progress.ts';
import type { Rotation, RotationSummary } from './rotation-schemas.ts';

/** Age above which the last move of a rotation is not shown, in milliseconds. */
const LATELY_MS = 7 * DAY_MS;

/** Data for evaluating a rotation, in addition to the key's versions and uses. */
export interface RotationCountPorts {
  readonly rollouts: Pick<RolloutStore, 'read'>;
  readonly orderStore: Pick<OrdersStore, 'recent'>;
  readonly now: () => Date;
}

export interface RotationViewPorts extends RotationCountPorts {
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: Pick<Keys, 'listVersions'>;
  readonly useRows: Pick<UseRows, 'of'>;
  readonly rollouts: Pick<RolloutStore, 'read' | 'all'>;
  readonly fleet: Pick<FleetIndex, 'listings'>;
  readonly deniedMoves: Pick<DeniedMoves, 'read'>;
  /** Scope of the accounts that the app manages. */
  readonly inSight: InSight;
}

/** Starts to count the progress of a key's rotation. @throws errors of the rollout store */
export async function createRotationCount(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  { rollouts, orderStore, now }: RotationCountPorts,
): Promise<RotationCount> {
  const [stored, orders] = await Promise.all([rollouts.read(key.id), orderStore.recent()]);
  const pause = findPause(orders, key.id, now());
  const { contests } = orders;
  return new RotationCount({ key, versions, rollout: stored?.row, pause, contests, now: now() });
}

/**
 * Reads the progress of a key's rotation from Key Vault and a partition of the index, and whether the index is complete.
 *
 * @param listings shared by the rotations of a page
 * @throws errors of Key Vault, the index or the rollout store
 */
export async function readKeyRotation(
  key: ManagedKey,
  ports: RotationViewPorts,
  listings = readListings(ports),
): Promise<Rotation> {
  const { keys, useRows, inSight } = ports;
  const [versions, subscriptions, denied] = await Promise.all([
    keys.listVersions(key),
    inSight(),
    ports.deniedMoves.read(),
  ]);
  const count = await createRotationCount(key, versions, ports);
  const isManagedSubscription = selectManagedUses(subscriptions);
  const deniedAccounts = new Set(denied.map(({ account }) => account.toLowerCase()));
  const planned = new Set<string>();
  if (count.counts) {
    for await (const row of useRows.of(key.id)) {
      if (!isManagedSubscription(row)) continue;

      count.add(row);

      const account = row.account.toLowerCase();
      if (row.scope === undefined && deniedAccounts.has(account)) planned.add(account);
    }
  }

  const rotation = { ...count.result(), ...selectDeniedOf(denied, (account) => planned.has(account.toLowerCase())) };
  const listed = await listings;
  const unlisted = subscriptions && listed ? countUnlisted(subscriptions, listed) : 0;

  return rotation.state === 'finished' && unlisted > 0 ? { ...rotation, unlisted } : rotation;
}

/** Reads the time of each subscription's last list. Undefined after a failure, which must not hide the progress. */
function readListings({ fleet }: RotationViewPorts): Promise<ReadonlyMap<string, Date> | undefined> {
  return fleet.listings().catch(() => undefined);
}

/**
 * Lists the keys with a rotation in progress or finished recently. A rotation that the app cannot read is `unknown`.
 *
 * @param after identifier of the last key of the page before
 * @param most maximum number of rotations
 * @throws {@link HttpProblem} 503
 */
export function listRotations(ports: RotationViewPorts, after?: string, most = Number.POSITIVE_INFINITY) {
  const { rollouts, settings, orderStore, now } = ports;

  return orUnavailableView(async () => {
    const keys: ManagedKey[] = [];

    for await (const { name, row } of rollouts.all()) {
      const key = settings.vaults.key(name);
      const isRecent = row.unfinished > 0 || now().getTime() - Date.parse(row.progressOn) < LATELY_MS;
      if (key && isRecent && (after === undefined || key.id > after)) keys.push(key);
    }

    keys.sort((a, b) => (a.id < b.id ? -1 : 1));

    const page = keys.slice(0, most);
    const listings = readListings(ports);
    const summaryOf = (key: ManagedKey): Promise<RotationSummary> =>
      readKeyRotation(key, ports, listings)
        .then(summarize)
        .catch((error: unknown) => ({ key: key.id, state: 'unknown', detail: describeError(error) }));
    const value = await pMap(page, summaryOf, { concurrency: CONCURRENCY });
    const next = keys.length > page.length ? page.at(-1)?.id : undefined;

    // A pause may block a rotation that is not listed yet.
    return { value, pauses: listOpenPauses(await orderStore.recent(), now()), next };
  });
}

/** Returns a rotation without the names of uses. */
export function summarize(rotation: Rotation): RotationSummary {
  const { oldestWaiting: _, failedUses: __, deniedMoves: ___, places, ...summary } = rotation;
  return isRotationOpen(rotation) ? { ...summary, places } : summary;
}

/** Whether a rotation is neither finished nor blocked by a revocation. */
export function isRotationOpen({ state }: Pick<RotationSummary, 'state'>): boolean {
  return state !== 'finished' && state !== 'blocked';
}

/** Reads the progress of a key's rotation. @throws {@link HttpProblem} 503 */
export function showRotation(key: ManagedKey, ports: RotationViewPorts): Promise<Rotation> {
  return orUnavailableView(() => readKeyRotation(key, ports));
}

const orUnavailableView = <T>(read: () => Promise<T>): Promise<T> =>
  runOrUnavailable(
    read,
    (why) => `The app could not read the progress of rotations: ${why} It still moves accounts.`,
    'Repeat the call in a minute; if it fails again, check the storage account of the app and the vault.',
  );
