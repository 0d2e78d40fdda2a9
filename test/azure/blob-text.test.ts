import { BlobServiceClient, type ContainerClient, newPipeline } from '@azure/storage-blob';
import { expect, it } from 'vitest';
import { downloadText } from '../../src/azure/blobs.ts';
import { useAzurite } from '../support/azurite.ts';

// Several instances write the same small blobs: what one reads is what one of them wrote, whole.

const azurite = useAzurite();

/** A container with one blob, which somebody else writes anew after each request of a reader: the last text again and again. */
async function rewritten(name: string, first: string, ...next: string[]): Promise<ContainerClient> {
  const { credential, url } = BlobServiceClient.fromConnectionString(azurite.connectionString);
  const containerName = `c${process.hrtime.bigint()}`;
  const blob = new BlobServiceClient(url, credential).getContainerClient(containerName).getBlockBlobClient(name);
  const write = (text: string) => blob.upload(text, Buffer.byteLength(text));
  const pipeline = newPipeline(credential);
  pipeline.factories.push({
    create: (after) => ({
      async sendRequest(request) {
        const answer = await after.sendRequest(request);
        await write((next.length > 1 ? next.shift() : next[0]) ?? first);
        return answer;
      },
    }),
  });
  await new BlobServiceClient(url, credential).getContainerClient(containerName).create();
  await write(first);
  return new BlobServiceClient(url, pipeline).getContainerClient(containerName);
}

it.each([
  ['shorter', 'x'.repeat(500), 'y'],
  ['longer', 'x', 'y'.repeat(500)],
])('a blob that becomes %s meanwhile is read as it was', async (_, first, next) => {
  expect(await downloadText(await rewritten('a.json', first, next), 'a.json')).toBe(first);
});
