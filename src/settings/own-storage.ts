import type { AppStorage } from '../azure/app-storage.ts';
import type { Cloud } from '../azure/cloud.ts';

interface StorageSettings {
  readonly cloud: Cloud;
  /** Undefined: which one is the app's own storage is not known. */
  readonly storage: AppStorage | undefined;
}

/**
 * The name of the storage account that the app itself runs on: a revocation of its key would lock the app out. `local`:
 * an emulator, which no key of Key Vault encrypts. Undefined: it is not known, or the connection string does not tell.
 */
export function ownStorage({ storage, cloud }: StorageSettings): string | 'local' | undefined {
  if (!storage) return undefined;
  if ('accountName' in storage) return storage.accountName.toLowerCase();
  const fields = new Map(
    storage.connectionString.split(';').map((field) => {
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
