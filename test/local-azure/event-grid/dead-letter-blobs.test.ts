import { BlobServiceClient } from '@azure/storage-blob';
import { expect, it } from 'vitest';
import { deadLetterBlobs } from '../../../local/azure/event-grid/dead-letter-blobs-client.ts';
import { useAzurite } from '../../support/azurite.ts';

const azurite = useAzurite();

it('Event Grid writes a dead letter into the container that the event subscription names', async () => {
  const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(
    'cmk-deadletter',
  );
  await container.create();
  const id =
    '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st/blobServices/default/containers/cmk-deadletter';
  const body = '[{"deadletterreason":"MaxDeliveryAttemptsExceeded"}]';
  await deadLetterBlobs(azurite.connectionString)({ container: id, blobName: 'SUB/2026/11/24/16/e1.json', body });
  expect((await container.getBlobClient('SUB/2026/11/24/16/e1.json').downloadToBuffer()).toString()).toBe(body);
});
