import { TableClient } from '@azure/data-tables';
import { beforeEach, describe, expect, it } from 'vitest';
import { createMovedUses } from '../../src/controller/moved-uses.ts';
import { createFleetIndex, type FleetAccount } from '../../src/index/fleet-index.ts';
import { formatAccountRow, formatKeyPartition, formatSubscriptionPartition } from '../../src/index/fleet-keys.ts';
import { createControlTable, createFleetTable, FLEET_TABLE } from '../../src/index/fleet-table-client.ts';
import { createUseRows, type UseRow } from '../../src/index/use-row.ts';
import { useAzurite } from '../support/azurite.ts';
import { forgetFleet } from '../support/wire.ts';

const azurite = useAzurite();
const none = () => {
  throw new Error('A connection string needs no credential.');
};
const rows = () => createFleetTable({ storage: { connectionString: azurite.connectionString } }, none);
const index = () => createFleetIndex(rows());
const uses = () => createUseRows(rows());
const table = () =>
  TableClient.fromConnectionString(azurite.connectionString, FLEET_TABLE, { allowInsecureConnection: true });
beforeEach(() => forgetFleet(azurite.connectionString));

const SUBSCRIPTION = '00000000-0000-4000-8000-000000000001';
const KEY = 'https://kv-files.vault.azure.net/keys/files-key';
const VERSION = '0'.repeat(31);
const NOW = '2026-06-01T12:00:00.000Z';
const account = (name: string, group = 'rg') =>
  `/subscriptions/${SUBSCRIPTION}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/${name}`;
const use = (name: string, more: Partial<UseRow> = {}): UseRow => ({
  key: KEY,
  account: account(name),
  location: 'westeurope',
  mode: 'pinned',
  pinned: `${VERSION}1`,
  current: `${VERSION}1`,
  readOn: NOW,
  at: NOW,
  state: 'pending',
  attempts: 0,
  ...more,
});
const known = (name: string, more: Partial<FleetAccount> = {}): FleetAccount => ({
  account: account(name),
  location: 'westeurope',
  key: KEY,
  scopeKeys: [],
  writtenOn: NOW,
  ...more,
});
async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const read: T[] = [];
  for await (const row of rows) read.push(row);
  return read;
}

describe('The table', () => {
  it('The table reads only its own properties of a use: a writer of the table may add a megabyte to each row', async () => {
    await uses().put([use('st1')]);
    const { partitionKey, rowKey } = {
      partitionKey: formatKeyPartition(KEY),
      rowKey: formatAccountRow(account('st1')),
    };
    await table().updateEntity({ partitionKey, rowKey, more: 'x'.repeat(30_000) }, 'Merge');
    const [row] = await all(rows().rows(partitionKey, undefined, ['key']));
    expect(row).toMatchObject({ partitionKey, rowKey, key: KEY });
    expect(row).not.toHaveProperty('more');
    expect(await all(uses().of(KEY))).toEqual([use('st1')]);
  });

  it('The table is empty while it does not exist, and is created by the first write', async () => {
    expect(await all(uses().of(KEY))).toEqual([]);
    expect(await index().listings()).toEqual(new Map());
    expect(await index().account(account('st1'))).toBeUndefined();
    await uses().drop([use('st1')]);
    await Promise.all([uses().put([use('st1')]), uses().put([use('st2')])]);
    expect(await all(uses().of(KEY))).toEqual([use('st1'), use('st2')]);
  });

  it('The table returns what was written, by key, account and subscription', async () => {
    const automatic = use('st1', { scope: 'scope-1', mode: 'automatic', pinned: undefined });
    const full = use('st1', { identity: '/subscriptions/x', wave: 'Wave 1 – späth' });
    const scoped = { scopesReadOn: NOW, scopeKeys: [KEY] };
    const record = known('st1', scoped);

    await uses().put([full, automatic, use('st2', { key: `${KEY}2` })]);
    await index().write([known('st1'), { account: account('st1'), ...scoped }]);
    await index().listed(SUBSCRIPTION.toUpperCase(), new Date(NOW));

    expect(await all(uses().of(KEY))).toEqual([full, automatic]);
    expect(await all(uses().of(`${KEY}2`))).toEqual([use('st2', { key: `${KEY}2` })]);
    expect(await all(index().accounts(SUBSCRIPTION))).toEqual([record]);
    expect(await index().account(account('ST1', 'elsewhere'))).toEqual(record);
    expect(await index().listings()).toEqual(new Map([[SUBSCRIPTION, new Date(NOW)]]));

    await index().write([{ account: account('st1'), key: '' }]);

    expect(await index().account(account('st1'))).toEqual({ ...record, key: undefined });

    await index().write([{ account: account('st1'), isGone: true }]);

    expect(await all(index().accounts(SUBSCRIPTION))).toEqual([]);
  });

  it('The table stores every key that the scopes of an account use, however many, and deletes all of them', async () => {
    const name = (n: number) => `tenant-${'k'.repeat(100)}-${String(n).padStart(5, '0')}`;
    const keysOf = (count: number) =>
      Array.from({ length: count }, (_, n) => `https://kv-files.vault.azure.net/keys/${name(n)}`);
    const many = keysOf(10_000);
    const few = keysOf(200);
    const others = [known('st'), known('st10')];

    await index().write([...others, known('st1', { scopesReadOn: NOW, scopeKeys: many })]);

    expect((await index().account(account('st1')))?.scopeKeys).toEqual(many);

    const [, large, other] = await all(index().accounts(SUBSCRIPTION));
    expect([large?.scopeKeys.length, large?.scopesReadOn, other]).toEqual([10_000, NOW, known('st10')]);

    await index().write([{ account: account('st1'), scopeKeys: few, formerScopeKeys: many }]);

    expect((await index().account(account('st1')))?.scopeKeys).toEqual(few);

    await index().write([{ account: account('st1'), isGone: true, formerScopeKeys: few }]);

    expect(await all(index().accounts(SUBSCRIPTION))).toEqual(others);
    expect(await all(rows().rows(formatSubscriptionPartition(SUBSCRIPTION)))).toHaveLength(2);
  });

  it('The table clears fields that are absent when a use is written again', async () => {
    await uses().put([use('st1', { identity: 'old', wave: '1' })]);
    const automatic = use('st1', { mode: 'automatic', pinned: undefined });
    await uses().put([automatic]);
    expect(await all(uses().of(KEY))).toEqual([automatic]);
  });

  it('The table writes batches of more than a hundred, with deletes of missing rows, and returns rows page by page', async () => {
    const names = Array.from({ length: 1_205 }, (_, n) => `st${String(n).padStart(4, '0')}`);
    await uses().put(names.map((name) => use(name)));
    expect((await all(uses().of(KEY))).map(({ account: id }) => id)).toEqual(names.map((name) => account(name)));
    const absent = Array.from({ length: 30 }, (_, n) => use(`no${n}`));
    await uses().drop([...names.slice(0, 205).map((name) => use(name)), ...absent]);
    expect(await all(uses().of(KEY))).toHaveLength(1_000);
  });

  it('The table stores any name that ARM and Key Vault allow, and ignores letter case', async () => {
    const odd = account('st1', 'Größe(1)._-ü');
    const scope = "scope|with/every\\thing#?%'\u0007";
    await uses().put([use('st1', { account: odd }), use('st1', { account: odd, scope })]);
    await index().write([known('st1', { account: odd, scopesReadOn: NOW, scopeKeys: [KEY] })]);
    const upper = 'https://KV-FILES.vault.azure.net/keys/FILES-KEY';
    expect(await all(uses().of(upper))).toEqual([use('st1', { account: odd }), use('st1', { account: odd, scope })]);
    expect((await index().account(odd.toUpperCase()))?.scopeKeys).toEqual([KEY]);
    await uses().drop([{ key: upper, account: odd.toUpperCase(), scope: scope.toUpperCase() }]);
    expect(await all(uses().of(KEY))).toHaveLength(1);
  });
});

