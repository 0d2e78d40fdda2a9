/**
 * A type of resource that can use a customer-managed key. A new type is one entry of {@link KEY_USER_TYPES}: queries,
 * texts, checks, event subscriptions and `infra/key-users.json` come from it.
 */
export interface KeyUserType {
  /** As its provider spells it. */
  readonly type: string;
  /** Effect of a revocation and of a restore. Absent: Microsoft does not document it. */
  readonly whenRevoked?: string;
  /**
   * API version that reports the key version in use. Absent: the type has no version, is a child resource, which
   * Resource Graph does not list, or its key changes through an action. The app then learns of changes from the hourly
   * check alone.
   */
  readonly apiVersion?: string;
  /** Child resource that sets the key. Absent: the resource itself sets it. */
  readonly keySetBy?: string;
  /** What an expired key stops. Absent: nothing that Microsoft documents; Storage keeps working with an expired key. */
  readonly stopsOnExpiry?: string;
  /** Microsoft's pages contradict each other on the effect of an expiry; one recommends keys without expiry. */
  readonly isExpiryDisputed?: true;
  /**
   * Why a resource may need a version after it stops naming it. A log without requests does not prove the version unused
   * for such a type.
   */
  readonly holdsOldVersions?: string;
  /** It names its key without the version in use. */
  readonly hidesVersion?: true;
  /** Property with the keys that it is moving away from. */
  readonly previousKeys?: string;
  /** The custom role of `infra/` cannot read it; the app finds it only with the built-in Reader. */
  readonly isOutsideRole?: true;
}

const BACKUPS = 'may have backups or recovery points that need an old version.';
const NOT_REENCRYPTED = 'does not re-encrypt its data when its key changes, and may need an old version.';
const UNUSABLE = 'It cannot be used until the key is restored, unless it has another key.';

/**
 * Every type that supports customer-managed keys, by name. Sources: each service's page on customer-managed keys; for
 * types without such a page the API specifications of the resource providers, and aliases of Azure Policy. Excluded are
 * child resources that Resource Graph does not list (encryption scopes, protectors of SQL servers).
 */
