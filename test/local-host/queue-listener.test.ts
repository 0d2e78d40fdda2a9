import { type QueueClient, QueueServiceClient } from '@azure/storage-queue';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { QueueSettings } from '../../local/host/host-json.ts';
import { QueueListener, type QueueListenerOptions } from '../../local/host/queue-listener.ts';
import { useAzurite } from '../support/azurite.ts';
import { eventually } from '../support/eventually.ts';

const azurite = useAzurite();

const SETTINGS: QueueSettings = {
  messageEncoding: 'base64',
  batchSize: 16,
  newBatchThreshold: 8,
  maxDequeueCount: 2,
  visibilityTimeoutMs: 0,
  maxPollingIntervalMs: 200,
};

let queue: QueueClient;
let poisonQueue: QueueClient;
let listener: QueueListener | undefined;
let number = 0;

beforeEach(async () => {
  const service = QueueServiceClient.fromConnectionString(azurite.connectionString);
  number += 1;
  queue = service.getQueueClient(`listened-${number}`);
  poisonQueue = service.getQueueClient(`listened-${number}-poison`);
  await queue.create();
});
afterEach(() => listener?.stop());

/** The texts that reach the function. */
function listen(options: Partial<QueueListenerOptions> = {}): string[] {
  const seen: string[] = [];
  listener = new QueueListener({
    functionName: 'fn',
    queue,
    poisonQueue,
    settings: SETTINGS,
    run: async (_message, text) => {
      seen.push(text);
    },
    write: () => undefined,
    ...options,
  });

  listener.start();

  return seen;
}

const poisoned = () =>
  eventually('a poison message', async () => {
    if (!(await poisonQueue.exists())) return undefined;
    const { peekedMessageItems } = await poisonQueue.peekMessages();
    return peekedMessageItems[0]?.messageText;
  });
const count = async () => (await queue.getProperties()).approximateMessagesCount;

describe('base64, the default', () => {
  it('A message that is not base64 goes to the poison queue unchanged, without a call of its function', async () => {
    await queue.sendMessage('{"plain":1}');
    const seen = listen();
    expect(await poisoned()).toBe('{"plain":1}');
    expect(seen).toEqual([]);
    await eventually('the queue is empty', async () => (await count()) === 0);
  });
});

it('A listener that stops finishes its messages and fetches no more', async () => {
  await queue.sendMessage('YQ==');

  let started = false;
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });

  listen({
    run: async () => {
      started = true;
      await gate;
    },
  });

  await eventually('it runs', () => started);

  let stopped = false;
  const stopping = listener?.stop().then(() => {
    stopped = true;
  });

  await queue.sendMessage('Yg==');

  expect(stopped).toBe(false);

  release();
  await stopping;

  expect(await count()).toBe(1); // the first is deleted, the second still there
});
