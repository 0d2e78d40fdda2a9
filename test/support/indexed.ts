import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import type { Account } from '../../src/accounts/account.ts';
import { findAccountKeyUse } from '../../src/accounts/key-use.ts';
import { type AccountChange, createFleetIndex, type FleetIndex } from '../../src/index/fleet-index.ts';
import { createFleetTable } from '../../src/index/fleet-table-client.ts';
import { createUseRows, type UseRow, type UseRows } from '../../src/index/use-row.ts';
import { formatKeyIdentifier } from '../../src/keys/key-identifier.ts';
import { readStorageSettings } from '../../src/settings/settings.ts';
import type { Procedures, Site } from './procedures.ts';

/**
 * Writes what a list of these accounts leaves in the fleet index of an app whose only vault is that of the site.
 *
 * @returns the environment of a command line that knows that app's storage
 */
export async function indexed(
  connectionString: string,
  procedures: Procedures,
  { vault }: Site,
  accounts: readonly StorageAccount[],
): Promise<{ readonly AzureWebJobsStorage: string; readonly CMK_VAULTS: string }> {
  await createAppStorage(connectionString);

  const environment = { AzureWebJobsStorage: connectionString, CMK_VAULTS: vault.id };
  const none = () => {
    throw new Error('A connection string needs no sign-in.');
  };
  const table = createFleetTable(readStorageSettings(environment), none);
  const index = { fleet: createFleetIndex(table), useRows: createUseRows(table) };
  const listed: Account[] = [];

  for await (const account of procedures.azure().accounts.list(SUBSCRIPTION_ID)) {
    if (accounts.some(({ name }) => account.name === name)) listed.push(account);
  }

  await fillIndex(SUBSCRIPTION_ID, listed, index);

  return environment;
}

/** Writes what a list of a subscription with these accounts, none of which has scopes, leaves in the fleet index. */
export async function fillIndex(
  subscription: string,
  accounts: readonly Account[],
  { fleet, useRows }: { readonly fleet: FleetIndex; readonly useRows: UseRows },
  on = new Date(),
): Promise<void> {
  const changes: AccountChange[] = [];
  const uses: UseRow[] = [];
  const now = on.toISOString();

  for (const { id, location, tags, encryption } of accounts) {
    const use = findAccountKeyUse(encryption);
    const key = use ? formatKeyIdentifier(use) : '';

    changes.push({ account: id, location, tags, scopeKeys: [], scopesReadOn: now, writtenOn: now, key });

    if (!use) continue;

    const { pinned, current } = use;
    const progress = { readOn: now, at: now, state: 'pending', attempts: 0 } as const;

    uses.push({ key, account: id, location, mode: pinned ? 'pinned' : 'automatic', pinned, current, ...progress });
  }

  await useRows.put(uses);
  await fleet.write(changes);
  await fleet.listed(subscription, on);
}
