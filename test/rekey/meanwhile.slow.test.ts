import { TableClient } from '@azure/data-tables';
import { describe, expect, it } from 'vitest';
import { allowStorage } from '../../local/azure/fleet.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import { accountRow } from '../../src/fleet/fleet-keys.ts';
import { REKEY_TABLE } from '../../src/fleet/rekey-store-client.ts';
import { carryOutRekey } from '../../src/rekey/carry-out.ts';
import { listRekeys } from '../../src/rekey/http/rekey-api.ts';
import { progressOf } from '../../src/rekey/progress.ts';
import { restoreKey } from '../../src/revocation/restore-key.ts';
import { revokeKey } from '../../src/revocation/revoke-key.ts';
import { NO_CONTROL, withPause, withResume } from '../../src/rollout/pause.ts';
import { group, storageIdentity, TestKey } from '../support/fleet.ts';
import { REVOKER } from '../support/keys.ts';
import { useWire } from '../support/wire.ts';
import { RekeyOrders } from './rekey-orders.ts';

// What becomes of a re-key when somebody does something else in between; docs/compromised-key.md says the same.

const wire = useWire();
const use = ({ encryption }: StorageAccount) => encryption.keyvaultproperties;
const on = (key: TestKey, accounts: readonly StorageAccount[]) =>
  accounts.filter((account) => use(account)?.keyname === key.name).length;
/** Two keys, and so many accounts on the first: more than one wave. */
function twoKeys(accounts = 7) {
  const [a, b] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world, 'kv-files')];
  return { a, b, accounts: Array.from({ length: accounts }, (_, n) => a.account(n === 0 ? 'automatic' : 'pinned')) };
}

describe.each(['old', 'new'] as const)('a revocation of the %s key while a re-key stands', (which) => {
  it('stops it at once, and a restore lets it go on by itself', async () => {
    const orders = new RekeyOrders(wire);
    const { services } = orders;
    const { a, b, accounts } = twoKeys();
    const id = await orders.start(a, b);
    await orders.carryOut(() => on(b, accounts) >= 3);
    const key = orders.managed(which === 'old' ? a : b);
    await revokeKey(key, { ...REVOKER, id: 'rev-a' }, { ...services, keys: services.urgentKeys });
    const moved = on(b, accounts);
    await orders.carryOut(async () => (await orders.waits(id)) === 'RevocationOpen');
    expect(on(b, accounts)).toBe(moved);
    await expect(orders.change(id, 'takeBack')).rejects.toMatchObject({ reason: 'RevocationOpen' });
    // Its records are none of the looks' business yet: they belong to a restore under way.
    wire.azure.clock.advance(60_000);
    const restore = { revocation: 'rev-a', restoredBy: '44444444-4444-4444-4444-444444444444', dualControl: true };
    expect((await restoreKey(key, restore, { ...services, keys: services.urgentKeys })).end).toBe('restored');
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
    expect(on(b, accounts)).toBe(7);
  });
});

it.each(['old', 'new'] as const)(
  'a revocation of the %s key between two scopes of an account stops the second',
  async (which) => {
    const orders = new RekeyOrders(wire);
    const { services } = orders;
    const { a, b } = twoKeys(0);
    const account = new TestKey(wire.azure.world).account('pinned', {
      scopes: ['one', 'two', 'three'].map((name) => ({ name, key: a.use() })),
    });
    const key = orders.managed(which === 'old' ? a : b);
    const { accounts } = services;
    Object.assign(services, {
      accounts: {
        ...accounts,
        updateScopeKey: async (...call: Parameters<typeof accounts.updateScopeKey>) => {
          const answer = await accounts.updateScopeKey(...call);
          await revokeKey(key, { ...REVOKER, id: 'rev-a' }, { ...services, keys: services.urgentKeys });
          return answer;
        },
      },
    });
    const id = await orders.start(a, b);
    await orders.carryOut(async () => (await orders.waits(id)) === 'RevocationOpen');
    const used = [...account.encryptionScopes.values()].map(({ keyVaultProperties }) => keyVaultProperties?.keyUri);
    expect(used.filter((uri) => uri?.startsWith(b.id())).length).toBe(1);
  },
);

