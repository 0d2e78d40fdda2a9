import type { Account } from '../accounts/account.ts';
import { findDependents } from '../accounts/inventory.ts';
import type { StorageAccounts } from '../accounts/storage-client.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { withDeadline } from '../azure/deadline.ts';
import { describeAnswerOf, describeError } from '../azure/failure.ts';
import { formatAccountRow } from '../index/fleet-keys.ts';
import type { UseRows } from '../index/use-row.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { SearchSettings } from '../settings/settings.ts';

/** Deadline for the index, in milliseconds. */
const INDEX_MS = 1_000;

export interface KeyAccountServices {
  readonly settings: SearchSettings;
  readonly accounts: StorageAccounts;
  readonly subscriptions: Subscriptions;
  /** Names the accounts that use the key by a scope; undefined: a search lists the scopes of each account. */
  readonly useRows?: Pick<UseRows, 'of'> | undefined;
}

export interface KeyAccounts {
  readonly accounts: readonly Account[];
  /** What could not be read in time, with the reason; empty: these are all accounts in sight. */
  readonly unread: readonly string[];
}

/**
 * Finds the accounts that use a key, also by an encryption scope. Never throws.
 *
 * @param options.ms deadline of the search
 * @param options.listed called with each account of the search, whatever key it uses
 */
export async function findKeyAccounts(
  key: ManagedKey,
  { settings, accounts, subscriptions, useRows }: KeyAccountServices,
  { ms, listed = () => {} }: { readonly ms: number; readonly listed?: (account: Account) => void },
  outer?: AbortSignal,
): Promise<KeyAccounts> {
  const found = new Map<string, Account>();
  const unread: string[] = [];
  const noteIndex = (error: unknown): ReadonlySet<string> => {
    unread.push(`the fleet index: ${describeError(error)}`);
    return new Set();
  };

  const find = async (signal: AbortSignal): Promise<void> => {
    async function* list(subscription: string) {
      for await (const account of accounts.list(subscription, signal)) {
        listed(account);
        yield account;
      }
    }

    const readIndex = (rows: Pick<UseRows, 'of'>) =>
      withDeadline(INDEX_MS, 'The fleet index was not read', () => readAccountsByScope(key, rows)).catch(noteIndex);
    const byScope = useRows && (await readIndex(useRows));
    const missed = await findDependents(
      key,
      settings.subscriptions ?? (await subscriptions.list()),
      { ...(byScope ? { byScope } : {}), accounts: { ...accounts, list } },
      (account) => {
        found.set(account.id.toLowerCase(), account);
      },
      signal,
    );

    for (const { id, failure } of missed) unread.push(`${id}: ${describeAnswerOf(failure)}`);
  };

  try {
    await withDeadline(ms, 'The accounts were not found', find, outer);
  } catch (error) {
    unread.push(describeError(error));
  }

  return { accounts: [...found.values()], unread };
}

/** Returns the row names of the accounts that use a key by an encryption scope, according to the index. */
async function readAccountsByScope(key: ManagedKey, useRows: Pick<UseRows, 'of'>): Promise<ReadonlySet<string>> {
  const rows = new Set<string>();
  for await (const { account, scope } of useRows.of(key.id)) {
    if (scope !== undefined) rows.add(formatAccountRow(account));
  }
  return rows;
}
