import { BlobServiceClient } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';

/** What infra/ creates in the app's storage account. The triggers do not create it. */
const APP_QUEUES = [
  'key-work',
  'fleet-work',
  'notify-work',
  'key-work-poison',
  'fleet-work-poison',
  'notify-work-poison',
] as const;
const APP_CONTAINERS = ['cmk-audit', 'cmk-drift', 'cmk-deadletter', 'cmk-leases', 'cmk-control'] as const;

/** Creates the queues and containers that infra/ creates in Azure. */
export async function createAppStorage(connectionString: string): Promise<void> {
  const queues = QueueServiceClient.fromConnectionString(connectionString);
  const blobs = BlobServiceClient.fromConnectionString(connectionString);
  await Promise.all([
    ...APP_QUEUES.map((name) => queues.getQueueClient(name).createIfNotExists()),
    ...APP_CONTAINERS.map((name) => blobs.getContainerClient(name).createIfNotExists()),
  ]);
}
