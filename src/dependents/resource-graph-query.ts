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

/** Where a resource names its key: one property with a key identifier, or an object with vault, name and version apart. */
type KeyPath =
  | { readonly identifier: string }
  | { readonly parts: string; readonly vault: string; readonly name: string; readonly version: string };

const identifier = (path: string): KeyPath => ({ identifier: path });
const parts = (path: string, vault = 'keyVaultUri', name = 'keyName', version = 'keyVersion'): KeyPath => ({
  parts: path,
  vault,
  name,
  version,
});

/**
 * Types that can be encrypted with a customer-managed key, and where under `properties` they name it. A step of a path
 * that meets an array goes on in each of its items. Sources: the resource providers' API specifications and the aliases of
 * Azure Policy. Child resources that Resource Graph does not show (encryption scopes, protectors of SQL servers) are absent.
 */
export const KEY_PATHS: Readonly<Record<string, readonly KeyPath[]>> = {
  'microsoft.appconfiguration/configurationstores': [identifier('encryption.keyVaultProperties.keyIdentifier')],
  'microsoft.automation/automationaccounts': [parts('encryption.keyVaultProperties')],
  'microsoft.batch/batchaccounts': [identifier('encryption.keyVaultProperties.keyIdentifier')],
  'microsoft.cache/redisenterprise': [identifier('encryption.customerManagedKeyEncryption.keyEncryptionKeyUrl')],
  'microsoft.cognitiveservices/accounts': [parts('encryption.keyVaultProperties')],
  'microsoft.compute/diskencryptionsets': [identifier('activeKey.keyUrl'), identifier('previousKeys.keyUrl')],
  'microsoft.containerinstance/containergroups': [parts('encryptionProperties', 'vaultBaseUrl')],
  'microsoft.containerregistry/registries': [
    identifier('encryption.keyVaultProperties.keyIdentifier'),
    identifier('encryption.keyVaultProperties.versionedKeyIdentifier'),
  ],
  'microsoft.containerservice/managedclusters': [identifier('securityProfile.azureKeyVaultKms.keyId')],
  'microsoft.databricks/workspaces': [
    parts('encryption.entities.managedServices.keyVaultProperties'),
    parts('encryption.entities.managedDisk.keyVaultProperties'),
  ],
  'microsoft.datafactory/factories': [parts('encryption', 'vaultBaseUrl')],
  'microsoft.dataprotection/backupvaults': [
    identifier('securitySettings.encryptionSettings.keyVaultProperties.keyUri'),
  ],
  'microsoft.dbformysql/flexibleservers': [
    identifier('dataEncryption.primaryKeyURI'),
    identifier('dataEncryption.geoBackupKeyURI'),
  ],
  'microsoft.dbforpostgresql/flexibleservers': [
    identifier('dataEncryption.primaryKeyURI'),
    identifier('dataEncryption.geoBackupKeyURI'),
  ],
  'microsoft.devices/iothubs': [identifier('encryption.keyVaultProperties.keyIdentifier')],
  'microsoft.deviceupdate/accounts': [identifier('encryption.keyVaultKeyUri')],
  'microsoft.documentdb/databaseaccounts': [identifier('keyVaultKeyUri')],
  'microsoft.elasticsan/elasticsans/volumegroups': [parts('encryptionProperties.keyVaultProperties')],
  'microsoft.eventhub/namespaces': [parts('encryption.keyVaultProperties')],
  // "stable/2026-09-01" of its specification; a share of this provider is beyond what the article describes.
  'microsoft.fileshares/fileshares': [identifier('encryption.customerManagedKeyEncryption.keyEncryptionKeyUrl')],
  'microsoft.hdinsight/clusters': [parts('diskEncryptionProperties', 'vaultUri')],
  'microsoft.healthbot/healthbots': [parts('keyVaultProperties')],
  'microsoft.healthcareapis/services': [identifier('cosmosDbConfiguration.keyVaultKeyUri')],
  'microsoft.healthcareapis/workspaces/dicomservices': [
    identifier('encryption.customerManagedKeyEncryption.keyEncryptionKeyUrl'),
  ],
  'microsoft.healthcareapis/workspaces/fhirservices': [
    identifier('encryption.customerManagedKeyEncryption.keyEncryptionKeyUrl'),
  ],
  'microsoft.kusto/clusters': [parts('keyVaultProperties')],
  'microsoft.loadtestservice/loadtests': [identifier('encryption.keyUrl')],
  'microsoft.machinelearningservices/workspaces': [identifier('encryption.keyVaultProperties.keyIdentifier')],
  'microsoft.netapp/netappaccounts': [parts('encryption.keyVaultProperties')],
  'microsoft.operationalinsights/clusters': [parts('keyVaultProperties')],
  'microsoft.recoveryservices/vaults': [identifier('encryption.keyVaultProperties.keyUri')],
  'microsoft.servicebus/namespaces': [parts('encryption.keyVaultProperties')],
  'microsoft.sql/managedinstances': [identifier('keyId')],
  'microsoft.sql/servers': [identifier('keyId')],
  // Accounts outside the subscriptions that are looked after; the others are read from their provider.
  'microsoft.storage/storageaccounts': [parts('encryption.keyvaultproperties')],
  'microsoft.storagecache/caches': [identifier('encryptionSettings.keyEncryptionKey.keyUrl')],
  'microsoft.synapse/workspaces': [identifier('encryption.cmk.key.keyVaultUrl')],
};

