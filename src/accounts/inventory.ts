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

interface Inventory {
  readonly unreadableSubscriptions: readonly Unread[];
  readonly unreadableScopes: readonly Unread[];
}

interface Unread {
  readonly id: string;
  readonly failure: Failure;
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
  services: SearchServices,
): Promise<Dependence> {
  const enough = new AbortController();
  const inventory = await findDependents(key, subscriptions, services, () => enough.abort(), enough.signal);
  if (enough.signal.aborted) return { answer: 'some' };
  const unread = [...inventory.unreadableSubscriptions, ...inventory.unreadableScopes];
  const [first] = unread;
  if (!first) return { answer: 'none' };
  const detail = `${first.id}${unread.length > 1 ? ` and ${unread.length - 1} more` : ''} cannot be read: ${describe(first.failure)}`;
  return { answer: 'unknown', detail, mayPass: unread.some(({ failure }) => mayPass(failure)) };
}

interface SearchServices {
  readonly accounts: StorageAccounts;
  /** Whether accounts are skipped that use the key by an encryption scope alone. */
  readonly withoutScopes?: true;
}

/**
 * Finds what depends on a key, page by page, and hands each dependent to `found` as soon as it is known: what cannot be read
 * neither hides nor holds up the rest. Accounts that use the key themselves come as they are listed, then those that use it by
 * an encryption scope.
 *
 * @param signal ends the search
 */
export async function findDependents(
  key: ManagedKey,
  subscriptions: readonly string[],
  { accounts, withoutScopes }: SearchServices,
  found: (account: Account) => void,
  signal?: AbortSignal,
): Promise<Inventory> {
  const unreadableSubscriptions: Unread[] = [];
  const unreadableScopes: Unread[] = [];
  // By region. One that throttles is not asked again: asking early only makes the wait longer.
  const throttled = new Map<string, Failure>();

  const searchScopes = async (account: Account): Promise<void> => {
    const region = regionCell(account);
    const refusal = throttled.get(region);
    try {
      if (refusal) unreadableScopes.push({ id: account.id, failure: refusal });
      else if (await hasScopeOn(key, account, accounts)) found(account);
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.kind === 'throttled') throttled.set(region, failure);
      if (failure.kind !== 'notFound') unreadableScopes.push({ id: account.id, failure });
    }
  };
  const search = async (subscription: string): Promise<void> => {
    const others: Account[] = [];
    try {
      for await (const account of accounts.list(subscription)) {
        if (signal?.aborted) return;
        if (usesKey(accountKeyUse(account.encryption), key)) found(account);
        else if (!withoutScopes) others.push(account);
      }
    } catch (error) {
      unreadableSubscriptions.push({ id: subscription, failure: describeFailure(error) });
    }
    await pMap(others, async (account) => signal?.aborted || searchScopes(account), { concurrency: CONCURRENCY });
  };
  await pMap(subscriptions, search, { concurrency: CONCURRENCY });
  return { unreadableSubscriptions, unreadableScopes };
}

async function hasScopeOn(
  key: ManagedKey,
  account: Account,
  accounts: Pick<StorageAccounts, 'listScopes'>,
): Promise<boolean> {
  for await (const scope of accounts.listScopes(account)) if (usesKey(scopeKeyUse(scope), key)) return true;
  return false;
}
