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
