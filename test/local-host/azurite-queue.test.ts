import { createRequire } from 'node:module';
import { type QueueClient, QueueServiceClient } from '@azure/storage-queue';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useAzurite } from '../support/azurite.ts';

/** What Azurite keeps everything in, as far as it is counted here. */
interface Loki {
  readonly Collection: { readonly prototype: Collection };
  readonly Comparators: Record<string, (...values: unknown[]) => unknown>;
  readonly LokiOps: Record<string, (...values: unknown[]) => unknown>;
}

interface Collection {
  remove(this: Collection, document: unknown): unknown;
  /** The indexes that are not in order. */
  checkAllIndexes(): readonly string[];
}

const loki = createRequire(createRequire(import.meta.url).resolve('azurite/package.json'))('lokijs') as Loki;

const azurite = useAzurite();
let queue: QueueClient;
let number = 0;
const restores: (() => void)[] = [];

beforeEach(async () => {
  number += 1;
  queue = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient(`queue-${number}`);
  await queue.create();
});
afterEach(() => {
  for (const restore of restores.splice(0)) restore();
});

/** Counts every comparison of two values. */
function countComparisons(): () => number {
  let count = 0;
  for (const functions of [loki.Comparators, loki.LokiOps]) {
    const before = { ...functions };
    restores.push(() => Object.assign(functions, before));
    for (const [name, compare] of Object.entries(before)) {
      functions[name] = (...values) => {
        count += 1;
        return compare(...values);
      };
    }
  }
  return () => count;
}

async function send(count: number, hidden = 0): Promise<void> {
  for (let sent = 0; sent < count; sent++) await queue.sendMessage(`message ${sent}`, { visibilityTimeout: hidden });
}

/** Everything that befalls a message that is done at the second time, and the looks at its queue meanwhile. */
async function oneMessage(): Promise<void> {
  await queue.sendMessage('one');
  await queue.peekMessages();
  const [first] = (await queue.receiveMessages({ visibilityTimeout: 600 })).receivedMessageItems;
  if (!first) throw new Error('The message was not handed out.');
  await queue.updateMessage(first.messageId, first.popReceipt, 'one, again', 0);
  const [second] = (await queue.receiveMessages({ visibilityTimeout: 600 })).receivedMessageItems;
  if (!second) throw new Error('The message was not handed out again.');
  await queue.deleteMessage(second.messageId, second.popReceipt);
}

describe('a queue of the local run', () => {
  it('compares each waiting message with little for a message that passes, however many wait', async () => {
    const comparisons = countComparisons();
    await send(100, 600);
    const from = comparisons();
    await oneMessage();
    const beside100 = comparisons() - from;
    await send(900, 600);
    const then = comparisons();
    await oneMessage();
    const beside1000 = comparisons() - then;
    // Six requests. Sorted anew, the messages were compared 114 times each, and more the more there are.
    expect(beside1000 / 1_000).toBeLessThan(30);
    expect(beside1000 / beside100).toBeLessThan(10);
  });
});
