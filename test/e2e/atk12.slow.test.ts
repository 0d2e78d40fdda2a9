import { TableClient } from '@azure/data-tables';
import { expect, it } from 'vitest';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../../local/azure/constants.ts';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { keyPartition, accountRow } from '../../src/fleet/fleet-keys.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';

const app = useApp({ instances: 2, env: { CMK_CANARY: '1', CMK_DRIFT_SCHEDULE: '0 0 0 1 1 *' } });

async function call(path: string, body?: object, signIn: 'operator' | 'revoker' = 'operator') {
  const principal = app.azure.world.principals.get(CLIENT_IDS[signIn]);
  if (!principal) throw new Error(`The local tenant has no sign-in ${signIn}.`);
  const response = await fetch(`${app.url}/api${path}`, {
    method: body ? 'POST' : 'GET',
    headers: {
      authorization: `Bearer ${app.azure.tokens.issue(principal, CMK_API_AUDIENCE).token}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const rotationOf = async (of: TestKey) => (await call(`/rotations/${of.vault.name}/${of.name}`)).body;
const inUse = (account: StorageAccount) =>
  account.encryption.keyvaultproperties?.currentVersionedKeyIdentifier?.split('/').at(-1);
const onVersion = (accounts: readonly StorageAccount[], version: string) =>
  accounts.filter((account) => inUse(account) === version).length;
const rotate = (of: TestKey) => {
  app.azure.clock.advance(1_000);
  return rotateKey(app.azure.world, of.vault, of.name);
};
const inTime = (what: string, probe: () => boolean | Promise<boolean>, step = 1_000, limit = 40_000) =>
  eventually(
    what,
    async () => {
      await app.advance(step);
      await new Promise((r) => setTimeout(r, 100));
      return probe();
    },
    limit,
  );
const count = () => app.records().reduce((m, r) => m.set(r.reason, (m.get(r.reason) ?? 0) + 1), new Map<string, number>());

it('A1 table of index read-only', async () => {
  const files = new TestKey(app.azure.world);
  const accounts = Array.from({ length: 4 }, () => files.account());
  const before = rotate(files);
  await inTime('all moved once', () => onVersion(accounts, before.version) === 4);
  await inTime('finished', async () => (await rotationOf(files)).state === 'finished');
  app.azure.faults.add(
    ['POST', 'PUT', 'PATCH', 'MERGE', 'DELETE'].map((method) => ({
      match: { host: 'stcmkapp.table.*', method, path: 'cmkfleet|batch' },
      answer: { status: 403, body: { 'odata.error': { code: 'AuthorizationPermissionMismatch', message: { value: 'no' } } } },
    })),
  );
  const next = rotate(files);
  try {
    await inTime('all moved', () => onVersion(accounts, next.version) === 4, 10_000, 60_000);
  } finally {
    console.log('A1', onVersion(accounts, next.version), await rotationOf(files), [...count()], await app.count('key-work'), await app.count('account-work'));
    app.azure.faults.clear();
  }
}, 200_000);

it('A3 hostile rows', async () => {
  const files = new TestKey(app.azure.world);
  const accounts = Array.from({ length: 4 }, (_, n) => files.account('pinned', { tags: { 'CMK-Wave': ['99999999999', '-1', 'a', '0'][n] ?? '' } } as never));
  const before = rotate(files);
  await inTime('all moved once', () => onVersion(accounts, before.version) === 4);
  await inTime('finished', async () => (await rotationOf(files)).state === 'finished');
  const table = TableClient.fromConnectionString(app.connectionString, 'cmkfleet', { allowInsecureConnection: true });
  const partition = keyPartition(files.id());
  const [a, b, c, d] = accounts as [StorageAccount, StorageAccount, StorageAccount, StorageAccount];
  await table.updateEntity({ partitionKey: partition, rowKey: accountRow(a.id), mode: 'sideways', location: 7 as never, schema: 9 }, 'Merge');
  await table.updateEntity({ partitionKey: partition, rowKey: accountRow(b.id), pinned: 'f'.repeat(32), current: 'f'.repeat(32), identity: 'x'.repeat(30000), wave: '99999999999' }, 'Merge');
  await table.deleteEntity(partition, accountRow(c.id));
  await table.updateEntity({ partitionKey: partition, rowKey: accountRow(d.id), account: d.id.toUpperCase(), outcome: 'reject', outcomeReason: 'toString', outcomeAt: '9999-01-01T00:00:00Z' }, 'Merge');
  await table.createEntity({ partitionKey: partition, rowKey: 'zz%odd=row', key: '../../x' });
  const sub = a.id.split('/')[2] as string;
  const long = `/subscriptions/${sub}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/${'x'.repeat(120)}`;
  const evil = `/subscriptions/${sub}/resourceGroups/..%2f..%2fx/providers/Microsoft.Storage/storageAccounts/abc`;
  for (const account of [long]) {
    await table.createEntity({ partitionKey: partition, rowKey: accountRow(account), key: files.id(), account, scope: '', location: 'nowhere', mode: 'pinned', pinned: before.version, current: before.version, identity: '', wave: '0', readOn: new Date().toISOString() });
  }
  await table.createEntity({ partitionKey: 'rotations', rowKey: 'zzz', key: 'https://evil.example/keys/x', dueOn: 'soon' });
  const next = rotate(files);
  try {
    await inTime('all moved', () => onVersion(accounts, next.version) === 4, 5_000, 60_000);
    await inTime('finished', async () => (await rotationOf(files)).state === 'finished', 5_000, 60_000);
  } finally {
    console.log('A3', onVersion(accounts, next.version), await rotationOf(files), [...count()], await app.count('account-work-poison'), await app.count('key-work-poison'));
    console.log(evil);
  }
}, 200_000);

it('A4 pause until the end of time', async () => {
  const files = new TestKey(app.azure.world);
  const key = `${files.vault.name}/${files.name}`;
  expect((await call('/pause', { reason: 'first', key })).status).toBe(200);
  for (const until of ['9999-12-31T23:59:59-14:00', '9999-12-31T23:59:59Z', 'infinity', '+275760-09-13T00:00:00Z', '2027-13-45T00:00:00Z', '2027-02-30T00:00:00Z', '']) {
    console.log(until, JSON.stringify(await call('/pause', { reason: 'second one', until })).slice(0, 300));
    await app.advance(11_000);
    console.log('   ', JSON.stringify(await call('/resume', { reason: 'look', key: 'kv-files/files-key' })).slice(0, 600));
  }
  console.log(JSON.stringify(await Promise.all(Array.from({ length: 8 }, (_, n) => call('/pause', { reason: `at once ${n}`, key: n % 2 ? key : 'kv-files/files-key' })))).slice(-900));
  console.log(JSON.stringify(await Promise.all(Array.from({ length: 4 }, () => call('/resume', { reason: 'all', key })))).slice(0, 3000));
}, 100_000);
