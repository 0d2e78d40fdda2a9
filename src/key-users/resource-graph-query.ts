import { isSameResource } from '../azure/resource-id.ts';
import { parseKeyIdentifier, parseVault } from '../keys/key-identifier.ts';
import type { ManagedKey, ManagedVault } from '../keys/managed-vaults.ts';
import type { OtherDependent } from './dependent.ts';
import type { GraphResource } from './resource-graph-client.ts';

/**
 * Effect of a revocation and of a restore, by resource type in lower case. Source: each service's page on
 * customer-managed keys.
 */
const WHEN_REVOKED: Readonly<Record<string, string>> = {
  'microsoft.appconfiguration/configurationstores':
    'Its data becomes unreadable within an hour, and readable again within an hour of the restore.',
  'microsoft.batch/batchaccounts':
    'Azure rejects every operation except deleting the account. Nodes of running pools become unavailable and their tasks are requeued. The account works again within ten minutes of the restore.',
  'microsoft.cognitiveservices/accounts':
    'Deployed fine-tuned models keep working. Microsoft does not document when the other functions stop.',
  'microsoft.compute/diskencryptionsets':
    'Virtual machines with such a disk shut down, and disks fail about an hour later. They boot again once the key is enabled or the set has another key.',
  'microsoft.containerregistry/registries': 'Its data cannot be read until the key is restored.',
  'microsoft.containerservice/managedclusters': 'The cluster may be lost if the key is not restored.',
  'microsoft.databricks/workspaces': 'It stops when its cached key expires.',
  'microsoft.dataprotection/backupvaults':
    'Backups, restores, tiering and the expiry of restore points fail until the key is restored.',
  'microsoft.dbformysql/flexibleservers':
    'It rejects connections within ten minutes. After the restore, an operator must also revalidate its data encryption.',
  'microsoft.dbforpostgresql/flexibleservers':
    'It becomes inaccessible within 60 minutes, and is ready again within 60 minutes of the restore.',
  'microsoft.documentdb/databaseaccounts':
    'Azure rejects every operation except deleting the account until the key is restored.',
  'microsoft.eventhub/namespaces': 'It cannot be used until the key is restored, unless it has another key.',
  'microsoft.netapp/netappaccounts':
    'After the restore, access to its volumes requires a support ticket with Microsoft.',
  'microsoft.operationalinsights/clusters':
    'Within an hour, queries fail and new data is dropped permanently. Ingestion and queries resume within 30 minutes of the restore.',
  'microsoft.servicebus/namespaces': 'It cannot be used until the key is restored, unless it has another key.',
  'microsoft.sql/managedinstances': sql('instance'),
  'microsoft.sql/servers': sql('server'),
  'microsoft.storage/storageaccounts': 'Storage rejects requests for its data until the key is restored.',
};

/**
 * The other types that support customer-managed keys. Sources: API specifications of the resource providers, and
 * aliases of Azure Policy. Excluded are child resources that Resource Graph does not list (encryption scopes, protectors
 * of SQL servers).
 */
const UNDOCUMENTED: ReadonlySet<string> = new Set([
  'microsoft.automation/automationaccounts',
  'microsoft.cache/redisenterprise',
  'microsoft.containerinstance/containergroups',
  'microsoft.datafactory/factories',
  'microsoft.devices/iothubs',
  'microsoft.deviceupdate/accounts',
  'microsoft.elasticsan/elasticsans/volumegroups',
  // API specification "stable/2026-09-01". Azure's page on customer-managed keys omits this provider.
  'microsoft.fileshares/fileshares',
  'microsoft.hdinsight/clusters',
  'microsoft.healthbot/healthbots',
  'microsoft.healthcareapis/services',
  'microsoft.healthcareapis/workspaces/dicomservices',
  'microsoft.healthcareapis/workspaces/fhirservices',
  'microsoft.kusto/clusters',
  'microsoft.loadtestservice/loadtests',
  'microsoft.machinelearningservices/workspaces',
  'microsoft.recoveryservices/vaults',
  'microsoft.storagecache/caches',
  'microsoft.synapse/workspaces',
]);

