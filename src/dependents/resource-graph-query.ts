import { sameResource } from '../azure/resource-id.ts';
import { parseKeyIdentifier, parseVault, sameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey, ManagedVault } from '../keys/managed-vaults.ts';
import type { NamedKey, OtherDependent } from './dependent.ts';
import type { GraphResource } from './resource-graph-client.ts';

/**
 * How a resource stops when its key is revoked and how it comes back, by its type in lower case. Source: each service's page
 * on customer-managed keys.
 */
const WHEN_REVOKED: Readonly<Record<string, string>> = {
  'microsoft.appconfiguration/configurationstores':
    'Its data cannot be read within an hour, and can be read again within an hour of the restore.',
  'microsoft.batch/batchaccounts':
    'Only deleting the account works. Nodes of running pools become unavailable and their tasks are requeued. It is back within ten minutes of the restore.',
  'microsoft.cognitiveservices/accounts':
    'Fine-tuned models that are deployed go on. When the rest stops is not documented.',
  'microsoft.compute/diskencryptionsets':
    'Virtual machines with a disk on it shut down; disks begin to fail about an hour later. They do not boot again until the key is enabled or the set has another one.',
  'microsoft.containerregistry/registries': 'Its data cannot be read until the key is restored.',
  'microsoft.containerservice/managedclusters': 'The cluster may be lost if the key does not come back.',
  'microsoft.databricks/workspaces': 'It stops when the key that it has cached ends.',
  'microsoft.dataprotection/backupvaults':
    'Backups, restores, tiering and the expiry of restore points fail until the key is restored.',
  'microsoft.dbformysql/flexibleservers':
    'It refuses connections within ten minutes. A restore of the key is not enough: its data encryption has to be revalidated by hand.',
  'microsoft.dbforpostgresql/flexibleservers':
    'It becomes inaccessible within 60 minutes, and is ready again within 60 minutes of the restore.',
  'microsoft.documentdb/databaseaccounts': 'Only deleting the account works until the key is restored.',
  'microsoft.eventhub/namespaces': 'It cannot be used until the key is restored, unless it has another key.',
  'microsoft.netapp/netappaccounts': 'Microsoft gives access to its volumes back by hand, on a support ticket.',
  'microsoft.operationalinsights/clusters':
    'Within an hour, new data is dropped and lost for good, and queries fail. Both go on within 30 minutes of the restore.',
  'microsoft.servicebus/namespaces': 'It cannot be used until the key is restored, unless it has another key.',
  'microsoft.sql/managedinstances': sql('instance'),
  'microsoft.sql/servers': sql('server'),
  'microsoft.storage/storageaccounts': 'Requests for its data are refused until the key is restored.',
};

/** @param type lower case, of a resource that is encrypted with the key */
export function whenRevoked(type: string): string {
  return WHEN_REVOKED[type] ?? 'How soon it stops, and what it takes to be back, is not documented.';
}

function sql(what: string): string {
  return `Its databases become inaccessible within ten minutes. They come back by themselves within an hour if the key is back within 30 minutes; later the ${what} has to be revalidated by hand, and its failover group, restore history and tags are lost.`;
}

/** Properties are no deeper than this, as far as they name a key. */
const DEEPEST = 12;

/**
 * Types that can be encrypted with a customer-managed key, and where under `properties` they name it: a key identifier, or an
 * object with vault, name and version apart. An array is no step of a path. Sources: the resource providers' API
 * specifications and the aliases of Azure Policy. Child resources that Resource Graph does not show (encryption scopes,
 * protectors of SQL servers) are absent.
 */
