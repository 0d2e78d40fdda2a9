import { describe, expect, it } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import { reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import { lookAtKey } from '../../src/accounts/reconcile-key.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { AccountWork } from '../../src/work/messages.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

// What Resource Graph answers decides nothing: each account that it names is read, and what it does not say whole is listed.

const wire = useWire();
const key = () => new TestKey(wire.azure.world);
const look = (of: TestKey) => lookAtKey(of.keyWork(), wire.services(), wire.log);
const work = (): AccountWork[] => wire.sent.splice(0).flatMap(({ work }) => (work.kind === 'account' ? [work] : []));
const names = (all: readonly AccountWork[]) => all.map(({ account }) => account.split('/').at(-1)).sort();
const warnings = () => wire.records.filter(({ level }) => level !== 'info').map(({ reason }) => reason);
const GRAPH = 'Microsoft.ResourceGraph';
const graphCalls = (since: number) => wire.arm(since, /ResourceGraph/).length;

function row(of: TestKey, account: StorageAccount, change: Record<string, unknown> = {}) {
  return {
    id: account.id,
    name: account.name,
    type: 'microsoft.storage/storageaccounts',
    location: account.location,
    subscriptionId: account.id.split('/')[2],
    properties: {
      encryption: {
        keySource: 'Microsoft.Keyvault',
        keyvaultproperties: {
          keyvaulturi: of.vault.properties.vaultUri ?? `https://${of.vault.name}.vault.azure.net/`,
          keyname: of.name,
          keyversion: of.first.version,
          currentVersionedKeyIdentifier: of.id(of.first),
        },
      },
    },
    ...change,
  };
}
function answers(pages: readonly Record<string, unknown>[]) {
  wire.azure.faults.clear();
  wire.azure.faults.add(
    pages.map((body, n) => ({
      match: { path: GRAPH },
      ...(n === pages.length - 1 ? {} : { times: 1 }),
      answer: { status: 200, body },
    })),
  );
}
const page = (data: unknown, more: Record<string, unknown> = {}) => ({
  totalRecords: Array.isArray(data) ? data.length : 0,
  count: Array.isArray(data) ? data.length : 0,
  resultTruncated: 'false',
  data,
  facets: [],
  ...more,
});

async function seen() {
  const files = key();
  const account = files.account();
  await look(files);
  work();
  wire.records.length = 0;
  return { files, account, newer: files.account() };
}

describe('pages', () => {
  it('that go round in a circle of two end, and everything is listed', async () => {
    const { files, account, newer } = await seen();
    const since = wire.azure.requests.last;
    const loop = Array.from({ length: 60 }, (_, n) => page([], { $skipToken: n % 2 === 0 ? 'a' : 'b' }));
    answers([...loop, page([])]);
    await look(files);
    expect(graphCalls(since)).toBeLessThan(5);
    expect(names(work())).toEqual([account.name, newer.name].sort());
    expect(warnings()).toEqual(['NewerAccountsUnknown']);
  });

  it('that always name another one and show nothing new end', async () => {
    const { files, account, newer } = await seen();
    const since = wire.azure.requests.last;
    answers([...Array.from({ length: 100 }, (_, n) => page([row(files, account)], { $skipToken: `t${n}` })), page([])]);
    await look(files);
    expect(graphCalls(since)).toBeLessThan(5);
    expect(names(work())).toEqual([account.name, newer.name].sort());
    expect(warnings()).toEqual(['NewerAccountsUnknown']);
  });

  it.each<[string, Record<string, unknown>]>([
    ['say true as a boolean', { resultTruncated: true }],
    ['say true as text', { resultTruncated: 'true' }],
    ['count more than they show', { totalRecords: 7 }],
    ['are no list', { data: { columns: [], rows: [['x']] }, totalRecords: 1 }],
    ['have a row that is none', { data: [null], totalRecords: 1 }],
    ['have a row without an id', { data: [{ type: 'microsoft.storage/storageaccounts' }], totalRecords: 1 }],
  ])('that %s are no answer', async (_, change) => {
    const services = wire.services();
    const files = key();
    const account = files.account();
    answers([page([row(files, account)], change)]);
    const read = async () => {
      const found: string[] = [];
      for await (const { id } of services.accountsOfKey.using(services.settings.vaults.key(files.id()) as ManagedKey))
        found.push(id);
      return found;
    };
    await expect(read()).rejects.toMatchObject({ reason: 'OtherResourcesUnreadable' });
  });
});

describe('rows', () => {
  it('of others, and odd ones, are left alone, and what is ours among them is found', async () => {
    const { files, account, newer } = await seen();
    const other = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
    const gone = {
      ...account,
      name: 'stgone0001',
      id: account.id.replace(account.name, 'stgone0001'),
    } as StorageAccount;
    const rows = [
      row(files, account, { id: account.id.replace(/[0-9a-f-]{36}/, other), subscriptionId: other }),
      row(files, account, { id: account.id.toUpperCase() }),
      row(files, account),
      row(files, account, { id: `${account.id}/blobServices/default` }),
      row(files, account, { id: account.id.replace('rg-files', '..') }),
      row(files, account, { id: account.id.replace('rg-files', 'rg-files%2f..') }),
      row(files, account, { id: '' }),
      row(files, account, { id: 'x'.repeat(5_000) }),
      row(files, account, { properties: null }),
      row(files, account, { properties: { encryption: null } }),
      row(files, account, { properties: { encryption: { keyvaultproperties: null } } }),
      row(files, account, { properties: 'a text' }),
      row(files, newer, {
        id: newer.id.replace(/subscriptions\/([0-9a-f-]+)/, (_, id) => `Subscriptions/${id.toUpperCase()}`),
        location: null,
      }),
      row(files, gone),
    ];
    const readable = new Set(rows.map(({ id }) => id.toLowerCase())).size;
    answers([page(rows, { totalRecords: readable })]);
    await look(files);
    const sent = work();
    expect(new Set(names(sent).map((name) => name?.toLowerCase()))).toEqual(
      new Set([account.name, newer.name, gone.name]),
    );
    expect(warnings()).toEqual([]);
    const next = files.add();
    const since = wire.azure.requests.last;
    for (const message of sent) {
      expect(await reconcileAndNote(message, wire.services(), wire.log)).toEqual({ outcome: 'done' });
    }
    const writes = wire.arm(since).filter(({ method }) => method !== 'GET');
    expect(writes.map(({ path }) => path.split('?')[0]?.split('/').at(-1)?.toLowerCase()).sort()).toEqual(
      [account.name, newer.name].sort(),
    );
    expect([account, newer].map((one) => one.encryption.keyvaultproperties?.keyversion)).toEqual([
      next.version,
      next.version,
    ]);
  });

  it('an account that has another key by now is not touched', async () => {
    const { files, account, newer } = await seen();
    const third = key();
    answers([page([row(files, account), row(files, newer)])]);
    await look(files);
    const sent = work();
    Object.assign(newer.encryption.keyvaultproperties ?? {}, {
      keyname: third.name,
      keyversion: third.first.version,
      currentVersionedKeyIdentifier: third.id(third.first),
    });
    files.add();
    for (const message of sent)
      expect(await reconcileAndNote(message, wire.services(), wire.log)).toEqual({ outcome: 'done' });
    expect(newer.encryption.keyvaultproperties).toMatchObject({ keyname: third.name, keyversion: third.first.version });
  });

  it('a quota of nothing left is no reason to ask again and again', async () => {
    const { files, account, newer } = await seen();
    wire.azure.faults.add([
      {
        match: { path: GRAPH },
        answer: {
          status: 429,
          headers: { 'x-ms-user-quota-remaining': '0', 'x-ms-user-quota-resets-after': '00:00:05' },
          body: { error: { code: 'RateLimiting', message: 'm', details: [] } },
        },
      },
    ]);
    const since = wire.azure.requests.last;
    await look(files);
    expect(graphCalls(since)).toBeLessThan(10);
    expect(names(work())).toEqual([account.name, newer.name].sort());
  });
});
