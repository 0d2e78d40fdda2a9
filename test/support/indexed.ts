import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { type AccountChange, createFleetIndex } from '../../src/fleet/fleet-index.ts';
import { createFleetTable } from '../../src/fleet/fleet-table-client.ts';
import { accountKeyUse } from '../../src/fleet/key-use.ts';
import { createUseRows, type UseRow } from '../../src/fleet/use-row.ts';
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
  const index = createFleetIndex(table);
  const changes: AccountChange[] = [];
  const uses: UseRow[] = [];
  const now = new Date().toISOString();
  for await (const { id, name, location, tags, encryption } of procedures.azure().accounts.list(SUBSCRIPTION_ID)) {
    if (!accounts.some((account) => account.name === name)) continue;
    const use = accountKeyUse(encryption);
    const key = use ? formatKeyIdentifier(use) : '';
    changes.push({ account: id, location, tags, scopeKeys: [], scopesReadOn: now, writtenOn: now, key });
    if (!use) continue;
    const { pinned, current } = use;
    const progress = { readOn: now, at: now, state: 'pending', attempts: 0 } as const;
    uses.push({ key, account: id, location, mode: pinned ? 'pinned' : 'automatic', pinned, current, ...progress });
  }
  await createUseRows(table).put(uses);
  await index.write(changes);
  await index.listed(SUBSCRIPTION_ID, new Date());
  return environment;
}
