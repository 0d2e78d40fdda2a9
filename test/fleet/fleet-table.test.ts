import { TableClient } from '@azure/data-tables';
import { describe, expect, it } from 'vitest';
import { useAzurite } from '../support/azurite.ts';

it('scratch', async () => {
  expect(1).toBe(1);
});
const azurite = useAzurite();
describe('codes', () => {
  it('shows', async () => {
    const t = TableClient.fromConnectionString(azurite.connectionString, 'nope', { allowInsecureConnection: true });
    const show = async (n: string, f: () => Promise<unknown>) => {
      try {
        console.log(n, await f());
      } catch (e) {
        const x = e as Record<string, unknown>;
        console.log(n, x.statusCode, x.code, x.message, JSON.stringify(x.details));
      }
    };
    await show('list', async () => {
      for await (const _ of t.listEntities()) {
      }
    });
    await show('get', () => t.getEntity('a', 'b'));
    await show('upsert', () => t.upsertEntity({ partitionKey: 'a', rowKey: 'b' }));
    await show('tx', () =>
      t.submitTransaction([
        ['upsert', { partitionKey: 'a', rowKey: 'b' }],
        ['upsert', { partitionKey: 'a', rowKey: 'c' }],
      ]),
    );
    await t.createTable();
    await t.createTable();
    await show('get', () => t.getEntity('a', 'b'));
    await show('del', () => t.deleteEntity('a', 'b'));
    await show('upd', () => t.updateEntity({ partitionKey: 'a', rowKey: 'b' }, 'Merge', { etag: '*' }));
    await show('txdel', () =>
      t.submitTransaction([
        ['upsert', { partitionKey: 'a', rowKey: 'b', x: '' }],
        ['delete', { partitionKey: 'a', rowKey: 'c' }],
      ]),
    );
    await show('txupd', () =>
      t.submitTransaction([
        ['upsert', { partitionKey: 'a', rowKey: 'b', x: '' }],
        ['update', { partitionKey: 'a', rowKey: 'c' }, 'Merge'],
      ]),
    );
    await show('get', () => t.getEntity('a', 'b'));
  });
});