export const KEY_PATHS: Readonly<Record<string, readonly string[]>> = {
  'microsoft.appconfiguration/configurationstores': ['encryption.keyVaultProperties.keyIdentifier'],
  'microsoft.automation/automationaccounts': ['encryption.keyVaultProperties'],
  'microsoft.batch/batchaccounts': ['encryption.keyVaultProperties.keyIdentifier'],
  'microsoft.cache/redisenterprise': ['encryption.customerManagedKeyEncryption.keyEncryptionKeyUrl'],
  'microsoft.cognitiveservices/accounts': ['encryption.keyVaultProperties'],
  'microsoft.compute/diskencryptionsets': ['activeKey.keyUrl', 'previousKeys.keyUrl'],
  'microsoft.containerinstance/containergroups': ['encryptionProperties'],
  'microsoft.containerregistry/registries': [
    'encryption.keyVaultProperties.keyIdentifier',
    'encryption.keyVaultProperties.versionedKeyIdentifier',
  ],
  'microsoft.containerservice/managedclusters': ['securityProfile.azureKeyVaultKms.keyId'],
  'microsoft.databricks/workspaces': [
    'encryption.entities.managedServices.keyVaultProperties',
    'encryption.entities.managedDisk.keyVaultProperties',
  ],
  'microsoft.datafactory/factories': ['encryption'],
  'microsoft.dataprotection/backupvaults': ['securitySettings.encryptionSettings.keyVaultProperties.keyUri'],
  'microsoft.dbformysql/flexibleservers': ['dataEncryption.primaryKeyURI', 'dataEncryption.geoBackupKeyURI'],
  'microsoft.dbforpostgresql/flexibleservers': ['dataEncryption.primaryKeyURI', 'dataEncryption.geoBackupKeyURI'],
  'microsoft.devices/iothubs': ['encryption.keyVaultProperties.keyIdentifier'],
  'microsoft.deviceupdate/accounts': ['encryption.keyVaultKeyUri'],
  'microsoft.documentdb/databaseaccounts': ['keyVaultKeyUri'],
  'microsoft.elasticsan/elasticsans/volumegroups': ['encryptionProperties.keyVaultProperties'],
  'microsoft.eventhub/namespaces': ['encryption.keyVaultProperties'],
  // "stable/2026-09-01" of its specification; a share of this provider is beyond what the article describes.
  'microsoft.fileshares/fileshares': ['encryption.customerManagedKeyEncryption.keyEncryptionKeyUrl'],
  'microsoft.hdinsight/clusters': ['diskEncryptionProperties'],
  'microsoft.healthbot/healthbots': ['keyVaultProperties'],
  'microsoft.healthcareapis/services': ['cosmosDbConfiguration.keyVaultKeyUri'],
  'microsoft.healthcareapis/workspaces/dicomservices': ['encryption.customerManagedKeyEncryption.keyEncryptionKeyUrl'],
  'microsoft.healthcareapis/workspaces/fhirservices': ['encryption.customerManagedKeyEncryption.keyEncryptionKeyUrl'],
  'microsoft.kusto/clusters': ['keyVaultProperties'],
  'microsoft.loadtestservice/loadtests': ['encryption.keyUrl'],
  'microsoft.machinelearningservices/workspaces': ['encryption.keyVaultProperties.keyIdentifier'],
  'microsoft.netapp/netappaccounts': ['encryption.keyVaultProperties'],
  'microsoft.operationalinsights/clusters': ['keyVaultProperties'],
  'microsoft.recoveryservices/vaults': ['encryption.keyVaultProperties.keyUri'],
  'microsoft.servicebus/namespaces': ['encryption.keyVaultProperties'],
  'microsoft.sql/managedinstances': ['keyId'],
  'microsoft.sql/servers': ['keyId'],
  // Accounts outside the subscriptions that are looked after; the others are read from their provider.
  'microsoft.storage/storageaccounts': ['encryption.keyvaultproperties'],
  'microsoft.storagecache/caches': ['encryptionSettings.keyEncryptionKey.keyUrl'],
  'microsoft.synapse/workspaces': ['encryption.cmk.key.keyVaultUrl'],
};

/**
 * The one query for everything that names a vault at all, of any type: one that is not known here would go unseen.
 * {@link usesOfKey} finds those that name a key.
 */
export function vaultUseQuery(vault: ManagedVault): string {
  const host = vault.uri.slice('https://'.length);
  // Some name the vault by its ARM id alone.
  const id = `/${vault.kind === 'vault' ? 'vaults' : 'managedHSMs'}/${vault.name}`;
  return [
    'resources',
    `where tostring(properties) contains "${host}" or tostring(properties) contains "${id}"`,
    'project id, name, type, location, subscriptionId, properties',
    'order by id asc',
  ].join(' | ');
}

