import { BlobServiceClient, type ContainerClient, newPipeline } from '@azure/storage-blob';
import { expect, it } from 'vitest';
import { headStore } from '../../src/audit/head-store-client.ts';
import type { SignedHead } from '../../src/audit/signed-head.ts';
import { downloadText } from '../../src/drift/store/blobs-client.ts';
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

it('so is the head of an audit trail', async () => {
  const head = (seq: number): SignedHead => ({
    v: 1,
    trail: 'https://st.blob.core.windows.net/cmk-audit',
    day: '2026-03-02',
    signedOn: '2026-03-02T10:00:00.000Z',
    file: '2026-03-02.jsonl',
    seq,
    hash: 'a'.repeat(64),
  });
  const [long, short] = [{ ...head(1), key: 'k'.repeat(300) }, head(2)];
  const texts = [long, long, long, short].map((one) => JSON.stringify(one));
  const [first = '', ...next] = texts;
  const [kept] = await headStore(await rewritten('2026-03-02.json', first, ...next)).newest(1);
  expect(kept?.head).toEqual(long);
});

it('what is no head, as it is too long, is not read', async () => {
  const container = await rewritten('2026-03-02.json', JSON.stringify('x'.repeat(70_000)));
  expect(await headStore(container).newest(1)).toEqual([{ day: '2026-03-02', head: undefined }]);
});
