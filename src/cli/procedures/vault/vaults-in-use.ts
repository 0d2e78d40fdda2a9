import { CmkError } from '../../../errors/errors.ts';
import type { Operation } from '../operator-azure.ts';
import { lookUpVault } from '../resolve.ts';

/**
 * Finds the vaults and Managed HSMs whose keys encrypt storage accounts, by the accounts alone. Notes those that the
 * sign-in cannot read.
 *
 * @param subscriptions ids
 * @returns ARM ids
 * @throws {@link CmkError} `NotFound` if no account uses a customer-managed key
 */
export async function findVaultsInUse(
  subscriptions: readonly string[],
  { azure, journal }: Operation,
): Promise<readonly string[]> {
  const uris = new Set<string>();

  for (const subscription of subscriptions) {
    journal.waiting(`reading the accounts of subscription ${subscription}`);

    for await (const { encryption } of azure.accounts.list(subscription)) {
      const uri = encryption.keyVaultProperties?.keyVaultUri;
      if (uri) uris.add(uri.toLowerCase().replace(/\/$/, ''));
    }
  }

  if (uris.size === 0) {
    throw new CmkError(
      'NotFound',
      `No storage account of ${subscriptions.join(', ') || 'a subscription that you can read'} uses a customer-managed key.`,
      'Name another subscription with --subscription, or the vault with --vault.',
    );
  }

  const ids: string[] = [];

  for (const uri of uris) {
    const vault = await lookUpVault(uri, azure);
    if (vault) ids.push(vault.id);
    else journal.note(`Accounts use keys of ${uri}, which your sign-in cannot read: ask for Reader on that vault.`);
  }

  return ids;
}
