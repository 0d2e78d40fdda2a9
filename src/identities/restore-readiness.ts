import type { Account } from '../accounts/account.ts';
import { findDependents } from '../accounts/inventory.ts';
import type { StorageAccounts } from '../accounts/storage-client.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { abortAfter, withDeadline } from '../azure/deadline.ts';
import { describeAnswerOf, describeError } from '../azure/failure.ts';
import { formatAccountRow } from '../index/fleet-keys.ts';
import type { UseRows } from '../index/use-row.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { AccountReadiness } from '../revocation/restore.ts';
import type { SearchSettings } from '../settings/settings.ts';
import { checkKeyAccess, type KeyAccessServices } from './check-key-access.ts';

/** Deadlines for the index, for finding the accounts, and for finding them and checking their access, in milliseconds. */
const INDEX_MS = 1_000;
const FINDING_MS = 3_000;
const ALL_MS = 5_000;

interface ReadinessServices extends KeyAccessServices {
  readonly settings: SearchSettings;
  readonly accounts: StorageAccounts;
  readonly subscriptions: Subscriptions;
  /** Names the accounts that use the key by a scope; undefined: a search lists the scopes of each account. */
  readonly useRows?: Pick<UseRows, 'of'> | undefined;
}

/**
 * Checks whether every dependent account could use the key: its identity exists, is attached, and has its role.
 * Enabling a key restores none of these. Never throws: warnings name each part that could not be read in time.
 */
export async function checkRestoreReadiness(
  key: ManagedKey,
  services: ReadinessServices,
): Promise<{ accounts: AccountReadiness[]; warnings: string[] }> {
  return abortAfter(async (signal) => {
    const { accounts, warnings } = await findAccounts(key, services, signal);
    const access = await checkKeyAccess(accounts, key, services, signal);
    return {
      accounts: access.map(({ account, ready, missing }) => ({ account, ready, missing: [...missing] })),
      warnings,
    };
  }, ALL_MS);
}

async function findAccounts(
  key: ManagedKey,
  { settings, accounts, subscriptions, useRows }: ReadinessServices,
  outer: AbortSignal,
): Promise<{ accounts: readonly Account[]; warnings: string[] }> {
  const found = new Map<string, Account>();
  const unread: string[] = [];
  const noteIndex = (error: unknown): ReadonlySet<string> => {
    unread.push(`the fleet index: ${describeError(error)}`);
    return new Set();
  };
  const find = async (signal: AbortSignal): Promise<void> => {
    const readIndex = (rows: Pick<UseRows, 'of'>) =>
      withDeadline(INDEX_MS, 'The fleet index was not read', () => readAccountsByScope(key, rows)).catch(noteIndex);
    const byScope = useRows && (await readIndex(useRows));
    const missed = await findDependents(
      key,
      settings.subscriptions ?? (await subscriptions.list()),
      { byScope, accounts: { ...accounts, list: (subscription) => accounts.list(subscription, signal) } },
      (account) => {
        found.set(account.id.toLowerCase(), account);
      },
    );

    for (const { id, failure } of missed) unread.push(`${id}: ${describeAnswerOf(failure)}`);
  };

  try {
    await withDeadline(FINDING_MS, 'The accounts were not found', find, outer);
  } catch (error) {
    unread.push(describeError(error));
  }

  const what = 'Not every account could be checked for its access to the key';

  return { accounts: [...found.values()], warnings: unread.map((why) => `${what} (${why})`) };
}

/** Returns the row names of the accounts that use a key by an encryption scope, according to the index. */
async function readAccountsByScope(key: ManagedKey, useRows: Pick<UseRows, 'of'>): Promise<ReadonlySet<string>> {
  const rows = new Set<string>();
  for await (const { account, scope } of useRows.of(key.id)) {
    if (scope !== undefined) rows.add(formatAccountRow(account));
  }
  return rows;
}
