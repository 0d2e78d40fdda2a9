import { hasBeenSince } from '../time/has-been-since.ts';
import { DAY_MS } from '../time/spans.ts';
import type { DiscoveryServices, SearchedSubscriptions } from './dependent.ts';

/**
 * The subscriptions that a look has to list. What others have listed since it began is as new as its own list would be: looks
 * that came back together would else list one after the other what all of them name, and time would be up for all but the first.
 *
 * @param isKnown what is newer than the index is known otherwise: what was listed within a day need not be, unless it is named
 * @throws the SDK's error when the index cannot be read
 */
export async function unlistedOf(
  { ids, list }: SearchedSubscriptions,
  isKnown: boolean,
  { building, fleet, now, startedOn }: DiscoveryServices & { readonly startedOn: Date },
): Promise<readonly string[]> {
  const unlisted = building.unlistedSince(ids, startedOn);
  if (!isKnown) return unlisted;
  const listings = await fleet.listings();
  const since = now().getTime() - DAY_MS;
  return unlisted.filter((id) => list.includes(id) || !hasBeenSince(listings.get(id), since, now()));
}
