import { QueueServiceClient } from '@azure/storage-queue';
import { beforeEach, describe, expect, it } from 'vitest';
import { keepPoison } from '../../src/work/keep-poison-client.ts';
import { useAzurite } from '../support/azurite.ts';

const azurite = useAzurite();
const poison = () =>
  QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient('key-work-poison');
const count = async () => (await poison().getProperties()).approximateMessagesCount;

beforeEach(async () => {
  await poison().createIfNotExists();
  await poison().clearMessages();
});

describe('poison messages', () => {
  it('that would expire are put back so that they do not, as they are, however many', async () => {
    const texts = Array.from({ length: 70 }, (_, n) => `{"n":${n}}`);
    for (const text of texts) await poison().sendMessage(text);
    await poison().sendMessage('for good', { messageTimeToLive: -1 });
    expect((await keepPoison(poison())).sort()).toEqual([...texts].sort());
    expect(await count()).toBe(71);

    // A second look finds nothing left to do.
    expect(await keepPoison(poison())).toEqual([]);
    expect(await count()).toBe(71);
  });

  it('that stay for good are not even touched', async () => {
    await poison().sendMessage('for good', { messageTimeToLive: -1 });
    expect(await keepPoison(poison())).toEqual([]);
    const { peekedMessageItems } = await poison().peekMessages();
    expect(peekedMessageItems).toMatchObject([{ messageText: 'for good', dequeueCount: 0 }]);
  });

  it('of a queue that is not there are none', async () => {
    await poison().delete();
    await expect(keepPoison(poison())).rejects.toMatchObject({ statusCode: 404 });
  });
});
