import type { AppStorage, StorageAccount } from '../azure/app-storage.ts';
import type { Cloud } from '../azure/cloud.ts';

/**
 * Names of the storage accounts that the app runs on: a revocation of their key would lock the app out. `local`:
 * emulators, which Key Vault does not encrypt. Undefined: an account is unknown, or its connection string does not name
 * it.
 */
export function listOwnStorage(settings: { readonly storage: AppStorage | undefined; readonly cloud: Cloud }) {
  const { storage, cloud } = settings;
  if (!storage) return undefined;
  const accounts = [storage, storage.work, storage.audit].filter((account) => account !== undefined);
  const names = accounts.flatMap((account) => findStorageName(account, cloud) ?? []);
  if (names.length < accounts.length) return undefined;
  const own = names.filter((name) => name !== 'local');
  return own.length === 0 ? 'local' : [...new Set(own)];
}

/** Name of a storage account. `local`: an emulator. Undefined: the connection string does not name the account. */
export function findStorageName(account: StorageAccount, cloud: Cloud): string | 'local' | undefined {
  if ('accountName' in account) return account.accountName.toLowerCase();

  const fields = new Map(
    account.connectionString.split(';').map((field) => {
      const at = field.indexOf('=');
      return [field.slice(0, at).trim().toLowerCase(), field.slice(at + 1).trim()];
    }),
  );
  if (fields.get('usedevelopmentstorage')?.toLowerCase() === 'true') return 'local';

  const endpoint = fields.get('blobendpoint') ?? fields.get('queueendpoint');
  if (!endpoint) return fields.get('accountname')?.toLowerCase();
  if (!URL.canParse(endpoint)) return undefined;

  const { hostname } = new URL(endpoint);
  if (hostname === 'localhost' || /^(127\.|\[?::1)/.test(hostname)) return 'local';

  return hostname.endsWith(`.${cloud.storageSuffix}`)
    ? hostname.slice(0, hostname.indexOf('.'))
    : fields.get('accountname')?.toLowerCase();
}

/** Whether the environment names the app's own storage. */
export function hasAppStorage(environment: Readonly<Record<string, string | undefined>>): boolean {
  return Boolean(environment.AzureWebJobsStorage || environment.AzureWebJobsStorage__accountName);
}
