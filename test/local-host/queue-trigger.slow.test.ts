import type { InvocationContext } from '@azure/functions';
import { type QueueClient, QueueServiceClient } from '@azure/storage-queue';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { useAzurite } from '../support/azurite.ts';
import { eventually } from '../support/eventually.ts';
import { useHost } from './fixture.ts';

const azurite = useAzurite();
const fixture = useHost({
  env: () => ({ AzureWebJobsStorage: azurite.connectionString, FIXTURE_QUEUE: 'work' }),
  hostJson: {
    extensions: {
      queues: {
        messageEncoding: 'none',
        batchSize: 4,
        newBatchThreshold: 2,
        maxDequeueCount: 2,
        visibilityTimeout: '00:00:01',
        maxPollingInterval: '00:00:00.200',
      },
    },
  },
  queueLeaseMs: 2_000,
});

let queues: QueueServiceClient;
let work: QueueClient;
let poison: QueueClient;

beforeAll(() => {
  queues = QueueServiceClient.fromConnectionString(azurite.connectionString);
  work = queues.getQueueClient('work');
  poison = queues.getQueueClient('work-poison');
});
beforeEach(() => work.createIfNotExists());
afterEach(async () => {
  for (const name of ['work', 'work-poison', 'fixture-return', 'fixture-extra']) {
    await queues.getQueueClient(name).deleteIfExists();
  }
});

const isEmpty = async () => ((await work.getProperties()).approximateMessagesCount ?? 0) === 0;
const peek = async (queue: QueueClient) => {
  const { peekedMessageItems } = await queue.peekMessages({ numberOfMessages: 32 });
  return peekedMessageItems.map(({ messageText }) => messageText);
};
const onQueue = (run: (input: unknown, context: InvocationContext) => unknown) => {
  fixture.handlers = { onQueue: run };
};

describe('a message', () => {
  it('A message reaches its function parsed, with metadata, and is deleted afterwards', async () => {
    const seen: [unknown, Record<string, unknown> | undefined][] = [];
    onQueue((input, context) => {
      seen.push([input, context.triggerMetadata]);
    });

    const { messageId } = await work.sendMessage('{"kind":"test"}');

    await eventually('the queue is empty', isEmpty);

    expect(seen).toEqual([
      [
        { kind: 'test' },
        {
          queueTrigger: { kind: 'test' },
          kind: 'test',
          id: messageId,
          dequeueCount: 1,
          popReceipt: expect.any(String),
          insertionTime: expect.stringMatching(/^\d{4}-.*\+00:00$/),
          expirationTime: expect.any(String),
          nextVisibleTime: expect.any(String),
        },
      ],
    ]);
  });

  it('A message whose function fails returns after the visibility timeout, and is poison after the last attempt', async () => {
    const attempts: { at: number; count: unknown }[] = [];

    onQueue((_input, context) => {
      attempts.push({ at: Date.now(), count: context.triggerMetadata?.dequeueCount });
      throw new Error('not today');
    });
    await work.sendMessage('{"a":1}');
    await eventually('the poison message', async () => (await poison.exists()) && (await peek(poison)).length > 0);

    expect(attempts.map(({ count }) => count)).toEqual([1, 2]);
    expect((attempts[1]?.at ?? 0) - (attempts[0]?.at ?? 0)).toBeGreaterThanOrEqual(900);
    expect(await peek(poison)).toEqual(['{"a":1}']);

    await eventually('the queue is empty', isEmpty);
  });

  it('A message stays hidden while its function works longer than the lease', async () => {
    let runs = 0;
    const started = Date.now();
    onQueue(async () => {
      runs += 1;
      await eventually('longer than a lease', () => Date.now() - started > 3_000);
    });
    await work.sendMessage('slow');
    await eventually('the queue is empty', isEmpty);
    expect(runs).toBe(1);
  });
});

it('The host fetches a full batch of messages, and the next one when the threshold is reached', async () => {
  let running = 0;
  let most = 0;
  let done = 0;
  const releases: (() => void)[] = [];
  const release = () => releases.shift()?.();

  // Without it the host would take nothing for the tests that follow.
  onTestFinished(() => {
    for (const release of releases) release();
  });

  onQueue(async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => releases.push(resolve));
    running -= 1;
    done += 1;
  });

  // Three at work are above the threshold: nothing is taken while the others are sent, so that they come as a batch.
  for (let index = 0; index < 3; index++) await work.sendMessage(`first ${index}`);

  await eventually('three at work', () => running === 3);
  for (let index = 0; index < 6; index++) await work.sendMessage(`then ${index}`);

  expect(running).toBe(3);

  release();
  await eventually('a whole batch beside those left over', () => running === 6); // 2 and 4 new ones

  for (let left = 5; left >= 3; left--) {
    release();
    await eventually('one less', () => running === left);
  }

  expect(done).toBe(4); // above the threshold: no new batch

  while (done < 9) {
    release();
    await eventually('progress', () => done === 9 || releases.length > 0);
  }

  expect(most).toBe(6);

  await eventually('the queue is empty', isEmpty);
});
