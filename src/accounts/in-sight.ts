import { withDeadline } from '../azure/deadline.ts';
import { ReadCache } from '../azure/read-cache.ts';
import type { Settings } from '../settings/settings.ts';
import { count } from '../text.ts';
import type { Subscriptions } from './subscriptions-client.ts';

/** A pass over many keys lists the subscriptions once. Milliseconds. */
const BELIEVED_MS = 10_000;
const WAIT_MS = 3_000;

/**
 * The subscriptions whose accounts are looked after, by id. Undefined: it is not known, and all that is known of an account
 * counts. Never throws.
 */
export type InSight = () => Promise<readonly string[] | undefined>;

/** Those that are named, or else all that the app sees or saw; not one that is disabled. */
export function createInSight({
  settings,
  subscriptions,
}: {
  readonly settings: Pick<Settings, 'subscriptions'>;
  readonly subscriptions: Subscriptions;
}): InSight {
  const seen = new ReadCache<readonly string[] | undefined>(BELIEVED_MS);
  const read = () => withDeadline(WAIT_MS, 'They were not listed', () => subscriptions.list()).catch(() => undefined);
  return async () => settings.subscriptions ?? (await seen.read('', read)).value;
}

/**
 * Counts the subscriptions in sight whose accounts the fleet index has never listed.
 *
 * @param subscriptions those that are in sight; undefined: not known, which counts as one while the index has listed none
 * @param listings when each was last listed, by id in lower case
 */
export function countUnlisted(
  subscriptions: readonly string[] | undefined,
  listings: ReadonlyMap<string, Date>,
): number {
  if (!subscriptions) return listings.size === 0 ? 1 : 0;
  return new Set(subscriptions.map((id) => id.toLowerCase()).filter((id) => !listings.has(id))).size;
}

/** A clause: `the accounts of 2 subscriptions have not been listed`. */
export function accountsNotListed(subscriptions: number): string {
  return `the accounts of ${count(subscriptions, 'subscription')} have not been listed`;
}
