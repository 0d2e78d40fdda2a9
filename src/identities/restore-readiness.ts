import { abortAfter } from '../azure/deadline.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { AccountReadiness } from '../revocation/restore.ts';
import { checkKeyAccess, type KeyAccessServices } from './check-key-access.ts';
import { findKeyAccounts, type KeyAccountServices } from './find-key-accounts.ts';

/** Deadlines for finding the accounts, and for finding them and checking their access, in milliseconds. */
const FINDING_MS = 3_000;
const ALL_MS = 5_000;

/**
 * Checks whether every dependent account could use the key: its identity exists, is attached, and has its role.
 * Enabling a key restores none of these. Never throws: warnings name each part that could not be read in time.
 */
export async function checkRestoreReadiness(
  key: ManagedKey,
  services: KeyAccessServices & KeyAccountServices,
): Promise<{ accounts: AccountReadiness[]; warnings: string[] }> {
  return abortAfter(async (signal) => {
    const { accounts, unread } = await findKeyAccounts(key, services, { ms: FINDING_MS }, signal);
    const access = await checkKeyAccess(accounts, key, services, signal);
    const what = 'Not every account could be checked for its access to the key';
    return {
      accounts: access.map(({ account, ready, missing }) => ({ account, ready, missing: [...missing] })),
      warnings: unread.map((why) => `${what} (${why})`),
    };
  }, ALL_MS);
}
