import { BlobServiceClient } from '@azure/storage-blob';
import type { DeadLetter } from './dead-letter.ts';

/**
 * Writes dead letters to one real blob service, in place of every storage account. The container is the last part of
 * the ARM id that the event subscription names.
 */
export function deadLetterBlobs(connectionString: string): (letter: DeadLetter) => Promise<void> {
  const service = BlobServiceClient.fromConnectionString(connectionString);
  return async ({ container, blobName, body }) => {
    const name = container.slice(container.lastIndexOf('/') + 1);
    const blob = service.getContainerClient(name).getBlockBlobClient(blobName);
    await blob.upload(body, Buffer.byteLength(body), { blobHTTPHeaders: { blobContentType: 'application/json' } });
  };
}
