import type { HttpResponseInit } from '@azure/functions';
import pMap from 'p-map';
import { z } from 'zod';
import { countUnlisted, type InSight } from '../accounts/in-sight.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { Budget } from '../azure/limiter.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import type { FleetIndex } from '../fleet/fleet-index.ts';
import { inManagedSubscriptions } from '../fleet/fleet-keys.ts';
import type { RolloutStore } from '../fleet/rollout-row.ts';
import { RotationCount } from '../fleet/rotation-progress.ts';
import { ROTATION_SUMMARY, type Rotation, type RotationSummary } from '../fleet/rotation-schemas.ts';
import type { UseRows } from '../fleet/use-row.ts';
import { jsonResponse } from '../http/answers.ts';
import { HttpProblem, orUnavailable } from '../http/problem.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { findPause, openPauses, PAUSE, type PauseOrder } from '../orders/standing-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import { DAY_MS } from '../time/spans.ts';

/** Age above which the last move of a rotation is not shown, in milliseconds. */
const LATELY_MS = 7 * DAY_MS;
/** Keys per page, and maximum number of concurrent reads of keys. */
const PAGE = 50;

export const ROTATION_LIST = z.object({
  value: z.array(ROTATION_SUMMARY),
  pauses: z.array(PAUSE).describe('Every active pause, including pauses of unlisted keys.'),
  nextLink: z.string().optional().describe('Next page.'),
});

/** Data for evaluating a rotation, in addition to the key's versions and uses. */
export interface RotationCountPorts {
  readonly rollouts: Pick<RolloutStore, 'read'>;
  readonly orderStore: Pick<OrdersStore, 'recent'>;
  readonly writeBudgets: readonly Budget[];
  readonly now: () => Date;
}

export interface RotationViewPorts extends RotationCountPorts {
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: Pick<Keys, 'listVersions'>;
  readonly useRows: Pick<UseRows, 'of'>;
  readonly rollouts: Pick<RolloutStore, 'read' | 'all'>;
  readonly fleet: Pick<FleetIndex, 'listings'>;
  /** Scope of the accounts that the app manages. */
  readonly inSight: InSight;
}

/** Starts to count the progress of a key's rotation. @throws errors of the rollout store */
export async function rotationCount(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  { rollouts, orderStore, writeBudgets, now }: RotationCountPorts,
): Promise<RotationCount> {
  const [stored, orders] = await Promise.all([rollouts.read(key.id), orderStore.recent()]);
  const [pause, { contests }] = [findPause(orders, key.id, now()), orders];
  return new RotationCount({ key, versions, rollout: stored?.row, pause, contests, writeBudgets, now: now() });
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
  const [versions, subscriptions] = await Promise.all([keys.listVersions(key), inSight()]);
  const count = await rotationCount(key, versions, ports);
  const isManagedSubscription = inManagedSubscriptions(subscriptions);
  if (count.counts) for await (const row of useRows.of(key.id)) if (isManagedSubscription(row)) count.add(row);
  const rotation = count.result();
  const listed = await listings;
  const unlisted = subscriptions && listed ? countUnlisted(subscriptions, listed) : 0;
  return rotation.state === 'finished' && unlisted > 0 ? { ...rotation, unlisted } : rotation;
}

/** Time of each subscription's last list. Undefined: a failed read, which must not hide the progress. */
type Listings = Promise<ReadonlyMap<string, Date> | undefined>;

function readListings({ fleet }: RotationViewPorts): Listings {
  return fleet.listings().catch(() => undefined);
}

export interface RotationPage {
  readonly value: readonly RotationSummary[];
  /** Every active pause: a pause may block a rotation that is not listed yet. */
  readonly pauses: readonly PauseOrder[];
  readonly next: string | undefined;
}

/**
 * Lists the keys with a rotation in progress or finished recently. A rotation that the app cannot read is `unknown`.
 *
 * @param after identifier of the last key of the page before
 * @param most maximum number of rotations
 * @throws {@link HttpProblem} 503
 */
export function listRotations(
  ports: RotationViewPorts,
  after?: string,
  most = Number.POSITIVE_INFINITY,
): Promise<RotationPage> {
  return orUnavailableView(async () => {
    const { rollouts, settings, orderStore, now } = ports;
    const late = (await Array.fromAsync(rollouts.all())).filter(
      ({ row }) => row.unfinished > 0 || now().getTime() - Date.parse(row.progressOn) < LATELY_MS,
    );
    const keys = late
      .flatMap(({ name }) => settings.vaults.key(name) ?? [])
      .filter(({ id }) => after === undefined || id > after)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const page = keys.slice(0, most);
    const listings = readListings(ports);
    const value = await pMap(page, (key) => summaryOf(key, ports, listings), { concurrency: CONCURRENCY });
    const next = keys.length > page.length ? page.at(-1)?.id : undefined;
    return { value, pauses: openPauses(await orderStore.recent(), now()), next };
  });
}

async function summaryOf(key: ManagedKey, ports: RotationViewPorts, listings: Listings): Promise<RotationSummary> {
  try {
    return summarize(await readKeyRotation(key, ports, listings));
  } catch (error) {
    return { key: key.id, state: 'unknown', detail: describe(describeFailure(error)) };
  }
}

/** Returns a rotation without the names of uses. */
export function summarize(rotation: Rotation): RotationSummary {
  const { oldestWaiting: _, failedUses: __, places, ...summary } = rotation;
  return isRotationOpen(rotation) ? { ...summary, places } : summary;
}

/** Whether a rotation is neither finished nor blocked by a revocation. */
export function isRotationOpen({ state }: Pick<RotationSummary, 'state'>): boolean {
  return state !== 'finished' && state !== 'blocked';
}

/** Returns a page of the rotations in progress or finished recently. @throws {@link HttpProblem} 503 */
export async function showRotations(after: string | undefined, ports: RotationViewPorts): Promise<HttpResponseInit> {
  const { value, pauses, next } = await listRotations(ports, after, PAGE);
  const nextLink = next && `/api/rotations?after=${encodeURIComponent(next)}`;
  return jsonResponse(200, { value, pauses, nextLink });
}

/** @throws {@link HttpProblem} 404, 503 */
export async function showRotation(key: ManagedKey, ports: RotationViewPorts): Promise<HttpResponseInit> {
  const rotation = await orUnavailableView(() => readKeyRotation(key, ports));
  if (rotation.reason === 'KeyNotFound') throw new HttpProblem('KeyNotManaged');
  return jsonResponse(200, rotation);
}

const orUnavailableView = <T>(read: () => Promise<T>): Promise<T> =>
  orUnavailable(
    read,
    (why) => `The app could not read the progress of rotations: ${why} It still moves accounts.`,
    'Repeat the call in a minute; if it fails again, check the storage account of the app and the vault.',
  );