/** Effect of a revocation on a resource; undefined: the app does not know why its type names a key. */
export function describeWhenRevoked(type: string): string | undefined {
  const isKnown = UNDOCUMENTED.has(type.toLowerCase());
  return WHEN_REVOKED[type.toLowerCase()] ?? (isKnown ? NOT_DOCUMENTED : undefined);
}

const NOT_DOCUMENTED = 'Microsoft does not document when it stops or how to recover it.';

function sql(what: string): string {
  return `Its databases become inaccessible within ten minutes. They recover automatically within an hour if the key is restored within 30 minutes. Later, an operator must revalidate the ${what}, which loses its failover group, restore history and tags.`;
}

/** Maximum depth of properties that name a key. */
const DEEPEST = 12;

/**
 * A query for every resource that names a vault, of any type, so that unknown types are included. {@link findUseOfKey}
 * then filters for a key.
 */
export function createVaultUseQuery(vault: ManagedVault): string {
  const host = vault.uri.slice('https://'.length);
  // Some resources name the vault only by its ARM id.
  const id = `/${vault.kind === 'vault' ? 'vaults' : 'managedHSMs'}/${vault.name}`;
  return [
    'resources',
    `where tostring(properties) contains "${host}" or tostring(properties) contains "${id}"`,
    'project id, name, type, location, subscriptionId, identity, properties',
    'order by id asc',
  ].join(' | ');
}

interface NamedKey {
  readonly path: string;
  readonly name: string;
  readonly version: string | undefined;
}

/** The resource's use of a key; undefined if none. Resources of the vault itself do not count. */
export function findUseOfKey(row: GraphResource, key: ManagedKey): OtherDependent | undefined {
  return listUsesOfVault(row, key.vault).get(key.name.toLowerCase());
}

/** The resource's uses of every key of a vault, by lower-case key name. */
export function listUsesOfVault(
  { id, name, type, location, subscriptionId, properties }: GraphResource,
  vault: ManagedVault,
): Map<string, OtherDependent> {
  if (/^microsoft\.keyvault\//i.test(type)) return new Map();

  const effect = describeWhenRevoked(type);
  const known = effect === undefined ? { known: false } : { known: true, whenRevoked: effect };
  const named = Map.groupBy(keysNamed(properties, vault), (one) => one.name.toLowerCase());

  return new Map(
    [...named].map(([key, all]) => {
      const uses = all.map(({ path, version }) => ({ path, version }));
      return [key, { id, name, type, region: location, subscriptionId, uses, ...known }];
    }),
  );
}

/** The keys of a vault that the properties name, once per path and version. */
function keysNamed(properties: unknown, vault: ManagedVault): NamedKey[] {
  const found = new Map<string, NamedKey>();
  const visit = (value: unknown, path: string, depth: number): void => {
    if (depth > DEEPEST) return;
    for (const one of keysAt(path, value, vault)) found.set(`${path} ${one.name.toLowerCase()} ${one.version}`, one);
    if (Array.isArray(value)) {
      for (const each of value) visit(each, path, depth + 1);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, each] of Object.entries(value)) visit(each, path === '' ? name : `${path}.${name}`, depth + 1);
    }
  };

  visit(properties, '', 0);

  return [...found.values()];
}

/** Keys in a text that is a key identifier, or in an object with a vault and a key name. */
function keysAt(path: string, value: unknown, vault: ManagedVault): NamedKey[] {
  if (typeof value === 'string') {
    const named = parseKeyIdentifier(value.trim());
    return named?.vaultUri === vault.uri ? [{ path, name: named.keyName, version: named.version }] : [];
  }

  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];

  const fields = textsOf(value);
  const isOfVault = fields.some(
    ({ text }) => parseVault(text)?.vaultUri === vault.uri || isSameResource(text, vault.id),
  );
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

function textsOf(value: unknown): { readonly name: string; readonly text: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, text]) =>
    typeof text === 'string' ? [{ name, text: text.trim() }] : [],
  );
}
