import { withDeadline } from '../azure/deadline.ts';
import { ReadCache } from '../azure/read-cache.ts';
import { formatCount } from '../formats/text.ts';
import type { Settings } from '../settings/settings.ts';
import type { Subscriptions } from './subscriptions-client.ts';

/** Time to live of the list of subscriptions, which a pass over many keys reads once. Milliseconds. */
const CACHED_MS = 10_000;
const WAIT_MS = 3_000;

/**
 * Returns the ids of the managed subscriptions. Undefined if the app cannot list them: callers then count all accounts
 * in the index. Never throws.
 */
export type InSight = () => Promise<readonly string[] | undefined>;

/** Returns the configured subscriptions, or else all that the identity can or could read; no disabled subscription. */
export function createInSight({
  settings,
  subscriptions,
}: {
  readonly settings: Pick<Settings, 'subscriptions'>;
  readonly subscriptions: Subscriptions;
}): InSight {
  const seen = new ReadCache<readonly string[] | undefined>(CACHED_MS);
  const read = () =>
    withDeadline(WAIT_MS, 'The subscriptions were not listed', () => subscriptions.list()).catch(() => undefined);
  return async () => settings.subscriptions ?? (await seen.read('', read)).value;
}

/**
 * Counts the managed subscriptions whose accounts the fleet index has never listed.
 *
 * @param subscriptions managed subscriptions; undefined counts as one, but only if the index has listed none
 * @param listings time of each subscription's last list, by id in lower case
 */
export function countUnlisted(
  subscriptions: readonly string[] | undefined,
  listings: ReadonlyMap<string, Date>,
): number {
  if (!subscriptions) return listings.size === 0 ? 1 : 0;
  return new Set(subscriptions.map((id) => id.toLowerCase()).filter((id) => !listings.has(id))).size;
}

/** Returns a clause: `the accounts of 2 subscriptions have not been listed`. */
export function describeUnlistedAccounts(subscriptions: number): string {
  return `the accounts of ${formatCount(subscriptions, 'subscription')} have not been listed`;
}
