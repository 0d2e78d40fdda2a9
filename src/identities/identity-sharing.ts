import pMap from 'p-map';
import { withDeadline } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { sameResource } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import type { Account } from '../fleet/account.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import { keyIdentity } from './key-access.ts';

const LISTING_MS = 20_000;

/**
 * Lists the other accounts with the same identity: a role removed from the identity is removed from them too. For a
 * system-assigned identity it reads nothing, because only one account has it.
 *
 * @throws {@link CmkError} `SubscriptionUnreadable` if a subscription cannot be read
 */
export async function othersWithIdentity(
  account: Account,
  subscriptions: () => Promise<readonly string[]>,
  accounts: Pick<StorageAccounts, 'list'>,
): Promise<readonly string[]> {
  const principal = principalOf(account);
  if (principal === undefined || principal === account.systemPrincipalId?.toLowerCase()) return [];
  const others: string[] = [];
  const list = async (subscription: string, signal: AbortSignal): Promise<void> => {
    for await (const other of accounts.list(subscription, signal)) {
      if (!sameResource(other.id, account.id) && principalOf(other) === principal) others.push(other.id);
    }
  };
  try {
    await withDeadline(LISTING_MS, 'The accounts were not listed', async (signal) =>
      pMap(await subscriptions(), (one) => list(one, signal), { concurrency: CONCURRENCY }),
    );
    return others.sort();
  } catch (error) {
    throw new CmkError(
      'SubscriptionUnreadable',
      `The other accounts with the identity of ${account.name} cannot be listed: ${describe(describeFailure(error))} Nothing was changed.`,
      'Run it again; if it fails again, disable an encryption scope of the account, or revoke the key.',
      { cause: error },
    );
  }
}

function principalOf(account: Account): string | undefined {
  const identity = keyIdentity(account);
  return 'principalId' in identity ? identity.principalId.toLowerCase() : undefined;
}
