import type { AppStorage, StorageAccount } from '../azure/app-storage.ts';
import type { Cloud } from '../azure/cloud.ts';

interface StorageSettings {
  readonly cloud: Cloud;
  /** Undefined: which one is the app's own storage is not known. */
  readonly storage: AppStorage | undefined;
}

/**
 * The names of the storage accounts that the app itself runs on: a revocation of their key would lock the app out. `local`:
 * emulators, which no key of Key Vault encrypts. Undefined: one is not known, or its connection string does not name it.
 */
export function ownStorage({ storage, cloud }: StorageSettings): readonly string[] | 'local' | undefined {
  if (!storage) return undefined;
  const accounts = [storage, storage.work, storage.audit].filter((account) => account !== undefined);
  const names = accounts.flatMap((account) => nameOfStorage(account, cloud) ?? []);
  if (names.length < accounts.length) return undefined;
  const own = names.filter((name) => name !== 'local');
  return own.length === 0 ? 'local' : [...new Set(own)];
}

/** The name of the account that holds both zones; undefined: each has its own, it is an emulator, or it is not known. */
export function sharedZones(storage: AppStorage, cloud: Cloud): string | undefined {
  const control = nameOfStorage(storage, cloud);
  const isShared = control === nameOfStorage(storage.work ?? storage, cloud);
  return isShared && control !== 'local' && control !== '' ? control : undefined;
}

/** `local`: an emulator. Undefined: the connection string does not name it. */
export function nameOfStorage(account: StorageAccount, cloud: Cloud): string | 'local' | undefined {
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

/** Whether the environment names the app's storage. */
export function knowsAppStorage({
  AzureWebJobsStorage,
  AzureWebJobsStorage__accountName: account,
}: Readonly<Record<string, string | undefined>>): boolean {
  return Boolean(AzureWebJobsStorage || account);
}
