import { TableClient } from '@azure/data-tables';
import { beforeEach, describe, expect, it } from 'vitest';
import { createFleetIndex } from '../../src/fleet/create-fleet-index.ts';
import type { FleetAccount, FleetChange, FleetIndex, FleetUse } from '../../src/fleet/fleet-index.ts';
import { accountRow, keyPartition, subscriptionPartition } from '../../src/fleet/fleet-keys.ts';
import { createFleetTable, FLEET_TABLE } from '../../src/fleet/fleet-table-client.ts';
import { useAzurite } from '../support/azurite.ts';
import { forgetFleet } from '../support/wire.ts';

const azurite = useAzurite();
const index = (): FleetIndex =>
  createFleetIndex(
    createFleetTable({ storage: { connectionString: azurite.connectionString } }, () => {
      throw new Error('A connection string needs no credential.');
    }),
  );
const table = () =>
  TableClient.fromConnectionString(azurite.connectionString, FLEET_TABLE, { allowInsecureConnection: true });
beforeEach(() => forgetFleet(azurite.connectionString));

const SUBSCRIPTION = '00000000-0000-4000-8000-000000000001';
const KEY = 'https://kv-files.vault.azure.net/keys/files-key';
const VERSION = '0'.repeat(31);
const NOW = '2026-06-01T12:00:00.000Z';
const account = (name: string, group = 'rg') =>
  `/subscriptions/${SUBSCRIPTION}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/${name}`;
const use = (name: string, more: Partial<FleetUse> = {}): FleetUse => ({
  key: KEY,
  account: account(name),
  location: 'westeurope',
  mode: 'pinned',
  pinned: `${VERSION}1`,
  current: `${VERSION}1`,
  readOn: NOW,
  ...more,
});
const known = (name: string, more: Partial<FleetAccount> = {}): FleetAccount => ({
  account: account(name),
  location: 'westeurope',
  key: KEY,
  scopeUses: [],
  own: 'own',
  writtenOn: NOW,
  ...more,
});
const puts = (...uses: readonly FleetUse[]): FleetChange[] => uses.map((one) => ({ put: 'use', use: one }));
async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const read: T[] = [];
  for await (const row of rows) read.push(row);
  return read;
}

