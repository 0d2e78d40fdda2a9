import { describeFailure } from '../azure/failure.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Dependent, DiscoveryServices } from './dependent.ts';

/**
 * Resource Graph takes 15 queries in five seconds ("Guidance for throttled requests in Azure Resource Graph"): keys that
 * rotate together wait for each other.
 */
const GRAPH_TRIES = 3;
const GRAPH_WAIT_SECONDS = 10;

type Newer = Pick<Dependent, 'id' | 'location' | 'seen'>;

/** The accounts of a key as Resource Graph shows them; with a failure, those that it had shown by then. */
export async function readNewer(
  key: ManagedKey,
  { accountsOfKey, sleep }: Pick<DiscoveryServices, 'accountsOfKey' | 'sleep'>,
): Promise<{ readonly newer: readonly Newer[]; readonly failure?: { readonly error: unknown } }> {
  for (let left = GRAPH_TRIES; ; left -= 1) {
    const newer: Newer[] = [];
    try {
      for await (const account of accountsOfKey.using(key)) newer.push(account);
      return { newer };
    } catch (error) {
      const { kind, retryAfterSeconds = 1 } = describeFailure(error);
      const isWorthIt = kind === 'throttled' && left > 1 && retryAfterSeconds <= GRAPH_WAIT_SECONDS;
      if (!isWorthIt) return { newer, failure: { error } };
      await sleep(retryAfterSeconds * 1000);
    }
  }
}
