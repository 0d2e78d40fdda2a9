import pMap from 'p-map';
import { describe, describeFailure, type Failure, mayPass } from '../azure/failure.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import { type Account, pacingCell } from './account.ts';
import { accountKeyUse, scopeKeyUse, usesKey } from './key-use.ts';
import type { StorageAccounts } from './storage-client.ts';

/** Subscriptions that are listed at the same time, and accounts whose scopes are. */
const CONCURRENCY = 8;

/** A subscription whose accounts could not be listed. */
export interface UnreadableSubscription {
  readonly id: string;
  readonly failure: Failure;
}

/** An account, on another key itself, whose encryption scopes could not be listed. */
export interface UnreadableScopes {
  readonly id: string;
  readonly account: Account;
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

/** Whether anything uses a key: the search ends at the first account that does. */
export async function hasDependents(
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
  services: { readonly accounts: StorageAccounts; readonly settings: Pick<Settings, 'scopeDiscovery'> },
  found: (account: Account) => Promise<void>,
): Promise<Inventory> {
  const unreadableSubscriptions: UnreadableSubscription[] = [];
  const unreadableScopes: UnreadableScopes[] = [];
  const notHanded: unknown[] = [];
  let dependents = 0;
  let accountsSeen = 0;

  /** Never rejects: nobody waits for it while the next page is under way, and it says nothing about the list. */
  const hand = async (account: Account): Promise<void> => {
    dependents += 1;
    try {
      await found(account);
    } catch (error) {
      notHanded.push(error);
    }
  };

  // A region that throttles is not asked again: asking early only makes the wait longer.
  const throttled = new Map<string, Failure>();

  const hasDependentScope = async (account: Account): Promise<boolean> => {
    const refusal = throttled.get(pacingCell(account));
    if (refusal) {
      unreadableScopes.push({ id: account.id, account, failure: refusal });
      return false;
    }
    try {
      for await (const scope of services.accounts.listScopes(account)) {
        if (usesKey(scopeKeyUse(scope), key)) return true;
      }
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.kind === 'throttled') throttled.set(pacingCell(account), failure);
      if (failure.kind !== 'notFound') unreadableScopes.push({ id: account.id, account, failure });
    }
    return false;
  };

  await pMap(
    subscriptions,
    async (subscription) => {
      const others: Account[] = [];
      let handing: Promise<void>[] = [];
      try {
        for await (const account of services.accounts.list(subscription)) {
          accountsSeen += 1;
          if (usesKey(accountKeyUse(account.encryption), key)) {
            handing.push(hand(account));
          } else if (services.settings.scopeDiscovery === 'all') {
            others.push(account);
          }
          if (handing.length >= CONCURRENCY) {
            await Promise.all(handing);
            handing = [];
          }
          if (notHanded.length > 0) return;
        }
      } catch (error) {
        unreadableSubscriptions.push({ id: subscription, failure: describeFailure(error) });
      } finally {
        await Promise.all(handing);
      }
      await pMap(
        others,
        async (account) => {
          if (notHanded.length === 0 && (await hasDependentScope(account))) await hand(account);
        },
        { concurrency: CONCURRENCY },
      );
    },
    { concurrency: CONCURRENCY },
  );
  if (notHanded.length > 0) throw notHanded[0];
  return { dependents, accountsSeen, unreadableSubscriptions, unreadableScopes };
}
