/**
 * Resource types of other services that report the key version in use, with the API version that reports it. Excluded
 * are types without a version (Cosmos DB, Synapse, NetApp) and child resources, which Resource Graph does not list.
 * HDInsight is excluded too: its key changes through an action.
 */
export const KEY_USER_TYPES = {
  'Microsoft.AppConfiguration/configurationStores': '2024-06-01',
  'Microsoft.Automation/automationAccounts': '2024-10-23',
  'Microsoft.Batch/batchAccounts': '2025-06-01',
  'Microsoft.Cache/redisEnterprise': '2025-07-01',
  'Microsoft.CognitiveServices/accounts': '2026-05-01',
  'Microsoft.Compute/diskEncryptionSets': '2026-03-02',
  'Microsoft.ContainerRegistry/registries': '2025-11-01',
  'Microsoft.ContainerService/managedClusters': '2026-05-01',
  'Microsoft.DataFactory/factories': '2018-06-01',
  'Microsoft.DataProtection/backupVaults': '2026-03-01',
  'Microsoft.Databricks/workspaces': '2026-01-01',
  'Microsoft.DBforMySQL/flexibleServers': '2024-12-30',
  'Microsoft.DBforPostgreSQL/flexibleServers': '2025-08-01',
  'Microsoft.EventHub/namespaces': '2026-01-01',
  'Microsoft.Kusto/clusters': '2025-02-14',
  'Microsoft.MachineLearningServices/workspaces': '2026-05-01',
  'Microsoft.OperationalInsights/clusters': '2025-07-01',
  'Microsoft.RecoveryServices/vaults': '2026-05-01',
  'Microsoft.ServiceBus/namespaces': '2026-01-01',
  'Microsoft.Sql/managedInstances': '2025-01-01',
  'Microsoft.Sql/servers': '2025-01-01',
} as const;

const API_VERSIONS = new Map<string, string>(
  Object.entries(KEY_USER_TYPES).map(([type, version]) => [type.toLowerCase(), version]),
);

/** Undefined if the type is not among {@link KEY_USER_TYPES}. */
export function findApiVersion(type: string): string | undefined {
  return API_VERSIONS.get(type.toLowerCase());
}
