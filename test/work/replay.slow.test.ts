import { QueueServiceClient } from '@azure/storage-queue';
import { beforeEach, describe, expect, it } from 'vitest';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { FLEET_WORK, KEY_WORK, type RevocationWork, type Work } from '../../src/work/messages.ts';
import { replay } from '../../src/work/work-queue-client.ts';
import { useAzurite } from '../support/azurite.ts';
import { unsending } from '../support/unsending.ts';

const azurite = useAzurite();
const service = () => QueueServiceClient.fromConnectionString(azurite.connectionString);

const CAUSE = { by: 'KeyNewVersionCreated', ref: 'e1', since: '2026-01-01T00:00:00.000Z' };
const KEY = 'https://kv-files.vault.azure.net/keys/files-key';
const revocationWork: RevocationWork = { kind: 'revocation', key: KEY, cause: CAUSE, attempt: 23 };
const fleetWork = (n: number): Work => ({
  kind: 'subscriptions',
  subscriptions: [`11111111-1111-1111-1111-${String(n).padStart(12, '0')}`],
  tries: 0,
  cause: CAUSE,
});

const put = (queue: string, ...messages: unknown[]) =>
  Promise.all(
    messages.map((message) =>
      service()
        .getQueueClient(queue)
        .sendMessage(typeof message === 'string' ? message : JSON.stringify(message)),
    ),
  );
const texts = async (queue: string) => {
  const { peekedMessageItems } = await service().getQueueClient(queue).peekMessages({ numberOfMessages: 32 });
  return peekedMessageItems.map(({ messageText }) => messageText);
};
const count = async (queue: string) => (await service().getQueueClient(queue).getProperties()).approximateMessagesCount;

beforeEach(async () => {
  await createAppStorage(azurite.connectionString);
  for (const queue of [KEY_WORK, FLEET_WORK]) {
    await service().getQueueClient(queue).clearMessages();
    await service().getQueueClient(`${queue}-poison`).clearMessages();
  }
});

describe('replay', () => {
  it('A replay puts poison messages back to work, as they were', async () => {
    await put('fleet-work-poison', fleetWork(1), fleetWork(2));

    expect(await replay(service(), FLEET_WORK)).toEqual({ replayed: 2, left: [] });

    const work = (await texts(FLEET_WORK))
      .map((text) => JSON.parse(text))
      .sort((a, b) => (a.subscriptions[0] < b.subscriptions[0] ? -1 : 1));
    expect(work).toEqual([fleetWork(1), fleetWork(2)]);
    expect(await count('fleet-work-poison')).toBe(0);
  });

  it('A replayed message of a revocation starts its attempts at zero', async () => {
    await put('key-work-poison', revocationWork);

    await replay(service(), KEY_WORK);

    const [text = ''] = await texts(KEY_WORK);
    expect(JSON.parse(text)).toEqual({ ...revocationWork, attempt: 0 });
  });

  it('A replay counts messages that another client has received for the moment', async () => {
    await put('fleet-work-poison', fleetWork(1), fleetWork(2));
    await service().getQueueClient('fleet-work-poison').receiveMessages({ visibilityTimeout: 120 });
    expect(await replay(service(), FLEET_WORK)).toEqual({ replayed: 1, left: [], hidden: 1 });
  });

  it('A replay deletes no message that it could not put back', async () => {
    await put('key-work-poison', revocationWork);
    await expect(replay(unsending(azurite.connectionString), KEY_WORK)).rejects.toThrow('queue down');
    expect(await count('key-work-poison')).toBe(1);
  });

  it("A replay leaves messages that are not the app's where they are, and says what they are", async () => {
    await put('fleet-work-poison', 'rubbish', { kind: 'account' }, fleetWork(1), revocationWork);
    const result = await replay(service(), FLEET_WORK);
    expect(result.replayed).toBe(1);
    expect([...result.left].sort()).toEqual(['rubbish', '{"kind":"account"}', JSON.stringify(revocationWork)].sort());
    expect(await count('fleet-work-poison')).toBe(3);
  });

  it('A replay puts back more messages than a queue returns at a time', async () => {
    await put('fleet-work-poison', ...Array.from({ length: 70 }, (_, n) => fleetWork(n)));
    expect(await replay(service(), FLEET_WORK)).toEqual({ replayed: 70, left: [] });
    expect(await count(FLEET_WORK)).toBe(70);
  });
});
