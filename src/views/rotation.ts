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

/** Of longer ago, what moved last is of no interest any more. Milliseconds. */
const LATELY_MS = 7 * DAY_MS;
/** Keys of one page, and keys that are read at the same time. */
const PAGE = 50;

export const ROTATION_LIST = z.object({
  value: z.array(ROTATION_SUMMARY),
  pauses: z.array(PAUSE).describe('Every pause in force, also of keys that are not listed.'),
  nextLink: z.string().optional().describe('Where the next page is.'),
});

/** What a rotation is evaluated from, beside the key's versions and uses. */
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
  /** Where accounts are looked after. */
  readonly inSight: InSight;
}

/** Begins to count how far the rotation of a key is. @throws what the store of rollouts answers */
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
 * Reads how far a key's rotation is: its versions from Key Vault, and one partition of the index. Where all that the index
 * knows is moved, it is read too whether the index knows everything.
 *
 * @throws what Key Vault, the index or the store of rollouts answers
 */
export async function readKeyRotation(key: ManagedKey, ports: RotationViewPorts): Promise<Rotation> {
  const { keys, useRows, fleet, inSight } = ports;
  const [versions, subscriptions] = await Promise.all([keys.listVersions(key), inSight()]);
  const count = await rotationCount(key, versions, ports);
  const isManagedSubscription = inManagedSubscriptions(subscriptions);
  if (count.counts) for await (const row of useRows.of(key.id)) if (isManagedSubscription(row)) count.add(row);
  const rotation = count.result();
  if (rotation.state !== 'finished') return rotation;
  // The progress was read and is answered, even if the listings cannot be read.
  const listings = await fleet.listings().catch(() => undefined);
  const unlisted = subscriptions && listings ? countUnlisted(subscriptions, listings) : 0;
  return unlisted === 0 ? rotation : { ...rotation, unlisted };
}

export interface RotationPage {
  readonly value: readonly RotationSummary[];
  /** Every pause in force: one may block a rotation that is not listed yet. */
  readonly pauses: readonly PauseOrder[];
  /** Where the next page begins; absent: this was the last. */
  readonly next?: string;
}

/**
 * The keys with a rotation under way, or finished lately. A rotation that cannot be read now is `unknown`.
 *
 * @throws what the store of rollouts answers
 */
export async function listRotations(after: string | undefined, ports: RotationViewPorts): Promise<RotationPage> {
  const { rollouts, settings, orderStore, now } = ports;
  const keys: ManagedKey[] = [];
  for await (const { name, row } of rollouts.all()) {
    const key = settings.vaults.key(name);
    const isLate = row.unfinished > 0 || now().getTime() - Date.parse(row.progressOn) < LATELY_MS;
    if (key && isLate && (after === undefined || key.id > after)) keys.push(key);
  }
  keys.sort((a, b) => (a.id < b.id ? -1 : 1));
  const page = keys.slice(0, PAGE);
  // Once for all of them.
  let listings: ReturnType<FleetIndex['listings']> | undefined;
  const listed = () => (listings ??= ports.fleet.listings());
  const once = { ...ports, fleet: { listings: listed } };
  const value = await pMap(page, (key) => summaryOf(key, once), { concurrency: CONCURRENCY });
  const next = keys.length > page.length ? page.at(-1)?.id : undefined;
  return { value, pauses: openPauses(await orderStore.recent(), now()), ...(next ? { next } : {}) };
}

async function summaryOf(key: ManagedKey, ports: RotationViewPorts): Promise<RotationSummary> {
  try {
    return summarize(await readKeyRotation(key, ports));
  } catch (error) {
    return { key: key.id, state: 'unknown', detail: describe(describeFailure(error)) };
  }
}

/** A rotation without the uses by name. */
export function summarize(rotation: Rotation): RotationSummary {
  const { oldestWaiting: _, failedUses: __, places, ...summary } = rotation;
  return isRotationOpen(rotation) ? { ...summary, places } : summary;
}

/** Whether a rotation is neither finished nor kept from going on by a revocation. */
export function isRotationOpen({ state }: Pick<RotationSummary, 'state'>): boolean {
  return state !== 'finished' && state !== 'blocked';
}

/** A page of the rotations that are under way or finished lately. @throws {@link HttpProblem} 503 */
export async function showRotations(after: string | undefined, ports: RotationViewPorts): Promise<HttpResponseInit> {
  const { value, pauses, next } = await readRotationPage(after, ports);
  const nextLink = next ? { nextLink: `/api/rotations?after=${encodeURIComponent(next)}` } : {};
  return jsonResponse(200, { value, pauses, ...nextLink });
}

/** @throws {@link HttpProblem} 503 */
export async function readRotationPage(after: string | undefined, ports: RotationViewPorts): Promise<RotationPage> {
  return orSay(() => listRotations(after, ports));
}

/** @throws {@link HttpProblem} 404, 503 */
export async function showRotation(key: ManagedKey, ports: RotationViewPorts): Promise<HttpResponseInit> {
  const rotation = await orSay(() => readKeyRotation(key, ports));
  if (rotation.reason === 'KeyNotFound') throw new HttpProblem('KeyNotManaged');
  return jsonResponse(200, rotation);
}

const orSay = <T>(read: () => Promise<T>): Promise<T> =>
  orUnavailable(
    read,
    (why) => `How far rotations are cannot be read: ${why} Accounts are moved all the same.`,
    'Repeat the call in a minute; if it stays, check the storage account of the app, and the vault.',
  );
