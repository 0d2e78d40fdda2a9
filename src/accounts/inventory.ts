import pMap from 'p-map';
import { describeAnswerOf, describeFailure, type Failure } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { DAY_MS, hasBeenSince } from '../formats/spans.ts';
import { type FleetIndex, listKeysOfAccount } from '../index/fleet-index.ts';
import { formatAccountRow } from '../index/fleet-keys.ts';
import { hasUses, type UseRows } from '../index/use-row.ts';
import { isSameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Account } from './account.ts';
import { findAccountKeyUse, findScopeKeyUse, isUseOfKey } from './key-use.ts';
import type { StorageAccounts } from './storage-client.ts';

import { ThrottledRegions } from './throttled-regions.ts';

/** Oldest index that makes a search by lists unnecessary: scopes are listed once a day. Milliseconds. */
const RECENT_MS = 2 * DAY_MS;

/** A subscription whose accounts the app could not list, or an account whose encryption scopes it could not. */
interface UnreadList {
  readonly of: 'accounts' | 'scopes';
  /** Id of the subscription, or ARM id of the account. */
  readonly id: string;
  readonly failure: Failure;
}

/** Whether any account uses a key. `unknown`: the search found no use, but some reads failed. */
export type Dependence = { readonly answer: 'some' | 'none' } | { readonly answer: 'unknown'; readonly detail: string };

interface DependenceServices {
  readonly accounts: StorageAccounts;
  readonly useRows: Pick<UseRows, 'of'>;
  readonly fleet: Pick<FleetIndex, 'listings' | 'accounts'>;
  readonly now: () => Date;
}

/**
 * Searches for a use of a key in the fleet index, and by lists where the index cannot answer. The search ends at the
 * first use.
 */
export async function hasDependents(
  key: ManagedKey,
  subscriptions: () => Promise<readonly string[]>,
  services: DependenceServices,
): Promise<Dependence> {
  const { accounts, useRows } = services;
  let searched: readonly string[] | undefined;
  try {
    // An outdated use costs only one more version.
    if (await hasUses(useRows, key.id)) return { answer: 'some' };
    searched = await findUnindexed(key, await subscriptions(), services);
  } catch {
    // Without the index, search by lists.
  }

  const enough = new AbortController();
  const stop = () => enough.abort();
  const unread = await findDependents(key, searched ?? (await subscriptions()), { accounts }, stop, enough.signal);

  if (enough.signal.aborted) return { answer: 'some' };

  const [first] = unread;
  if (!first) return { answer: 'none' };

  const detail = `The app cannot read ${first.id}${unread.length > 1 ? ` and ${unread.length - 1} more` : ''}: ${describeAnswerOf(first.failure)}`;

  return { answer: 'unknown', detail };
}

/** Returns the subscriptions for which the recent index does not rule out a use of the key. */
async function findUnindexed(
  key: ManagedKey,
  subscriptions: readonly string[],
  { fleet, now }: DependenceServices,
): Promise<readonly string[]> {
  const since = now().getTime() - RECENT_MS;
  const listings = await fleet.listings();
  const isRuledOut = async (subscription: string): Promise<boolean> => {
    if (!hasBeenSince(listings.get(subscription.toLowerCase()), since, now())) return false;
    for await (const account of fleet.accounts(subscription)) {
      if (!hasBeenSince(account.scopesReadOn, since, now())) return false;
      if (listKeysOfAccount(account).some((id) => isSameKeyName(id, key.id))) return false;
    }
    return true;
  };

  const unindexed = async (subscription: string) => ((await isRuledOut(subscription)) ? [] : [subscription]);

  return (await pMap(subscriptions, unindexed, { concurrency: CONCURRENCY })).flat();
}

interface SearchServices {
  readonly accounts: StorageAccounts;
  /** Row names of accounts that use the key by an encryption scope. Absent: the search lists the scopes of each account. */
  readonly byScope?: ReadonlySet<string>;
  /** Shared with the caller's other lists, because Azure counts all lists together. */
  readonly regions?: ThrottledRegions;
}

/**
 * Finds the accounts that depend on a key, and passes each to `found` immediately. An unreadable subscription or
 * account neither hides nor delays the others. Accounts that use the key directly come first, in list order. Accounts
 * that use it by an encryption scope follow.
 *
 * @param signal ends the search
 * @returns what the app could not read
 */
export async function findDependents(
  key: ManagedKey,
  subscriptions: readonly string[],
  { accounts, byScope, regions = new ThrottledRegions() }: SearchServices,
  found: (account: Account) => void,
  signal?: AbortSignal,
): Promise<readonly UnreadList[]> {
  const unread: UnreadList[] = [];

  const searchScopes = async (account: Account): Promise<void> => {
    try {
      if (await regions.read(account, () => hasScopeOn(key, account, accounts, signal))) found(account);
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.kind !== 'notFound') unread.push({ of: 'scopes', id: account.id, failure });
    }
  };

  const search = async (subscription: string): Promise<void> => {
    const others: Account[] = [];
    try {
      for await (const account of accounts.list(subscription, signal)) {
        if (signal?.aborted) return;
        const isUser = isUseOfKey(findAccountKeyUse(account.encryption), key);
        if (isUser || byScope?.has(formatAccountRow(account.id))) {
          found(account);
        } else if (!byScope) {
          others.push(account);
        }
      }
    } catch (error) {
      unread.push({ of: 'accounts', id: subscription, failure: describeFailure(error) });
    }

    const searchUnlessAborted = async (account: Account): Promise<void> => {
      if (!signal?.aborted) await searchScopes(account);
    };
    await pMap(others, searchUnlessAborted, { concurrency: CONCURRENCY });
  };

  await pMap(subscriptions, search, { concurrency: CONCURRENCY });

  return unread;
}

async function hasScopeOn(
  key: ManagedKey,
  account: Account,
  accounts: Pick<StorageAccounts, 'listScopes'>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for await (const scope of accounts.listScopes(account, signal)) {
    if (isUseOfKey(findScopeKeyUse(scope), key)) return true;
  }
  return false;
}