describe('while a re-key stands', () => {
  it('a rotation of the new key reaches what has moved, and what moves later goes to the new version at once', async () => {
    const orders = new RekeyOrders(wire);
    const { a, b, accounts } = twoKeys();
    const id = await orders.start(a, b);
    await orders.carryOut(() => on(b, accounts) >= 3);
    const newest = b.add();
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
    const pinned = accounts.filter((account) => use(account)?.keyversion !== '');
    expect(pinned.map((account) => use(account)?.keyversion)).toEqual(pinned.map(() => newest.version));
    expect(on(b, accounts)).toBe(7);
    expect(pinned.length).toBe(6);
  });

  it('what waits for the one key to be restored follows the rotations of the one that it is on', async () => {
    const orders = new RekeyOrders(wire);
    const { services } = orders;
    const { a, b, accounts } = twoKeys();
    const id = await orders.start(a, b);
    await orders.carryOut(() => on(b, accounts) >= 3);
    await revokeKey(orders.managed(b), { ...REVOKER, id: 'rev-a' }, { ...services, keys: services.urgentKeys });
    await orders.carryOut(async () => (await orders.waits(id)) === 'RevocationOpen');
    wire.azure.clock.advance(60_000); // versions of one second cannot be told apart by age
    const newest = a.add();
    const left = accounts.filter((account) => use(account)?.keyname === a.name && use(account)?.keyversion);
    for (const account of left)
      wire.sent.push({ queue: 'account-work', work: a.accountWork(account), delaySeconds: 0 });
    const follow = () => left.every((account) => use(account)?.keyversion === newest.version);
    let messages = 0;
    await orders.carryOut(() => {
      messages += 1;
      return follow() || messages > 100; // the order itself waits for good
    });
    expect(left.length).toBeGreaterThan(0);
    expect(left.map((account) => use(account))).toEqual(
      left.map(() => expect.objectContaining({ keyname: a.name, keyversion: newest.version })),
    );
  });

  it('a person is overruled on the old key, and left alone on a third one and on none', async () => {
    const orders = new RekeyOrders(wire);
    const { a, b, accounts } = twoKeys();
    const third = new TestKey(wire.azure.world);
    const id = await orders.start(a, b);
    await orders.carryOut(() => on(b, accounts) === 7);
    const [back, elsewhere, none] = accounts;
    if (!back || !elsewhere || !none) throw new Error('There are too few accounts.');
    Object.assign(use(back) ?? {}, { keyname: a.name, keyversion: '' });
    Object.assign(use(elsewhere) ?? {}, { keyname: third.name, keyversion: third.first.version });
    Object.assign(none.encryption, { keySource: 'Microsoft.Storage', keyvaultproperties: undefined });
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
    expect(use(back)).toMatchObject({ keyname: b.name, keyversion: '' });
    expect(use(elsewhere)).toMatchObject({ keyname: third.name });
    await orders.change(id, 'takeBack');
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('takenBack');
    expect(use(back)).toMatchObject({ keyname: a.name, keyversion: '' });
    expect(use(elsewhere)).toMatchObject({ keyname: third.name });
    expect(use(none)).toBeUndefined();
    expect(on(a, accounts)).toBe(5);
  });

  it.each(['all keys', 'the old key', 'the new key'])('a pause of %s holds all of it', async (what) => {
    const orders = new RekeyOrders(wire);
    const { controlStore, control } = orders.services;
    const { a, b, accounts } = twoKeys();
    const id = await orders.start(a, b);
    await orders.carryOut(() => on(b, accounts) >= 3);
    const moved = on(b, accounts);
    const now = wire.azure.clock.now();
    const key = { 'all keys': {}, 'the old key': { key: a.id() }, 'the new key': { key: b.id() } }[what];
    const about = { id: 'p', reason: 'Change freeze', by: { objectId: 'o' } };
    const pause = { ...about, ...key, since: now.toISOString() };
    control.learn(await controlStore.update(() => withPause(NO_CONTROL, pause, now)));
    await orders.carryOut(async () => (await orders.waits(id)) === 'Paused');
    expect(on(b, accounts)).toBe(moved);
    const at = wire.azure.clock.now().toISOString();
    control.learn(await controlStore.update((state) => withResume(state, { ...about, ...key, at })));
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
    expect(on(b, accounts)).toBe(7);
  });

  it('the waves of a rotation go before what has no wave', async () => {
    const orders = new RekeyOrders(wire);
    const { a, b, accounts } = twoKeys(4);
    const first = a.account('pinned', { tags: { 'cmk-wave': '1' } });
    const second = a.account('pinned', { tags: { 'cmk-wave': '2' } });
    // The waves are those that the index has: whoever was looked at before is in it.
    const looks = [first, second, ...accounts].map((account) => a.accountWork(account));
    wire.sent.push(...looks.map((work) => ({ queue: 'account-work', work, delaySeconds: 0 }) as const));
    await orders.carryOut();
    const id = await orders.start(a, b);
    await orders.carryOut(() => on(b, [first]) === 1);
    expect(on(b, [second, ...accounts])).toBe(0);
    await orders.carryOut(() => on(b, [second]) === 1);
    expect(on(b, accounts)).toBe(0);
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
    expect(on(b, accounts)).toBe(4);
  });

  it('one that nobody approved moves nothing where others have to, and is ended', async () => {
    const orders = new RekeyOrders(wire, { CMK_APPROVALS: 'rekey:1' });
    const { a, b, accounts } = twoKeys(2);
    const id = await orders.start(a, b);
    await orders.carryOut(async () => (await orders.waits(id)) === 'ApprovalNeeded');
    const [account] = accounts;
    // A look that has nothing to do with the order does not carry it out either.
    if (account) wire.sent.push({ queue: 'account-work', work: a.accountWork(account), delaySeconds: 0 });
    await orders.carryOut(() => wire.sent.every(({ work }) => work.kind !== 'account'));
    expect(on(b, accounts)).toBe(0);
    await orders.change(id, 'end');
    // Nor does one that says that it was approved, or that it goes back.
    const forged = { id: 'a'.repeat(40), approvedBy: [{ objectId: 'o', on: '2026-11-25T02:00:00.000Z' }] };
    expect(await orders.start(a, b, { approval: forged })).toBe(forged.id);
    await orders.carryOut(async () => (await orders.waits(forged.id)) === 'ApprovalNeeded');
    await orders.change(forged.id, 'end');
    wire.azure.clock.advance(660_000); // nothing of it is on its way any more
    const back = await orders.start(b, a, { approval: { ...forged, id: 'b'.repeat(40) } });
    const { rekeys } = orders.services;
    for (const { id: account, location } of accounts) {
      await rekeys.put(back, { account, location, state: 'moved', at: wire.azure.clock.now().toISOString() });
    }
    await orders.change(back, 'takeBack');
    await orders.carryOut(async () => (await orders.waits(back)) === 'ApprovalNeeded');
    expect(on(b, accounts)).toBe(0);
    await orders.change(back, 'end');
    wire.azure.clock.advance(660_000);

    const approval = await orders.approved(a, b);
    expect(await orders.start(a, b, { approval })).toBe(approval.id);
    await orders.carryOut();
    expect(await orders.order(approval.id)).toMatchObject({ state: 'done', approval });
    expect(on(b, accounts)).toBe(2);
  });
});