it('What a re-key moves is stored in the control zone, beside a work zone that does not answer', async () => {
  const work = {
    connectionString: azurite.connectionString.replace(/TableEndpoint=[^;]*/, 'TableEndpoint=http://127.0.0.1:1/x'),
  };
  const control = createControlTable({ storage: { connectionString: azurite.connectionString, work } }, none);
  expect(work.connectionString).toContain('127.0.0.1:1/');
  const moved = createMovedUses(control);
  await moved.put('rekey-1', use('st1'));
  expect(await all(moved.of('rekey-1'))).toMatchObject([{ account: account('st1') }]);
});

it('A row is created once, and written or deleted only while it is as it was read', async () => {
  const row = { partitionKey: 'work', rowKey: 'one' };
  const put = (value: string, etag?: string) => rows().writeIf({ ...row, properties: { value } }, etag);
  expect([await put('a'), await put('b')]).toEqual([true, false]);
  const read = async () => String((await rows().row('work', 'one'))?.etag);
  const first = await read();
  expect([await put('b', first), await put('c', first)]).toEqual([true, false]);
  expect([await rows().writeIf(row, first), await rows().writeIf(row, await read())]).toEqual([false, true]);
  expect(await rows().writeIf(row, first)).toBe(false);
});

describe('A damaged row', () => {
  const hostile: Record<string, Record<string, unknown>> = {
    'of another account': { account: account('st9') },
    'of another key': { key: 'https://kv-files.vault.azure.net/keys/other' },
    'of a key that is none': { key: 'https://evil.example/keys/files-key' },
    'of a resource that is no account': { account: '/subscriptions/../../x' },
    'of an unknown mode': { mode: 'both' },
    'of another type': { readOn: 7 },
  };

  it.each(Object.entries(hostile))('A damaged row is reported and left out: %s', async (_, wrong) => {
    await uses().put([use('st1'), use('st2')]);
    const keys = { partitionKey: formatKeyPartition(KEY), rowKey: formatAccountRow(account('st1')) };
    await table().updateEntity({ ...keys, ...wrong }, 'Merge');
    const corrupt: string[] = [];
    expect(await all(uses().of(KEY, undefined, (row) => corrupt.push(row)))).toEqual([use('st2')]);
    expect(corrupt).toEqual([keys.rowKey]);
  });

  it('A row with a part of the keys counts as an account whose scopes were never listed', async () => {
    const scopeKeys = Array.from({ length: 400 }, (_, n) => `${KEY}-${n}`);
    await index().write([known('st1', { scopesReadOn: NOW, scopeKeys })]);
    const stored = await all(rows().rows(formatSubscriptionPartition(SUBSCRIPTION)));
    const { partitionKey = '', rowKey = '' } = stored.at(-1) ?? {};
    await table().deleteEntity(partitionKey, rowKey);
    expect((await index().account(account('st1')))?.scopesReadOn).toBeUndefined();
    expect((await all(index().accounts(SUBSCRIPTION)))[0]?.scopesReadOn).toBeUndefined();
  });

  it('A row with invalid scopes counts as never listed', async () => {
    await index().write([known('st1', { scopesReadOn: NOW })]);
    const keys = { partitionKey: formatSubscriptionPartition(SUBSCRIPTION), rowKey: formatAccountRow(account('st1')) };
    await table().updateEntity({ ...keys, scopeKeys: '[[' }, 'Merge');
    expect(await index().account(account('st1'))).toEqual(known('st1'));
  });
});
