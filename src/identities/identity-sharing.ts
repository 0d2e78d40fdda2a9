import pMap from 'p-map';
import { withDeadline } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { sameResource } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import type { Account } from '../fleet/account.ts';
import { accountKeyUse, scopeKeyUse } from '../fleet/key-use.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { keyIdentity } from './key-access.ts';

const LISTING_MS = 20_000;

/**
 * The other accounts that reach keys of the same vault with the same identity: what is taken from it is taken from them too.
 * A system-assigned identity is of one account, and nothing is read.
 *
 * @throws {@link CmkError} `SubscriptionUnreadable` when it cannot be told
 */
export async function othersWithIdentity(
  account: Account,
  key: ManagedKey,
  subscriptions: () => Promise<readonly string[]>,
  accounts: Pick<StorageAccounts, 'list' | 'listScopes'>,
): Promise<readonly string[]> {
  const identity = keyIdentity(account);
  if (!('principalId' in identity) || identity.principalId === account.systemPrincipalId) return [];
  const others: string[] = [];
  const list = async (signal: AbortSignal): Promise<void> => {
    await pMap(
      await subscriptions(),
      async (subscription) => {
        for await (const other of accounts.list(subscription, signal)) {
          if (sameResource(other.id, account.id) || !hasIdentity(other, identity.principalId)) continue;
          if (await reaches(other, key, accounts, signal)) others.push(other.id);
        }
      },
      { concurrency: CONCURRENCY },
    );
  };
  try {
    await withDeadline(LISTING_MS, 'They were not listed', list);
    return others.sort();
  } catch (error) {
    throw new CmkError(
      'SubscriptionUnreadable',
      `Whether other accounts have the identity of ${account.name} cannot be told: ${describe(describeFailure(error))} Nothing was changed.`,
      'Repeat it; if it stays, disable an encryption scope of the account, or revoke the key.',
      { cause: error },
    );
  }
}

function hasIdentity(other: Account, principalId: string): boolean {
  const identity = keyIdentity(other);
  return 'principalId' in identity && identity.principalId.toLowerCase() === principalId.toLowerCase();
}

async function reaches(
  other: Account,
  key: ManagedKey,
  accounts: Pick<StorageAccounts, 'listScopes'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (accountKeyUse(other.encryption)?.vaultUri === key.vault.uri) return true;
  // One without a key of its own may have scopes with one, or be left with the identity of the key that it had.
  for await (const scope of accounts.listScopes(other, signal)) {
    if (scopeKeyUse(scope)?.vaultUri === key.vault.uri) return true;
  }
  return false;
}
