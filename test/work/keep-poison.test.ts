import { QueueServiceClient } from '@azure/storage-queue';
import { beforeEach, describe, expect, it } from 'vitest';
import { keepPoison } from '../../src/work/keep-poison-client.ts';
import { useAzurite } from '../support/azurite.ts';
import { unsending } from '../support/unsending.ts';

const azurite = useAzurite();
const service = () => QueueServiceClient.fromConnectionString(azurite.connectionString);
const poison = () => service().getQueueClient('key-work-poison');
const keep = () => keepPoison(service());
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
    const kept = await keep();
    expect(kept.map(({ text }) => text).sort()).toEqual([...texts].sort());
    expect(new Set(kept.map(({ queue }) => queue))).toEqual(new Set(['key-work']));
    expect(await count()).toBe(71);

    // A second look finds nothing left to do.
    expect(await keep()).toEqual([]);
    expect(await count()).toBe(71);
  });

  it('that stay for good are not even touched', async () => {
    await poison().sendMessage('for good', { messageTimeToLive: -1 });
    expect(await keep()).toEqual([]);
    const { peekedMessageItems } = await poison().peekMessages();
    expect(peekedMessageItems).toMatchObject([{ messageText: 'for good', dequeueCount: 0 }]);
  });

  it('that cannot be put back stay where they are', async () => {
    await poison().sendMessage('one');
    await expect(keepPoison(unsending(azurite.connectionString))).rejects.toThrow('queue down');
    expect(await count()).toBe(1);
  });

  it('of a queue that is not there are none', async () => {
    await poison().delete();
    expect(await keep()).toEqual([]);
  });
});
