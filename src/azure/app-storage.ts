import type { TokenCredential } from '@azure/identity';
import { BlobServiceClient, type StoragePipelineOptions } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';

/** By connection string, which is meant for development, or by the app's identity. URIs have no trailing slash. */
export type AppStorage =
  | { readonly connectionString: string }
  | { readonly accountName: string; readonly blobUri: string; readonly queueUri: string };

/** The blob service of the app's own storage; nothing is asked of it yet. */
export function appBlobs(
  { storage }: { readonly storage: AppStorage },
  credential: () => TokenCredential,
  retryOptions: NonNullable<StoragePipelineOptions['retryOptions']>,
): BlobServiceClient {
  return 'connectionString' in storage
    ? BlobServiceClient.fromConnectionString(storage.connectionString, { retryOptions })
    : new BlobServiceClient(storage.blobUri, credential(), { retryOptions });
}

/** The queue service of the app's own storage; nothing is asked of it yet. */
export function appQueues(
  { storage }: { readonly storage: AppStorage },
  credential: () => TokenCredential,
  retryOptions: NonNullable<StoragePipelineOptions['retryOptions']> = {},
): QueueServiceClient {
  return 'connectionString' in storage
    ? QueueServiceClient.fromConnectionString(storage.connectionString, { retryOptions })
    : new QueueServiceClient(storage.queueUri, credential(), { retryOptions });
}