/** A key that a resource names. */
interface NamedKeyOf extends NamedKey {
  readonly name: string;
}

/** A resource that names a key; undefined: it does not. A vault's own resources are no users of its keys. */
export function usesOfKey(row: GraphResource, key: ManagedKey): OtherDependent | undefined {
  return dependentOf(row, keysNamed(row.properties, key.vault), key.name);
}

/** The same of every key of a vault that a resource names, by the name of the key in lower case. */
export function usesOfVault(row: GraphResource, vault: ManagedVault): Map<string, OtherDependent> {
  const named = keysNamed(row.properties, vault);
  const uses = new Map<string, OtherDependent>();
  for (const { name } of named) {
    const dependent = dependentOf(row, named, name);
    if (dependent) uses.set(name.toLowerCase(), dependent);
  }
  return uses;
}

function dependentOf(
  { id, name, type, location, subscriptionId }: GraphResource,
  named: readonly NamedKeyOf[],
  key: string,
): OtherDependent | undefined {
  if (/^microsoft\.keyvault\//i.test(type)) return undefined;
  const uses = usesNamed(named, key);
  if (uses.length === 0) return undefined;
  const other = { id, name, type, region: location, subscriptionId, uses };
  const paths = KEY_PATHS[type.toLowerCase()] ?? [];
  const isKnown = uses.some((use) => paths.some((path) => path.toLowerCase() === use.path.toLowerCase()));
  return isKnown ? { ...other, known: true, whenRevoked: whenRevoked(type) } : { ...other, known: false };
}

function usesNamed(named: readonly NamedKeyOf[], key: string): NamedKey[] {
  return named.flatMap(({ name, path, version }) => (sameKeyName(name, key) ? [{ path, version }] : []));
}

/** The keys of a vault that properties name at any place, once for each path and version. */
function keysNamed(properties: unknown, vault: ManagedVault): NamedKeyOf[] {
  const found = new Map<string, NamedKeyOf>();
  const look = (value: unknown, path: string, depth: number): void => {
    if (depth > DEEPEST) return;
    for (const one of keysAt(path, value, vault)) found.set(`${path} ${one.name.toLowerCase()} ${one.version}`, one);
    if (Array.isArray(value)) for (const each of value) look(each, path, depth + 1);
    else if (typeof value === 'object' && value !== null) {
      for (const [name, each] of Object.entries(value)) look(each, path === '' ? name : `${path}.${name}`, depth + 1);
    }
  };
  look(properties, '', 0);
  return [...found.values()];
}

/** A text that is a key identifier, or an object that holds a vault and the name of a key. */
function keysAt(path: string, value: unknown, vault: ManagedVault): NamedKeyOf[] {
  if (typeof value === 'string') {
    const named = parseKeyIdentifier(value.trim());
    return named?.vaultUri === vault.uri ? [{ path, name: named.keyName, version: named.version }] : [];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const fields = textsOf(value);
  const isOfVault = fields.some(({ text }) => parseVault(text)?.vaultUri === vault.uri || sameResource(text, vault.id));
  if (!isOfVault) return [];
  const inner = textsOf(Object.entries(value).find(([name]) => name.toLowerCase() === 'key')?.[1]);
  const versionOf = (of: typeof fields, name: RegExp) =>
    of.find((field) => name.test(field.name))?.text.toLowerCase() || undefined;
  return [
    ...inner.flatMap(({ name, text }) =>
      /^name$/i.test(name) ? [{ path, name: text, version: versionOf(inner, /^version$/i) }] : [],
    ),
    ...fields.flatMap(({ name, text }) =>
      /key_?name$/i.test(name) ? [{ path, name: text, version: versionOf(fields, /key_?version$/i) }] : [],
    ),
  ];
}

/** The fields of an object that are texts. */
function textsOf(value: unknown): { readonly name: string; readonly text: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, text]) =>
    typeof text === 'string' ? [{ name, text: text.trim() }] : [],
  );
}
