import { describe, expect, it } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import { LIST_CALLS } from '../../src/accounts/dispatcher.ts';
import { progressOf } from '../../src/rekey/progress.ts';
import { LISTS_SECONDS } from '../../src/rekey/waves.ts';
import { group, TestKey } from '../support/fleet.ts';
import { type Sent, useWire } from '../support/wire.ts';
import { RekeyOrders } from './rekey-orders.ts';

// How long an order waits for the accounts that it has sent to, and what it says of them, and of those that are still to be asked.

const wire = useWire();
const use = ({ encryption }: StorageAccount) => encryption.keyvaultproperties;
const twoKeys = () => [new TestKey(wire.azure.world), new TestKey(wire.azure.world)] as const;
/** So many milliseconds have passed since then, by the clock of all. */
const since = (startMs: number) => wire.azure.clock.nowMs() - startMs;
/** The steps that are in the queue for whoever is killed are of no use here: each takes its time. */
const withoutSpares = () => take(({ work, delaySeconds }) => work.kind === 'rekey' && delaySeconds > 30);
function take(isIt: (sent: Sent) => boolean): Sent[] {
  const taken = wire.sent.filter(isIt);
  wire.sent.splice(0, wire.sent.length, ...wire.sent.filter((one) => !isIt(one)));
  return taken;
}

/** The index has them from now on, as they are. */
async function lookedAt(orders: RekeyOrders, key: TestKey, accounts: readonly StorageAccount[]): Promise<void> {
  for (const account of accounts)
    wire.sent.push({ queue: 'account-work', work: key.accountWork(account), delaySeconds: 0 });
  await orders.carryOut();
}

/** The wave is sent, and what it sends to the account is lost. */
async function loseMessageOf(orders: RekeyOrders, account: StorageAccount): Promise<void> {
  const isIts = ({ work }: Sent) => work.kind === 'account' && work.account === account.id;
  await orders.carryOut(() => wire.sent.some(isIts));
  take(isIts);
}

describe('an account that is not on the old key any more, which the index does not know', () => {
  const third = () => new TestKey(wire.azure.world);
  it.each<[string, (account: StorageAccount, b: TestKey) => void]>([
    ['put onto a third key', (account) => void Object.assign(use(account) ?? {}, { keyname: third().name })],
    [
      'put onto the new key',
      (account, b) => void Object.assign(use(account) ?? {}, { keyname: b.name, keyversion: '' }),
    ],
    ['deleted', ({ name }) => void wire.azure.world.storageAccounts.delete(name)],
  ])('as it was %s, is waited for no longer than it is looked at, and is in no count', async (_, change) => {
    const orders = new RekeyOrders(wire);
    const [a, b] = twoKeys();
    // It is the first wave, alone.
    const stale = a.account('pinned', { tags: { 'cmk-wave': '1' } });
    const others = [a.account(), a.account()];
    await lookedAt(orders, a, [stale, ...others]);
    change(stale, b);
    const startMs = wire.azure.clock.nowMs();
    const id = await orders.start(a, b);
    withoutSpares();
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
    expect(others.map((account) => use(account)?.keyname)).toEqual([b.name, b.name]);
    expect(since(startMs)).toBeLessThan(60_000);
    const counts = { moved: 2, left: 0, gone: 0, waiting: 0, failed: 0 };
    expect(await progressOf(await orders.order(id), orders.services)).toMatchObject(counts);
  });

  it('as it was moved before and put back by a person, is waited for no longer when that is done', async () => {
    const orders = new RekeyOrders(wire);
    const [a, b] = twoKeys();
    const accounts = [a.account(), a.account()];
    const [first] = accounts;
    const id = await orders.start(a, b);
    await orders.carryOut(() => accounts.every((account) => use(account)?.keyname === b.name));
    Object.assign(use(first as StorageAccount) ?? {}, { keyname: a.name, keyversion: a.first.version });
    const startMs = wire.azure.clock.nowMs();
    await orders.carryOut();
    expect([(await orders.order(id)).state, use(first as StorageAccount)?.keyname]).toEqual(['done', b.name]);
    expect(since(startMs)).toBeLessThan(60_000);
  });
});

it('an order says for whom it waits whose message was lost, and until when, and sends to it again', async () => {
  const orders = new RekeyOrders(wire);
  const [a, b] = twoKeys();
  const [lost, other] = [a.account(), a.account()];
  const id = await orders.start(a, b);
  await loseMessageOf(orders, lost);
  await orders.carryOut(async () => (await orders.waits(id)) !== undefined);
  const { waits, wave } = await orders.order(id);
  const untilMs = Date.parse(/until (\S+Z);/.exec(waits?.detail ?? '')?.[1] ?? '');
  expect(waits).toEqual({ reason: 'RekeyUnderWay', detail: expect.stringMatching(`^1 account .*: ${lost.name}\\.`) });
  expect(untilMs - wire.azure.clock.nowMs()).toBeGreaterThan(0);
  expect(use(other)?.keyname).toBe(b.name);
  const { toDo } = await progressOf(await orders.order(id), orders.services);
  expect(toDo).toEqual([`It waits: ${waits?.detail}`]);
  await orders.carryOut(async () => (await orders.order(id)).wave?.on !== wave?.on);
  expect(wire.azure.clock.nowMs()).toBeGreaterThan(untilMs);
  expect(wire.azure.clock.nowMs() - untilMs).toBeLessThan(25_000);
  await orders.carryOut();
  expect([(await orders.order(id)).state, use(lost)?.keyname]).toEqual(['done', b.name]);
  expect(await orders.order(id)).not.toHaveProperty('waits');
});

