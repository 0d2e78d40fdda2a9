import { ManagedIdentityCredential } from '@azure/identity';
import { QueueServiceClient } from '@azure/storage-queue';
import { beforeEach, describe, expect, it } from 'vitest';
import { WORK_QUEUES } from '../../src/work/messages.ts';
import { createWorkQueue } from '../../src/work/work-queue-client.ts';
import { useAzurite } from '../support/azurite.ts';

const azurite = useAzurite();
const queue = (name: string) => QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient(name);
const ages = (now: Date) => createWorkQueue({ storage: azurite }, () => new ManagedIdentityCredential()).ages(now);
const later = (seconds: number) => new Date(Date.now() + seconds * 1_000);

beforeEach(async () => {
  for (const name of WORK_QUEUES) {
    await queue(name).createIfNotExists();
    await queue(name).clearMessages();
  }
});

describe('the age of a queue', () => {
  it('The age of a queue is 0 when nothing waits, or all of it is for later', async () => {
    await queue('key-work').sendMessage('{}', { visibilityTimeout: 60 });
    const none = { 'key-work': 0, 'fleet-work': 0, 'notify-work': 0 };
    expect(Object.fromEntries(await ages(later(100)))).toEqual(none);
  });

  it('The age of a queue is that of its oldest message, in seconds', async () => {
    await queue('key-work').sendMessage('rubbish');
    await queue('key-work').sendMessage('{"kind":"key"}');
    const seconds = (await ages(later(100))).get('key-work') ?? 0;
    expect(seconds).toBeGreaterThan(95);
    expect(seconds).toBeLessThan(115);
  });

  it('The age of a message that was hidden counts from the time when it is due', async () => {
    const due = later(70);
    await queue('fleet-work').sendMessage(JSON.stringify({ kind: 'subscriptions', due: due.toISOString() }));
    expect((await ages(new Date(due.getTime() + 30_000))).get('fleet-work')).toBe(30);
    expect((await ages(new Date(due.getTime() - 10_000))).get('fleet-work')).toBe(0);
  });

  it('The age of a queue that does not exist cannot be read', async () => {
    await queue('key-work').delete();
    await expect(ages(new Date())).rejects.toMatchObject({ statusCode: 404 });
  });
});
