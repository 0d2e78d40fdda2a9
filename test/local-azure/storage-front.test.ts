import { QueueServiceClient } from '@azure/storage-queue';
import { afterEach, describe, expect, it } from 'vitest';
import { useAzurite } from '../support/azurite.ts';
import { eventually } from '../support/eventually.ts';
import { useLocalAzure } from '../support/local-azure.ts';

const azurite = useAzurite();
const local = useLocalAzure({ storage: () => azurite.connectionString });
const QUEUE = 'stcmkapp.queue.core.windows.net';

afterEach(() => local.azure.faults.clear());

const storage = () => local.azure.storage ?? '';
const queueOf = (name: string) =>
  QueueServiceClient.fromConnectionString(storage(), { retryOptions: { maxTries: 1 } }).getQueueClient(name);
/** What is in the queue, past the front. */
const held = async (name: string) => {
  const queue = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient(name);
  return (await queue.peekMessages({ numberOfMessages: 32 })).peekedMessageItems.map(({ messageText }) => messageText);
};

describe('the app’s storage', () => {
  it("A request to the app's storage is logged under its host in Azure, in a log of its own", async () => {
    const azure = local.azure.requests.last;
    const of = local.azure.storageRequests.last;
    await queueOf('logged').create();
    const answer = await fetch(`${local.azure.controlUrl}/requests?of=storage&since=${of}`);
    expect(await answer.json()).toMatchObject([
      { host: QUEUE, method: 'PUT', path: expect.stringMatching(/^\/logged(\?|$)/), status: 201 },
    ]);
    expect(local.azure.requests.last).toBe(azure);
    expect((await fetch(`${local.azure.controlUrl}/requests?of=else`)).status).toBe(400);
  });

  it.each([
    ['answer', { status: 503 }, [], /./],
    ['reset', true, [], /./],
    ['resetAfter', true, ['one'], /./],
    ['resetThenMs', 100, ['one'], /./],
    ['delayMs', 100, ['one'], undefined],
    ['delayAfterMs', 100, ['one'], undefined],
  ])("The fault %s applies to the app's storage", async (effect, value, wanted, refusal) => {
    const name = `fault-${effect.toLowerCase()}`;

    await queueOf(name).create();

    const match = { host: QUEUE, method: 'POST', path: `^/${name}/messages` };

    local.azure.faults.add([{ match, times: 1, [effect]: value }]);

    const sending = queueOf(name).sendMessage('one');
    if (refusal) await expect(sending).rejects.toThrow(refusal);
    else await sending;

    await eventually('what was sent is there, or is not', async () => (await held(name)).length === wanted.length);

    expect(await held(name)).toEqual(wanted);
    expect(local.azure.faults.list()).toEqual([]);
  });

  it("A fault that does not name the app's storage does not apply to it", async () => {
    await queueOf('spared').create();
    local.azure.faults.add([{ match: {}, answer: { status: 503 } }]);
    await queueOf('spared').sendMessage('one');
    expect(await held('spared')).toEqual(['one']);
  });
});
