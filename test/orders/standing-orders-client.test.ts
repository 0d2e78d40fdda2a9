import { BlobServiceClient } from '@azure/storage-blob';
import { beforeEach, describe, expect, it } from 'vitest';
import { NO_ORDERS, withPause } from '../../src/orders/standing-orders.ts';
import { CONTROL_CONTAINER, createOrdersStore } from '../../src/orders/standing-orders-client.ts';
import { useAzurite } from '../support/azurite.ts';
import { day } from '../support/keys.ts';

const azurite = useAzurite();
const container = () =>
  BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(CONTROL_CONTAINER);
const store = () =>
  createOrdersStore({ storage: { connectionString: azurite.connectionString } }, () => {
    throw new Error('A connection string needs no credential.');
  });
const pause = (id: string, key?: string) => ({
  id,
  reason: 'a change',
  by: { objectId: 'o' },
  since: day(1).toISOString(),
  ...(key ? { key } : {}),
});

describe('The document of standing orders', () => {
  beforeEach(async () => {
    await container().deleteIfExists();
  });

  it('The document of standing orders has no orders before it is first written', async () => {
    expect(await store().read()).toEqual(NO_ORDERS);
  });

  it('The document of standing orders keeps the changes of concurrent writers', async () => {
    const keys = ['one', 'two', 'three', 'four'].map((name) => `https://kv.vault.azure.net/keys/${name}`);
    await Promise.all(keys.map((key, n) => store().change((orders) => withPause(orders, pause(`p${n}`, key), day(1)))));
    expect((await store().read()).pauses.map(({ id }) => id).sort()).toEqual(['p0', 'p1', 'p2', 'p3']);
  });

  it('The document of standing orders is not written when a change returns it unchanged', async () => {
    await store().change((orders) => orders);
    expect(await container().exists()).toBe(false);
  });

  it.each(['', '{"pauses": 1}'])(
    'A damaged document of standing orders is unreadable, and not empty: %j',
    async (text) => {
      await container().create();
      await container().getBlockBlobClient('orders.json').upload(text, text.length);
      await expect(store().read()).rejects.toMatchObject({ reason: 'PauseUnreadable' });
    },
  );
});
