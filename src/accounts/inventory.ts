import pMap from 'p-map';
import { describe, describeFailure, type Failure, mayPass } from '../azure/failure.ts';
import { regionCell } from '../azure/limiter.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { Account } from '../fleet/account.ts';
import type { FleetIndex } from '../fleet/fleet-index.ts';
import { accountKeyUse, scopeKeyUse, usesKey } from '../fleet/key-use.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';

/** A subscription whose accounts could not be listed. */
export interface UnreadableSubscription {
  readonly id: string;
  readonly failure: Failure;
}

/** An account, on another key itself, whose encryption scopes could not be listed. */
export interface UnreadableScopes {
  readonly id: string;
  readonly account: Pick<Account, 'id' | 'subscriptionId' | 'location'>;
  readonly failure: Failure;
}

export interface Inventory {
  /** Accounts that use the key, themselves or by one of their encryption scopes. */
  readonly dependents: number;
  readonly accountsSeen: number;
  readonly unreadableSubscriptions: readonly UnreadableSubscription[];
  readonly unreadableScopes: readonly UnreadableScopes[];
}

/** Whether anything uses a key. `unknown`: nothing was seen, and not everything could be looked at. */
export type Dependence =
  | { readonly answer: 'some' | 'none' }
  | { readonly answer: 'unknown'; readonly detail: string; readonly mayPass: boolean };

/** So many accounts that the index names are looked at, where the first of them turn out to use the key no more. */
const MOST_LOOKS = 3;

/**
 * Whether anything uses a key: the search ends at the first account that does. An account that the fleet index names is
 * looked at before anything is listed.
 */
export async function hasDependents(
  key: ManagedKey,
  subscriptions: () => Promise<readonly string[]>,
  services: { readonly accounts: StorageAccounts; readonly settings: Settings; readonly fleet: FleetIndex },
): Promise<Dependence> {
  if (await hasKnownDependent(key, services).catch(() => false)) return { answer: 'some' };
  return hasListedDependent(key, await subscriptions(), services);
}

async function hasKnownDependent(
  key: ManagedKey,
  { accounts, fleet }: { readonly accounts: StorageAccounts; readonly fleet: FleetIndex },
): Promise<boolean> {
  let looks = 0;
  for await (const { account, scope } of fleet.uses(key.id)) {
    const id = parseStorageAccountId(account);
    if (!id) continue;
    const use = scope
      ? await accounts.getScope(id, scope).then((found) => found && scopeKeyUse(found))
      : accountKeyUse((await accounts.get(id)).encryption);
    if (usesKey(use, key)) return true;
    looks += 1;
    if (looks >= MOST_LOOKS) return false;
  }
  return false;
}

async function hasListedDependent(
  key: ManagedKey,
  subscriptions: readonly string[],
  services: { readonly accounts: StorageAccounts; readonly settings: Settings },
): Promise<Dependence> {
  const enough = new Error('One dependent is enough.');
  try {
    const inventory = await findDependents(key, subscriptions, services, async () => Promise.reject(enough));
    const unread = [...inventory.unreadableSubscriptions, ...inventory.unreadableScopes];
    const [first] = unread;
    if (!first) return { answer: 'none' };
    const detail = `${first.id}${unread.length > 1 ? ` and ${unread.length - 1} more` : ''} cannot be read: ${describe(first.failure)}`;
    return { answer: 'unknown', detail, mayPass: unread.some(({ failure }) => mayPass(failure)) };
  } catch (error) {
    if (error === enough) return { answer: 'some' };
    throw error;
  }
}

/**
 * Finds what depends on a key, page by page, and hands each dependent to `found` as soon as it is known: nothing is kept
 * in memory, and what cannot be read neither hides nor holds up the rest.
 *
 * @throws what `found` throws first; the search ends there, as whoever looks again finds everything again
 */
export async function findDependents(
  key: ManagedKey,
  subscriptions: readonly string[],
  services: SearchServices,
  found: (account: Account) => Promise<void>,
): Promise<Inventory> {
  const search = new Search(key, services, found);
  await pMap(subscriptions, (subscription) => search.subscription(subscription), { concurrency: CONCURRENCY });
  return search.result();
}

export interface SearchServices {
  readonly accounts: StorageAccounts;
  readonly settings: Pick<Settings, 'scopeDiscovery'>;
}

class Search {
  readonly #key: ManagedKey;
  readonly #services: SearchServices;
  readonly #found: (account: Account) => Promise<void>;
  readonly #unreadableSubscriptions: UnreadableSubscription[] = [];
  readonly #unreadableScopes: UnreadableScopes[] = [];
  readonly #notHanded: unknown[] = [];
  /** By region. One that throttles is not asked again: asking early only makes the wait longer. */
  readonly #throttled = new Map<string, Failure>();
  #dependents = 0;
  #accountsSeen = 0;

  constructor(key: ManagedKey, services: SearchServices, found: (account: Account) => Promise<void>) {
    this.#key = key;
    this.#services = services;
    this.#found = found;
  }

  /** Accounts that use the key themselves are handed over as they are listed; then scopes of the others are looked at. */
  async subscription(subscription: string): Promise<void> {
    const others = await this.#listed(subscription);
    await pMap(
      others,
      async (account) => {
        if (this.#notHanded.length === 0 && (await this.#hasDependentScope(account))) await this.#hand(account);
      },
      { concurrency: CONCURRENCY },
    );
  }

  result(): Inventory {
    if (this.#notHanded.length > 0) throw this.#notHanded[0];
    return {
      dependents: this.#dependents,
      accountsSeen: this.#accountsSeen,
      unreadableSubscriptions: this.#unreadableSubscriptions,
      unreadableScopes: this.#unreadableScopes,
    };
  }

  /** @returns the accounts whose encryption scopes are to be looked at */
  async #listed(subscription: string): Promise<Account[]> {
    const others: Account[] = [];
    let handing: Promise<void>[] = [];
    try {
      for await (const account of this.#services.accounts.list(subscription)) {
        this.#accountsSeen += 1;
        if (usesKey(accountKeyUse(account.encryption), this.#key)) {
          handing.push(this.#hand(account));
        } else if (this.#services.settings.scopeDiscovery === 'all') {
          others.push(account);
        }
        if (handing.length >= CONCURRENCY) {
          await Promise.all(handing);
          handing = [];
        }
        if (this.#notHanded.length > 0) return others;
      }
    } catch (error) {
      this.#unreadableSubscriptions.push({ id: subscription, failure: describeFailure(error) });
    } finally {
      await Promise.all(handing);
    }
    return others;
  }

  /** Never rejects: nobody waits for it while the next page is under way, and it says nothing about the list. */
  async #hand(account: Account): Promise<void> {
    this.#dependents += 1;
    try {
      await this.#found(account);
    } catch (error) {
      this.#notHanded.push(error);
    }
  }

  async #hasDependentScope(account: Account): Promise<boolean> {
    const refusal = this.#throttled.get(regionCell(account));
    if (refusal) {
      this.#unreadableScopes.push({ id: account.id, account, failure: refusal });
      return false;
    }
    try {
      for await (const scope of this.#services.accounts.listScopes(account)) {
        if (usesKey(scopeKeyUse(scope), this.#key)) return true;
      }
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.kind === 'throttled') this.#throttled.set(regionCell(account), failure);
      if (failure.kind !== 'notFound') this.#unreadableScopes.push({ id: account.id, account, failure });
    }
    return false;
  }
}