it('an account that is elsewhere than the index has it is sent to in both places, and held up by neither', async () => {
  const orders = new RekeyOrders(wire);
  const [a, b] = twoKeys();
  const accounts = [a.account(), a.account()];
  await lookedAt(orders, a, accounts);
  const [first] = accounts as [StorageAccount];
  Object.assign(first, { id: first.id.replace('/rg-files/', `/${group(wire.azure.world, 'rg-keys').name}/`) });
  const id = await orders.start(a, b);
  const startMs = wire.azure.clock.nowMs();
  withoutSpares();
  await orders.carryOut();
  expect((await orders.order(id)).state).toBe('done');
  expect(accounts.map((account) => use(account)?.keyname)).toEqual([b.name, b.name]);
  expect(since(startMs)).toBeLessThan(60_000);
});

it('what goes back waits for lists only where encryption scopes of it were moved', async () => {
  const orders = new RekeyOrders(wire);
  const [a, b] = twoKeys();
  const accounts = Array.from({ length: 12 }, () => a.account());
  const withScope = a.account('pinned', { scopes: [{ name: 'scope1', key: a.use('pinned') }] });
  const scopeOn = (key: TestKey) => key.id(key.first);
  const scopeKey = () => withScope.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri;
  const id = await orders.start(a, b);
  await orders.carryOut();
  expect([(await orders.order(id)).state, scopeKey()]).toEqual(['done', scopeOn(b)]);
  const { turns, schedule, now } = orders.services;
  const place = { subscriptionId: withScope.id.split('/')[2] ?? '', location: withScope.location };
  for (const one of [turns, schedule]) while (one.take(place, LIST_CALLS, now().getTime(), { mostMs: 0 }) <= 0);
  const startMs = wire.azure.clock.nowMs();
  await orders.change(id, 'takeBack');
  withoutSpares();
  await orders.carryOut(() => accounts.every((account) => use(account)?.keyname === a.name));
  expect(since(startMs)).toBeLessThan(60_000);
  expect(scopeKey()).toBe(scopeOn(b));
  await orders.carryOut();
  expect([(await orders.order(id)).state, scopeKey()]).toEqual(['takenBack', scopeOn(a)]);
});

describe('an order says how many accounts are still to be asked for their scopes, and when Azure takes more lists', () => {
  const MANY = 130;

  /** Accounts on another key, of which nobody knows whether a scope uses the old one. */
  async function withMany() {
    const orders = new RekeyOrders(wire);
    const [a, b] = twoKeys();
    const own = new TestKey(wire.azure.world);
    // The lists of before this test are had again.
    wire.azure.clock.advance(LISTS_SECONDS * 1_000);
    for (let n = 0; n < MANY; n += 1) own.account('pinned');
    return { orders, b, account: a.account(), id: await orders.start(a, b) };
  }
  const SAYS =
    /(\d+) accounts are still to be asked for their encryption scopes; Azure takes more lists (?:now|from (\S+Z) on)\./;

  it('while it waits for a wave', async () => {
    const { orders, id, account, b } = await withMany();
    await loseMessageOf(orders, account);
    // 70 lists are to be had now by what is in no hurry, and the first 30 were asked at once.
    const scopes = take(({ work }) => work.kind === 'scopes');
    wire.sent.unshift(...scopes.splice(0, 40).map((sent) => ({ ...sent, delaySeconds: 0 })));
    await orders.carryOut(async () => /from/.test((await orders.order(id)).waits?.detail ?? ''));
    const { waits } = await orders.order(id);
    const [, count, from] = SAYS.exec(waits?.detail ?? '') ?? [];
    expect(waits).toMatchObject({ reason: 'RekeyUnderWay', detail: expect.stringContaining(account.name) });
    expect(Number(count)).toBe(scopes.length);
    expect(scopes.length).toBeGreaterThan(20);
    const soonMs = Date.parse(from ?? '') - wire.azure.clock.nowMs();
    expect([soonMs > 0, soonMs < LISTS_SECONDS * 1_000]).toEqual([true, true]);
    wire.sent.push(...scopes);
    await orders.carryOut();
    expect([(await orders.order(id)).state, use(account)?.keyname]).toEqual(['done', b.name]);
  });

  it('when all that is known has moved', async () => {
    const { orders, id } = await withMany();
    await orders.carryOut(async () => (await orders.waits(id)) === 'RekeyUnverified');
    const { waits, verified } = await orders.order(id);
    expect(waits?.detail).toMatch(SAYS);
    expect(verified?.gaps[0]).toMatch(SAYS);
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
  });
});
