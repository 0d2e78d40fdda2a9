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
  /** How a resource shows that it follows new versions. Absent: Microsoft does not document that the type can follow. */
  readonly follows?: Follows;
  /** Name of the property that shows the version in use, beside the key as it was set. */
  readonly versionInUse?: string;
  /** The one write that makes it follow new versions. Absent: no provider documents one. */
  readonly follow?: FollowWrite;
  /**
   * Commands of `az` for a type that `cmk` does not write, one after another, with `{id}`, `{name}`, `{group}` and
   * `{subscription}` of the resource, `{vault}`, `{key}`, `{version}` and `{identifier}` of its key's newest version.
   */
  readonly byHand?: readonly ByHand[];
  /** What an operator has to do besides. */
  readonly byHandNote?: string;
  /** Reports from the field that contradict Microsoft's text, with their source. */
  readonly fieldReports?: string;
}

type ByHand = readonly [command: string, ...options: (readonly [option: string, value: string])[]];

const OF_GROUP = [
  ['--resource-group', '{group}'],
  ['--subscription', '{subscription}'],
] as const;

/** Reads the whole resource, changes one property, and writes it. */
function setProperty(path: string, value: string): readonly ByHand[] {
  return [['az resource update', ['--ids', '{id}'], ['--set', `properties.${path}=${value}`]]];
}

/** A PATCH that makes a resource follow new versions. Paths are below `properties`. */
export interface FollowWrite {
  /** Absent: `apiVersion` of the type. */
  readonly apiVersion?: string;
  /** Sent as they were read. */
  readonly keeps: readonly string[];
  /** Key identifiers, sent without their version. */
  readonly unversions?: readonly string[];
  /** Values to send. */
  readonly sets?: Readonly<Record<string, unknown>>;
  /** State in which the provider accepts the write. */
  readonly ready?: { readonly path: string; readonly value: string };
  /** RSA sizes that the service accepts. Absent: Microsoft does not document them. */
  readonly rsaSizes?: readonly number[];
  /** Where the provider documents the body. */
  readonly source: string;
}

/**
 * `versionless`: it names the key without a version. `flag`: a property below `properties` is true, and the key keeps its
 * version. `never`: an operator moves it to each version. `hidden`: a child resource decides, which Resource Graph does
 * not list.
 */