export const KEY_USER_TYPES: readonly KeyUserType[] = [
  {
    type: 'Microsoft.AppConfiguration/configurationStores',
    apiVersion: '2024-06-01',
    whenRevoked: 'Its data becomes unreadable within an hour, and readable again within an hour of the restore.',
    stopsOnExpiry: 'the App Configuration store',
  },
  {
    type: 'Microsoft.Automation/automationAccounts',
    apiVersion: '2024-10-23',
    holdsOldVersions: NOT_REENCRYPTED,
  },
  {
    type: 'Microsoft.Batch/batchAccounts',
    apiVersion: '2025-06-01',
    whenRevoked:
      'Azure rejects every operation except deleting the account. Nodes of running pools become unavailable and their tasks are requeued. The account works again within ten minutes of the restore.',
  },
  {
    type: 'Microsoft.Cache/redisEnterprise',
    apiVersion: '2025-07-01',
  },
  {
    type: 'Microsoft.CognitiveServices/accounts',
    apiVersion: '2026-05-01',
    whenRevoked: 'Deployed fine-tuned models keep working. Microsoft does not document when the other functions stop.',
    holdsOldVersions: NOT_REENCRYPTED,
  },
  {
    type: 'Microsoft.Compute/diskEncryptionSets',
    apiVersion: '2026-03-02',
    whenRevoked:
      'Virtual machines with such a disk shut down, and disks fail about an hour later. They boot again once the key is enabled or the set has another key.',
    stopsOnExpiry: 'the virtual machines on the disk encryption set',
    previousKeys: 'previousKeys',
  },
  {
    type: 'Microsoft.ContainerInstance/containerGroups',
  },
  {
    type: 'Microsoft.ContainerRegistry/registries',
    apiVersion: '2025-11-01',
    whenRevoked: 'Its data cannot be read until the key is restored.',
  },
  {
    type: 'Microsoft.ContainerService/managedClusters',
    apiVersion: '2026-05-01',
    whenRevoked: 'The cluster may be lost if the key is not restored.',
    holdsOldVersions: 'may have Kubernetes secrets that are still encrypted with an old version.',
  },
  {
    type: 'Microsoft.DataFactory/factories',
    apiVersion: '2018-06-01',
  },
  {
    type: 'Microsoft.DataProtection/backupVaults',
    apiVersion: '2026-03-01',
    whenRevoked: 'Backups, restores, tiering and the expiry of restore points fail until the key is restored.',
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.Databricks/workspaces',
    apiVersion: '2026-01-01',
    whenRevoked: 'It stops when its cached key expires.',
    holdsOldVersions: NOT_REENCRYPTED,
  },
  {
    type: 'Microsoft.DBforMySQL/flexibleServers',
    apiVersion: '2024-12-30',
    whenRevoked:
      'It rejects connections within ten minutes. After the restore, an operator must also revalidate its data encryption.',
    isExpiryDisputed: true,
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.DBforPostgreSQL/flexibleServers',
    apiVersion: '2025-08-01',
    whenRevoked: 'It becomes inaccessible within 60 minutes, and is ready again within 60 minutes of the restore.',
    stopsOnExpiry: 'the PostgreSQL server',
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.Devices/iotHubs',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.DeviceUpdate/accounts',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.DocumentDB/databaseAccounts',
    whenRevoked: 'Azure rejects every operation except deleting the account until the key is restored.',
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.ElasticSan/elasticSans/volumeGroups',
  },
  {
    type: 'Microsoft.EventHub/namespaces',
    apiVersion: '2026-01-01',
    whenRevoked: UNUSABLE,
  },
  {
    // API specification "stable/2026-09-01". Azure's page on customer-managed keys omits this provider.
    type: 'Microsoft.FileShares/fileShares',
    hidesVersion: true,
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.HDInsight/clusters',
  },
  {
    type: 'Microsoft.HealthBot/healthBots',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.HealthcareApis/services',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.HealthcareApis/workspaces/dicomServices',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.HealthcareApis/workspaces/fhirServices',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.Kusto/clusters',
    apiVersion: '2025-02-14',
  },
  {
    type: 'Microsoft.LoadTestService/loadTests',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.MachineLearningServices/workspaces',
    apiVersion: '2026-05-01',
  },
  {
    type: 'Microsoft.NetApp/netAppAccounts',
    whenRevoked: 'After the restore, access to its volumes requires a support ticket with Microsoft.',
  },
  {
    type: 'Microsoft.OperationalInsights/clusters',
    apiVersion: '2025-07-01',
    whenRevoked:
      'Within an hour, queries fail and new data is dropped permanently. Ingestion and queries resume within 30 minutes of the restore.',
  },
  {
    type: 'Microsoft.RecoveryServices/vaults',
    apiVersion: '2026-05-01',
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.ServiceBus/namespaces',
    apiVersion: '2026-01-01',
    whenRevoked: UNUSABLE,
  },
  {
    type: 'Microsoft.Sql/managedInstances',
    apiVersion: '2025-01-01',
    keySetBy: 'encryptionProtector',
    whenRevoked: describeSqlRevocation('instance'),
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.Sql/servers',
    apiVersion: '2025-01-01',
    keySetBy: 'encryptionProtector',
    whenRevoked: describeSqlRevocation('server'),
    holdsOldVersions: BACKUPS,
  },
  {
    // The role for storage accounts reads it.
    type: 'Microsoft.Storage/storageAccounts',
    whenRevoked: 'Storage rejects requests for its data until the key is restored.',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.StorageCache/caches',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.Synapse/workspaces',
    holdsOldVersions:
      'needs an old version until it has re-encrypted all of its data, and does not report its progress.',
  },
];

function describeSqlRevocation(what: string): string {
  return `Its databases become inaccessible within ten minutes. They recover automatically within an hour if the key is restored within 30 minutes. Later, an operator must revalidate the ${what}, which loses its failover group, restore history and tags.`;
}

const BY_LOWER_CASE = new Map(KEY_USER_TYPES.map((entry) => [entry.type.toLowerCase(), entry]));

/** Undefined: the app does not know why resources of this type name a key. @param type in any letter case */
export function findKeyUserType(type: string): KeyUserType | undefined {
  return BY_LOWER_CASE.get(type.toLowerCase());
}

const NOT_DOCUMENTED = 'Microsoft does not document when it stops or how to recover it.';

/** Effect of a revocation on a resource; undefined: the app does not know why its type names a key. */
export function describeWhenRevoked(type: string): string | undefined {
  const entry = findKeyUserType(type);
  return entry && (entry.whenRevoked ?? NOT_DOCUMENTED);
}

/** Types of resources and child resources that set the key of a key user whose version the app can read at once. */
export function listKeySettingTypes(): string[] {
  const readable = KEY_USER_TYPES.filter(({ apiVersion }) => apiVersion !== undefined);
  return readable.map(({ type, keySetBy }) => (keySetBy === undefined ? type : `${type}/${keySetBy}`));
}

/** Azure RBAC actions with which the custom role of `infra/` reads the key users: `infra/key-users.json`. */
export function listReadActions(): string[] {
  return KEY_USER_TYPES.filter(({ isOutsideRole }) => !isOutsideRole).map(({ type }) => `${type}/read`);
}

/** Whether the property is one with keys that a resource is moving away from. @param path below `properties` */
export function isPreviousKey(type: string, path: string): boolean {
  const property = findKeyUserType(type)?.previousKeys?.toLowerCase();
  const [first] = path.toLowerCase().split('.');
  return property !== undefined && first === property;
}