describe('a vault of the new key that lets nobody in while a re-key stands', () => {
  const closed = () => {
    const body = { error: { code: 'Forbidden', message: 'Client address is not authorized.' } };
    wire.azure.faults.add([{ match: { host: 'kv-records.vault.azure.net' }, answer: { status: 403, body } }]);
  };
  async function halfWay() {
    const orders = new RekeyOrders(wire);
    const [a, b] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world, 'kv-records')];
    allowStorage(wire.azure.world, b.vault, storageIdentity(wire.azure.world).principalId);
    const accounts = Array.from({ length: 7 }, () => a.account());
    const id = await orders.start(a, b);
    // The first wave has moved, and the order has not looked yet: nothing of the next is under way.
    await orders.carryOut(() => on(b, accounts) === 5);
    expect(on(b, accounts)).toBe(5);
    closed();
    return { orders, id, a, b, accounts };
  }

  it('is what it waits for, and it goes on by itself when it can be read', async () => {
    const { orders, id, b, accounts } = await halfWay();
    await orders.carryOut(async () => (await orders.waits(id)) === 'VaultUnreadable');
    expect((await orders.order(id)).waits?.detail).toContain(b.id());
    await expect(orders.change(id, 'takeBack')).rejects.toMatchObject({
      reason: 'VaultUnreadable',
      nextStep: expect.stringContaining('can be read'),
    });
    expect(on(b, accounts)).toBe(5);
    wire.azure.faults.clear();
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
    expect(on(b, accounts)).toBe(7);
  });

  it('keeps no account on the old key from its newest version', async () => {
    const { orders, a, accounts } = await halfWay();
    const newest = a.add();
    const left = accounts.filter((account) => use(account)?.keyname === a.name);
    for (const account of left) {
      expect(await reconcileAndNote(a.accountWork(account), orders.services, wire.log)).toEqual({ outcome: 'done' });
    }
    expect(left.map((account) => use(account)?.keyversion)).toEqual([newest.version, newest.version]);
  });
});

