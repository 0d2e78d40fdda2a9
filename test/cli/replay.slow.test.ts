import { QueueServiceClient } from '@azure/storage-queue';
import { beforeEach, describe, expect, it } from 'vitest';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { FLEET_WORK, KEY_WORK, type Work } from '../../src/work/messages.ts';
import { useAzurite } from '../support/azurite.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const azurite = useAzurite();
const queue = (name: string) => QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient(name);
const count = async (name: string) => (await queue(name).getProperties()).approximateMessagesCount;
const cmk = (args: readonly string[], options: CmkOptions = {}) =>
  runCmk(undefined, args, { env: { AzureWebJobsStorage: azurite.connectionString }, ...options });

const work = (n: number): Work => ({
  kind: 'subscriptions',
  subscriptions: [`11111111-1111-1111-1111-${String(n).padStart(12, '0')}`],
  tries: 0,
  cause: { by: 'KeyNewVersionCreated', ref: 'e1', since: '2026-01-01T00:00:00.000Z' },
});

beforeEach(async () => {
  await createAppStorage(azurite.connectionString);
  for (const name of [KEY_WORK, FLEET_WORK]) {
    await queue(name).clearMessages();
    await queue(`${name}-poison`).clearMessages();
  }
});

describe('cmk admin replay', () => {
  it('cmk admin replay returns poison messages to their queue, and prints how many', async () => {
    for (const n of [1, 2]) await queue('fleet-work-poison').sendMessage(JSON.stringify(work(n)));
    const ran = await cmk(['admin', 'replay', 'fleet-work']);
    expect(ran).toEqual({ code: 0, out: '2 messages of fleet-work-poison requeued to fleet-work.\n', err: '' });
    expect([await count('fleet-work'), await count('fleet-work-poison')]).toEqual([2, 0]);
  });

  it('cmk admin replay says that messages are hidden, and exits 1', async () => {
    await queue('fleet-work-poison').sendMessage(JSON.stringify(work(1)));
    await queue('fleet-work-poison').receiveMessages({ visibilityTimeout: 120 });
    expect(await cmk(['admin', 'replay', 'fleet-work'])).toMatchObject({
      code: 1,
      out: 'note\t1 more message of fleet-work-poison is hidden: the drift check or another replay has just read the queue. Run it again in two minutes.\n',
    });
  });

  it('cmk admin replay keeps what is not a message of the app, shows it, and exits 1', async () => {
    await queue('fleet-work-poison').sendMessage('rubbish');
    await queue('fleet-work-poison').sendMessage(JSON.stringify(work(1)));

    const { code, out } = await cmk(['admin', 'replay', 'fleet-work']);
    expect(code).toBe(1);

    expect(out.split('\n')).toEqual([
      '1 message of fleet-work-poison requeued to fleet-work.',
      'note\tNot a message of this app, still in fleet-work-poison: "rubbish"',
      '',
    ]);

    expect(await count('fleet-work-poison')).toBe(1);
  });

  const endpoint = 'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:1/a;';
  const badKey = () => azurite.connectionString.replace(/AccountKey=[^;]+/, 'AccountKey=a2V5');
  it.each([
    [
      'does not answer',
      5,
      () => endpoint,
      /^error: ServiceUnavailable: The app's storage does not answer at http:\/\/127\.0\.0\.1:1\/a: .*\n.*AzureWebJobsStorage/,
    ],
    [
      'has none of the queues',
      3,
      () => azurite.connectionString,
      /^error: NotFound: The queue key-work-poison does not exist in http:.*\nhint: Check that it is the app's storage account:/,
    ],
    ['denies access', 4, badKey, /^error: MissingPermission: .*key-work-poison.*\n.*Storage Queue Data Contributor/],
  ])('cmk admin replay says within seconds that the storage %s', async (_, code, AzureWebJobsStorage, says) => {
    await queue('key-work-poison').delete();
    const started = Date.now();
    const ran = await cmk(['admin', 'replay', 'key-work'], { env: { AzureWebJobsStorage: AzureWebJobsStorage() } });
    expect(ran).toEqual({ code, out: '', err: expect.stringMatching(says) });
    expect(Date.now() - started).toBeLessThan(20_000);
  });
});