/**
 * The one query for everything that names a vault at all, of any type: one that is not known here would go unseen.
 * {@link usesOfKey} tells which name a key.
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

/** A resource that names a key; undefined: it does not. A vault's own resources are no users of its keys. */
export function usesOfKey(row: GraphResource, key: ManagedKey): OtherDependent | undefined {
  const { id, name, type, location, subscriptionId, properties } = row;
  if (/^microsoft\.keyvault\//i.test(type)) return undefined;
  const named = keyUses(type, properties, key);
  // At a place that is not known, one of a known type may name another version.
  const isNamed = ({ path, version }: NamedKey): boolean =>
    named.some((one) => one.version === version && one.path.toLowerCase() === path.toLowerCase());
  const uses = [...named, ...keyUsesAnywhere(properties, key).filter((use) => !isNamed(use))];
  if (uses.length === 0) return undefined;
  const other = { id, name, type, region: location, subscriptionId, uses };
  return named.length > 0 ? { ...other, known: true, whenRevoked: whenRevoked(type) } : { ...other, known: false };
}

/**
 * Every text in the properties that may be the name of a key, by itself or in an identifier, in lower case: {@link usesOfKey}
 * finds none of another name. To ask it of each of thousands of keys takes a minute for a page of resources.
 */
export function possibleKeyNames(properties: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const look = (value: unknown, depth: number): void => {
    if (typeof value === 'string') for (const part of value.trim().toLowerCase().split('/')) names.add(part);
    // An object at the last level names its key in a field, or in an object of its own.
    else if (typeof value === 'object' && value !== null && depth <= DEEPEST + 2) {
      for (const each of Object.values(value)) look(each, depth + 1);
    }
  };
  look(properties, 0);
  return names;
}

/** Where a resource of that type names exactly this key; once for each path and version. */
export function keyUses(type: string, properties: unknown, key: ManagedKey): NamedKey[] {
  const uses = (KEY_PATHS[type.toLowerCase()] ?? []).flatMap((path) =>
    'identifier' in path
      ? valuesAt(properties, path.identifier).flatMap((value) => byIdentifier(path.identifier, value, key))
      : valuesAt(properties, path.parts).flatMap((value) => byParts(path, value, key)),
  );
  return [...new Map(uses.map((use) => [`${use.path} ${use.version}`, use])).values()];
}

/** The same at any place: identifiers, and objects that hold a vault and the name of a key. */
function keyUsesAnywhere(properties: unknown, key: ManagedKey): NamedKey[] {
  const uses = new Map<string, NamedKey>();
  const look = (value: unknown, path: string, depth: number): void => {
    if (depth > DEEPEST) return;
    for (const found of [...byIdentifier(path, value, key), ...byAnyParts(path, value, key)]) {
      uses.set(`${path} ${found.version}`, found);
    }
    if (Array.isArray(value)) for (const each of value) look(each, path, depth + 1);
    else if (typeof value === 'object' && value !== null) {
      for (const [name, each] of Object.entries(value)) look(each, path === '' ? name : `${path}.${name}`, depth + 1);
    }
  };
  look(properties, '', 0);
  return [...uses.values()];
}

function byAnyParts(path: string, value: unknown, key: ManagedKey): NamedKey[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const fields = Object.entries(value).flatMap(([name, text]) =>
    typeof text === 'string' ? [{ name, text: text.trim() }] : [],
  );
  const isOfVault = fields.some(
    ({ text }) => parseVault(text)?.vaultUri === key.vault.uri || sameResource(text, key.vault.id),
  );
  if (!isOfVault) return [];
  const inner = fieldOf(value, 'key');
  const [name, version] = ['name', 'version'].map((of) => fieldOf(inner, of));
  if (typeof name === 'string' && sameKeyName(name.trim(), key.name)) return [{ path, version: textOf(version) }];
  const isOfKey = fields.some(({ name, text }) => /key_?name$/i.test(name) && sameKeyName(text, key.name));
  if (!isOfKey) return [];
  return [{ path, version: textOf(fields.find(({ name }) => /key_?version$/i.test(name))?.text) }];
}

function textOf(version: unknown): string | undefined {
  return (typeof version === 'string' && version.trim().toLowerCase()) || undefined;
}

function byIdentifier(path: string, value: unknown, key: ManagedKey): NamedKey[] {
  const named = typeof value === 'string' ? parseKeyIdentifier(value.trim()) : undefined;
  if (!named || named.vaultUri !== key.vault.uri || !sameKeyName(named.keyName, key.name)) return [];
  return [{ path, version: named.version }];
}

function byParts(path: Extract<KeyPath, { parts: string }>, value: unknown, key: ManagedKey): NamedKey[] {
  const text = (name: string): string => {
    const found = fieldOf(value, name);
    return typeof found === 'string' ? found.trim() : '';
  };
  if (parseVault(text(path.vault))?.vaultUri !== key.vault.uri || !sameKeyName(text(path.name), key.name)) return [];
  return [{ path: path.parts, version: text(path.version).toLowerCase() || undefined }];
}

function valuesAt(root: unknown, path: string): unknown[] {
  let values = flat([root]);
  for (const step of path.split('.')) values = flat(values.map((value) => fieldOf(value, step)));
  return values;
}

function flat(values: readonly unknown[]): unknown[] {
  return values.flatMap((value) => (Array.isArray(value) ? value : [value]));
}

/** Letter case does not matter: the providers disagree on it from one API version to the next. */
function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const wanted = name.toLowerCase();
  return Object.entries(value).find(([field]) => field.toLowerCase() === wanted)?.[1];
}