describe('The table', () => {
  it('is empty while it does not exist, and is created by the first write', async () => {
    expect(await all(index().uses(KEY))).toEqual([]);
    expect(await index().listings()).toEqual(new Map());
    expect(await index().account(account('st1'))).toBeUndefined();
    await index().write([{ drop: 'use', of: use('st1') }]);
    await Promise.all([index().write(puts(use('st1'))), index().write(puts(use('st2')))]);
    expect(await all(index().uses(KEY))).toEqual([use('st1'), use('st2')]);
  });

  it('returns what was written, by key, account and subscription', async () => {
    const scope = use('st1', { scope: 'scope-1', mode: 'automatic' });
    const { pinned: _, ...automatic } = scope;
    const full = use('st1', { identity: '/subscriptions/x', wave: 'Wave 1 – späť' });
    const record = known('st1', {
      scopes: 'some',
      scopesReadOn: NOW,
      scopeUses: [{ scope: 'scope-1', key: KEY }],
    });
    await index().write([
      ...puts(full, automatic, use('st2', { key: `${KEY}2` })),
      { put: 'account', account: record },
    ]);
    await index().listed(SUBSCRIPTION.toUpperCase(), new Date(NOW));
    expect(await all(index().uses(KEY))).toEqual([full, automatic]);
    expect(await all(index().uses(`${KEY}2`))).toEqual([use('st2', { key: `${KEY}2` })]);
    expect(await all(index().accounts(SUBSCRIPTION))).toEqual([record]);
    expect(await index().account(account('ST1', 'elsewhere'))).toEqual(record);
    expect(await index().listings()).toEqual(new Map([[SUBSCRIPTION, new Date(NOW)]]));
  });

  it('clears fields that are absent when a use is written again', async () => {
    await index().write(puts(use('st1', { identity: 'old', wave: '1' })));
    const { pinned: _, ...automatic } = use('st1', { mode: 'automatic' });
    await index().write(puts(automatic));
    expect(await all(index().uses(KEY))).toEqual([automatic]);
  });

  it('writes batches of more than a hundred, with deletes of missing rows, and returns rows page by page', async () => {
    const names = Array.from({ length: 1_205 }, (_, n) => `st${String(n).padStart(4, '0')}`);
    await index().write(names.flatMap((name) => puts(use(name))));
    expect((await all(index().uses(KEY))).map(({ account: id }) => id)).toEqual(names.map((name) => account(name)));
    const absent = Array.from({ length: 30 }, (_, n): FleetChange => ({ drop: 'use', of: use(`no${n}`) }));
    const dropped = names.slice(0, 205).map((name): FleetChange => ({ drop: 'use', of: use(name) }));
    await index().write([...dropped, ...absent, ...puts(use('new'))]);
    expect(await all(index().uses(KEY))).toHaveLength(1_001);
  });

  it('stores any name that ARM and Key Vault allow, and ignores letter case', async () => {
    const odd = account('st1', 'Größe(1)._-ü');
    const scope = "scope|with/every\\thing#?%'\u0007";
    await index().write([
      ...puts(use('st1', { account: odd }), use('st1', { account: odd, scope })),
      {
        put: 'account',
        account: known('st1', { account: odd, scopes: 'some', scopesReadOn: NOW, scopeUses: [{ scope, key: KEY }] }),
      },
    ]);
    const upper = 'https://KV-FILES.vault.azure.net/keys/FILES-KEY';
    expect(await all(index().uses(upper))).toEqual([use('st1', { account: odd }), use('st1', { account: odd, scope })]);
    expect((await index().account(odd.toUpperCase()))?.scopeUses).toEqual([{ scope, key: KEY }]);
    await index().write([{ drop: 'use', of: { key: upper, account: odd.toUpperCase(), scope: scope.toUpperCase() } }]);
    expect(await all(index().uses(KEY))).toHaveLength(1);
  });

  it('stores thousands of scopes of one account', async () => {
    const scopeUses = Array.from({ length: 3_000 }, (_, n) => ({ scope: `scope-${n}`, key: KEY }));
    const record = known('st1', { scopes: 'some', scopesReadOn: NOW, scopeUses });
    await index().write([{ put: 'account', account: record }]);
    expect(await index().account(account('st1'))).toEqual(record);
    await index().write([{ put: 'account', account: known('st1', { scopes: 'none', scopesReadOn: NOW }) }]);
    expect((await index().account(account('st1')))?.scopeUses).toEqual([]);
  });
});

describe('A damaged row', () => {
  const hostile: Record<string, Record<string, unknown>> = {
    'of another account': { account: account('st9') },
    'of another key': { key: 'https://kv-files.vault.azure.net/keys/other' },
    'of a key that is none': { key: 'https://evil.example/keys/files-key' },
    'of a resource that is no account': { account: '/subscriptions/../../x' },
    'of a mode that there is not': { mode: 'both' },
    'of another type': { readOn: 7 },
  };
  it.each(Object.entries(hostile))('is reported and left out: %s', async (_, wrong) => {
    await index().write(puts(use('st1'), use('st2')));
    const keys = { partitionKey: keyPartition(KEY), rowKey: accountRow(account('st1')) };
    await table().updateEntity({ ...keys, ...wrong }, 'Merge');
    const corrupt: string[] = [];
    expect(await all(index().uses(KEY, (row) => corrupt.push(row)))).toEqual([use('st2')]);
    expect(corrupt).toEqual([keys.rowKey]);
  });

  it('with invalid scopes counts as never listed', async () => {
    await index().write([{ put: 'account', account: known('st1', { scopes: 'some', scopesReadOn: NOW }) }]);
    const keys = { partitionKey: subscriptionPartition(SUBSCRIPTION), rowKey: accountRow(account('st1')) };
    await table().updateEntity({ ...keys, scopeUses: '[[' }, 'Merge');
    expect(await index().account(account('st1'))).toEqual(known('st1'));
  });
});