it('an account that is put into another resource group meanwhile goes back with the others', async () => {
  const orders = new RekeyOrders(wire);
  const { a, b, accounts } = twoKeys(3);
  const id = await orders.start(a, b);
  await orders.carryOut();
  expect(on(b, accounts)).toBe(3);
  const [account] = accounts;
  const elsewhere = group(wire.azure.world, 'rg-keys');
  Object.assign(account ?? {}, { id: account?.id.replace('/rg-files/', `/${elsewhere.name}/`) });
  await orders.change(id, 'takeBack');
  await orders.carryOut();
  expect(await progressOf(await orders.order(id), orders.services)).toMatchObject({ moved: 3, gone: 0, toDo: [] });
  expect(on(a, accounts)).toBe(3);
});

it('of an account that is not found where it was when all goes back, a person hears', async () => {
  const orders = new RekeyOrders(wire);
  const { a, b, accounts } = twoKeys(2);
  const id = await orders.start(a, b);
  await orders.carryOut();
  wire.azure.world.storageAccounts.delete(accounts[1]?.name ?? '');
  await orders.change(id, 'takeBack');
  await orders.carryOut();
  const progress = await progressOf(await orders.order(id), orders.services);
  expect(progress).toMatchObject({ moved: 1, gone: 1, toDo: [expect.stringContaining('another subscription')] });
});

describe('a row of the table of re-keys that cannot be read', () => {
  const table = () =>
    TableClient.fromConnectionString(wire.connectionString, REKEY_TABLE, { allowInsecureConnection: true });

  it('of an account stops the re-key, which says so, and not the rotations of the account', async () => {
    const orders = new RekeyOrders(wire);
    const { a, accounts, b } = twoKeys(2);
    const [, account] = accounts;
    if (!account) throw new Error('There are too few accounts.');
    const id = await orders.start(a, b);
    const row = { partitionKey: `subject|${id}`, rowKey: accountRow(account.id) };
    await table().createEntity({ ...row, account: account.id, state: 'sideways' });
    const next = a.add();
    expect(await reconcileAndNote(a.accountWork(account), orders.services, wire.log)).toEqual({ outcome: 'done' });
    expect(use(account)).toMatchObject({ keyname: a.name, keyversion: next.version });
    const step = { kind: 'rekey', order: id, key: a.id(), tick: 0, cause: { by: 'test', ref: '', since: '' } } as const;
    const outcome = await carryOutRekey({ ...step, attempt: 0 }, orders.services, wire.log);
    expect(outcome).toMatchObject({ outcome: 'retry', detail: expect.stringContaining(row.rowKey) });
    await table().deleteEntity(row.partitionKey, row.rowKey);
    await orders.carryOut();
    expect(on(b, accounts)).toBe(2);
  });

  it('among the orders does not stop those that stand, and says which it is', async () => {
    const orders = new RekeyOrders(wire);
    const { a, b, accounts } = twoKeys();
    const id = await orders.start(a, b);
    await table().createEntity({ partitionKey: 'order', rowKey: 'nobodys', order: '{"id":"nobodys"}' });
    await orders.change(id, 'pause');
    await orders.change(id, 'resume');
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
    expect(on(b, accounts)).toBe(7);
    const why = { reason: 'RekeysUnreadable', message: expect.stringContaining('row nobodys of') };
    await expect(orders.start(b, new TestKey(wire.azure.world))).rejects.toMatchObject(why);
    await expect(listRekeys(() => true, orders.services)).rejects.toMatchObject({ ...why, status: 503 });
    await table().deleteEntity('order', 'nobodys');
  });
});