export type Follows = 'versionless' | 'never' | 'hidden' | { readonly flag: string };

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
    follows: 'versionless',
    apiVersion: '2024-06-01',
    whenRevoked: 'Its data becomes unreadable within an hour, and readable again within an hour of the restore.',
    stopsOnExpiry: 'the App Configuration store',
  },
  {
    type: 'Microsoft.Automation/automationAccounts',
    byHand: setProperty('encryption.keyVaultProperties.keyVersion', '{version}'),
    follows: 'never',
    apiVersion: '2024-10-23',
    holdsOldVersions: NOT_REENCRYPTED,
  },
  {
    type: 'Microsoft.Batch/batchAccounts',
    follow: {
      keeps: ['encryption.keySource'],
      unversions: ['encryption.keyVaultProperties.keyIdentifier'],
      rsaSizes: [2048, 3072, 4096],
      source: 'model of API version 2025-06-01, and "Customer-managed keys for Azure Batch"',
    },
    follows: 'versionless',
    apiVersion: '2025-06-01',
    whenRevoked:
      'Azure rejects every operation except deleting the account. Nodes of running pools become unavailable and their tasks are requeued. The account works again within ten minutes of the restore.',
  },
  {
    type: 'Microsoft.Cache/redisEnterprise',
    byHand: setProperty('encryption.customerManagedKeyEncryption.keyEncryptionKeyUrl', '{identifier}'),
    follows: 'never',
    apiVersion: '2025-07-01',
  },
  {
    type: 'Microsoft.CognitiveServices/accounts',
    byHand: setProperty('encryption.keyVaultProperties.keyVersion', '{version}'),
    follows: 'never',
    apiVersion: '2026-05-01',
    whenRevoked: 'Deployed fine-tuned models keep working. Microsoft does not document when the other functions stop.',
    holdsOldVersions: NOT_REENCRYPTED,
  },
  {
    type: 'Microsoft.Compute/diskEncryptionSets',
    follow: {
      keeps: ['activeKey.keyUrl', 'encryptionType'],
      sets: { rotationToLatestKeyVersionEnabled: true },
      rsaSizes: [2048, 3072, 4096],
      source: 'API specification, example DiskEncryptionSet_Update_WithRotationToLatestKeyVersionEnabled',
    },
    follows: { flag: 'rotationToLatestKeyVersionEnabled' },
    fieldReports:
      'Reports contradict Microsoft on an expired key: virtual machines kept running, and failed only when they were deallocated and started again (MicrosoftDocs/azure-docs issue 121652, pull request 123768).',
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
    follow: {
      keeps: ['encryption.status', 'encryption.keyVaultProperties.identity'],
      unversions: ['encryption.keyVaultProperties.keyIdentifier'],
      source: 'model of API version 2025-11-01, and "Rotate and revoke a customer-managed key"',
    },
    follows: 'versionless',
    versionInUse: 'versionedKeyIdentifier',
    apiVersion: '2025-11-01',
    whenRevoked: 'Its data cannot be read until the key is restored.',
  },
  {
    type: 'Microsoft.ContainerService/managedClusters',
    byHand: [['az aks update', ['--name', '{name}'], ...OF_GROUP, ['--azure-keyvault-kms-key-id', '{identifier}']]],
    byHandNote: 'Then rewrite every Kubernetes secret, or it is lost with the old version.',
    apiVersion: '2026-05-01',
    whenRevoked: 'The cluster may be lost if the key is not restored.',
    holdsOldVersions: 'may have Kubernetes secrets that are still encrypted with an old version.',
  },
  {
    type: 'Microsoft.DataFactory/factories',
    byHand: setProperty('encryption.keyVersion', '{version}'),
    apiVersion: '2018-06-01',
  },
  {
    type: 'Microsoft.DataProtection/backupVaults',
    follow: {
      keeps: ['securitySettings'],
      unversions: ['securitySettings.encryptionSettings.keyVaultProperties.keyUri'],
      rsaSizes: [2048, 3072, 4096],
      source: 'API specification, example PatchBackupVaultWithCMK',
    },
    follows: 'versionless',
    apiVersion: '2026-03-01',
    whenRevoked: 'Backups, restores, tiering and the expiry of restore points fail until the key is restored.',
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.Databricks/workspaces',
    byHand: setProperty('encryption.entities.managedServices.keyVaultProperties.keyVersion', '{version}'),
    follows: 'never',
    apiVersion: '2026-01-01',
    whenRevoked: 'It stops when its cached key expires.',
    holdsOldVersions: NOT_REENCRYPTED,
  },
  {
    type: 'Microsoft.DBforMySQL/flexibleServers',
    byHand: setProperty('dataEncryption.primaryKeyURI', '{identifier}'),
    apiVersion: '2024-12-30',
    whenRevoked:
      'It rejects connections within ten minutes. After the restore, an operator must also revalidate its data encryption.',
    isExpiryDisputed: true,
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.DBforPostgreSQL/flexibleServers',
    follow: {
      keeps: [
        'dataEncryption.type',
        'dataEncryption.primaryUserAssignedIdentityId',
        'dataEncryption.geoBackupUserAssignedIdentityId',
      ],
      unversions: ['dataEncryption.primaryKeyURI', 'dataEncryption.geoBackupKeyURI'],
      sets: { createMode: 'Update' },
      ready: { path: 'state', value: 'Ready' },
      rsaSizes: [2048, 3072, 4096],
      source: 'API specification, example ServersUpdateWithDataEncryptionEnabledAutoUpdate',
    },
    follows: 'versionless',
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
    follows: 'versionless',
    versionInUse: 'keyVaultKeyUriVersion',
    whenRevoked: 'Azure rejects every operation except deleting the account until the key is restored.',
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.ElasticSan/elasticSans/volumeGroups',
    follow: {
      apiVersion: '2025-09-01',
      keeps: [
        'encryption',
        'encryptionProperties.keyVaultProperties.keyName',
        'encryptionProperties.keyVaultProperties.keyVaultUri',
        'encryptionProperties.identity',
      ],
      sets: { 'encryptionProperties.keyVaultProperties.keyVersion': '' },
      source: 'API specification, example VolumeGroups_Update_MaximumSet_Gen',
    },
    follows: 'versionless',
    versionInUse: 'currentVersionedKeyIdentifier',
  },
  {
    type: 'Microsoft.EventHub/namespaces',
    follows: 'versionless',
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
    byHand: [
      [
        'az hdinsight rotate-disk-encryption-key',
        ['--name', '{name}'],
        ...OF_GROUP,
        ['--encryption-vault-uri', '{vault}'],
        ['--encryption-key-name', '{key}'],
        ['--encryption-key-version', '{version}'],
      ],
    ],
    follows: 'never',
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
    follow: {
      keeps: ['keyVaultProperties.keyVaultUri', 'keyVaultProperties.keyName', 'keyVaultProperties.userIdentity'],
      ready: { path: 'provisioningState', value: 'Succeeded' },
      rsaSizes: [2048],
      source: 'API specification, example KustoClusterUpdateCMKKeyRotation, without the version as its model says',
    },
    follows: 'versionless',
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
    follow: {
      keeps: ['keyVaultProperties.keyVaultUri', 'keyVaultProperties.keyName', 'keyVaultProperties.keyRsaSize'],
      sets: { 'keyVaultProperties.keyVersion': '' },
      ready: { path: 'provisioningState', value: 'Succeeded' },
      source: 'API specification, example ClustersUpdate, and "Azure Monitor customer-managed keys"',
    },
    follows: 'versionless',
    apiVersion: '2025-07-01',
    whenRevoked:
      'Within an hour, queries fail and new data is dropped permanently. Ingestion and queries resume within 30 minutes of the restore.',
  },
  {
    type: 'Microsoft.RecoveryServices/vaults',
    follows: 'versionless',
    apiVersion: '2026-05-01',
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.ServiceBus/namespaces',
    follows: 'versionless',
    apiVersion: '2026-01-01',
    whenRevoked: UNUSABLE,
  },
  {
    type: 'Microsoft.Sql/managedInstances',
    byHand: [
      ['az sql mi key create', ['--managed-instance', '{name}'], ...OF_GROUP, ['--kid', '{identifier}']],
      [
        'az sql mi tde-key set',
        ['--managed-instance', '{name}'],
        ...OF_GROUP,
        ['--server-key-type', 'AzureKeyVault'],
        ['--kid', '{identifier}'],
        ['--auto-rotation-enabled', 'true'],
      ],
    ],
    byHandNote: 'With geo-replication, change the secondary first.',
    follows: 'hidden',
    apiVersion: '2025-01-01',
    keySetBy: 'encryptionProtector',
    whenRevoked: describeSqlRevocation('instance'),
    holdsOldVersions: BACKUPS,
  },
  {
    type: 'Microsoft.Sql/servers',
    byHand: [
      ['az sql server key create', ['--server', '{name}'], ...OF_GROUP, ['--kid', '{identifier}']],
      [
        'az sql server tde-key set',
        ['--server', '{name}'],
        ...OF_GROUP,
        ['--server-key-type', 'AzureKeyVault'],
        ['--kid', '{identifier}'],
        ['--auto-rotation-enabled', 'true'],
      ],
    ],
    byHandNote: 'With geo-replication, change the secondary first.',
    follows: 'hidden',
    apiVersion: '2025-01-01',
    keySetBy: 'encryptionProtector',
    whenRevoked: describeSqlRevocation('server'),
    holdsOldVersions: BACKUPS,
  },
  {
    // The role for storage accounts reads it.
    type: 'Microsoft.Storage/storageAccounts',
    follows: 'versionless',
    versionInUse: 'currentVersionedKeyIdentifier',
    whenRevoked: 'Storage rejects requests for its data until the key is restored.',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.StorageCache/caches',
    isOutsideRole: true,
  },
  {
    type: 'Microsoft.Synapse/workspaces',
    byHandNote: 'Switch it to a temporary key and back: it re-encrypts all of its data each time.',
    follows: 'never',
    holdsOldVersions:
      'needs an old version until it has re-encrypted all of its data, and does not report its progress.',
  },
];

function describeSqlRevocation(what: string): string {
  return `Its databases become inaccessible within ten minutes. They recover automatically within an hour if the key is restored within 30 minutes. Later, an operator must revalidate the ${what}, which loses its failover group, restore history and tags.`;
}

/** Types that one write makes follow new versions. */
export function listFollowTypes(): string[] {
  return KEY_USER_TYPES.filter(({ follow }) => follow !== undefined).map(({ type }) => type);
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
