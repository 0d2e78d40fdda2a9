import { describe, expect, it, onTestFinished } from 'vitest';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { LIST_CALLS } from '../../src/accounts/dispatcher.ts';
import { changesOf } from '../../src/accounts/fleet-entries.ts';
import { createInSight } from '../../src/accounts/in-sight.ts';
import { LOST_MS } from '../../src/accounts/unasked.ts';
import { parseStorageAccountId } from '../../src/azure/resource-id.ts';
import { keyPartition } from '../../src/fleet/fleet-keys.ts';
import { UNASKED } from '../../src/fleet/fleet-rows.ts';
import { createFleetTable } from '../../src/fleet/fleet-table-client.ts';
import type { RekeyList } from '../../src/fleet/rekey-marks.ts';
import { verifyUnused } from '../../src/rekey/find-left.ts';
import { progressOf } from '../../src/rekey/progress.ts';
import { LISTS_SECONDS } from '../../src/rekey/waves.ts';
import type { Services } from '../../src/services.ts';
import { DAY_MS } from '../../src/time/spans.ts';
import { TestKey } from '../support/fleet.ts';
import { type Sent, useWire } from '../support/wire.ts';
import { RekeyOrders } from './rekey-orders.ts';

// That nobody is seen on the old key is no proof as long as anything could not be looked at: an order that is done says that
// its key can be revoked.

const wire = useWire();
const NO = { status: 403, body: { error: { code: 'AuthorizationFailed', message: 'No.' } } };

/** An order, and what the look at its end shows, with something of the services changed. */
async function started(env: Record<string, string> = {}) {
  const orders = new RekeyOrders(wire, env);
  const [from, to] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world)];
  const id = await orders.start(from, to);
  const verify = async (change: (real: Services) => Partial<Services> = () => ({})) => {
    const services = { ...orders.services, ...change(orders.services) };
    return verifyUnused(await orders.order(id), orders.managed(from), services, wire.log);
  };
  return { orders, from, id, verify };
}
const scopesOf = ({ name }: { readonly name: string }) => ({ path: `/${name}/encryptionScopes\\?` });

it('an order whose old key nobody shows is not done while a subscription cannot be read, and is when it can', async () => {
  const { orders, id } = await started();
  wire.azure.faults.add([{ match: { path: `^/subscriptions/${SECOND_SUBSCRIPTION_ID}/providers` }, answer: NO }]);
  await orders.carryOut(async () => (await orders.waits(id)) === 'RekeyUnverified');
  expect(await orders.order(id)).toMatchObject({
    state: 'moving',
    waits: { reason: 'RekeyUnverified' },
    verified: { gaps: [expect.stringContaining(`subscription ${SECOND_SUBSCRIPTION_ID} cannot be listed`)] },
  });
  wire.azure.faults.clear();
  const [next] = wire.sent.splice(0).slice(-1);
  if (next) wire.sent.push({ ...next, delaySeconds: 0 });
  await orders.carryOut();
  expect((await orders.order(id)).state).toBe('done');
});

it('a look at everything finds whom no index has, and names what it could not read', async () => {
  const { from, verify } = await started();
  expect(await verify()).toEqual({ found: [], gaps: [], unlisted: 0, outOfSight: [] });
  const account = from.account('pinned');
  const scoped = new TestKey(wire.azure.world).account('pinned', { scopes: [{ name: 's1', key: from.use('pinned') }] });
  wire.azure.faults.add([{ match: scopesOf(scoped), answer: NO }]);
  const { found, gaps } = await verify();
  expect(found.map(({ id }) => id)).toEqual([account.id]);
  expect(gaps).toEqual([expect.stringContaining(scoped.name)]);
});

it('a subscription that is not seen any more is named', async () => {
  const { verify } = await started();
  const { gaps } = await verify(({ subscriptions }) => ({
    subscriptions: { ...subscriptions, seen: async () => ({ ...(await subscriptions.seen()), vanished: ['gone'] }) },
  }));
  expect(gaps).toContain('The app does not see subscription gone any more.');
});

it('an account of which a scope was moved is asked for its scopes, whatever is known of them', async () => {
  const { from, verify, orders, id } = await started();
  const account = new TestKey(wire.azure.world).account('pinned', {
    scopes: [{ name: 's1', key: from.use('pinned') }],
  });
  const { location } = account;
  const at = wire.azure.clock.now().toISOString();
  await orders.services.rekeys.put(id, { account: account.id, scope: 's2', location, state: 'moved', at });
  const without = async () => {
    const { found, gaps } = await verify(({ accounts }) => ({ accounts: { ...accounts, async *list() {} } }));
    return [found.map((one) => one.id), gaps];
  };
  expect(await without()).toEqual([[account.id], []]);
  wire.azure.faults.add([{ match: scopesOf(account), answer: NO }]);
  expect(await without()).toEqual([[], [expect.stringContaining(account.name)]]);
});

it.each([
  ['was taken from', false, { taken: true }],
  ['was spoilt in', false, { readOn: 'some day' }],
  ['that was never asked was taken from', true, { taken: true }],
  ['that was never asked was spoilt in', true, { sentOn: 'some day' }],
])('an order is not done before a scope has moved whose row %s the index', async (_, isNever, how) => {
  const { orders, from, id } = await started();
  const other = new TestKey(wire.azure.world);
  const { name, encryptionScopes } = other.account('pinned', { scopes: [{ name: 's1', key: from.use('pinned') }] });
  const steps = wire.sent.splice(0);
  const cause = { by: 'drift', ref: 'a check', since: '' } as const;
  const look = { kind: 'key', key: orders.managed(other).id, cause, attempt: 0 } as const;
  wire.sent.push({ queue: 'key-work', delaySeconds: 0, work: look });
  // It is asked by the look at the account itself.
  await orders.carryOut(() => isNever && wire.sent[0]?.work.kind !== 'key');
  const table = createFleetTable(orders.services.settings, () => {
    throw new Error('Azurite asks for none.');
  });
  const spoilt = [];
  for await (const { partitionKey, rowKey } of table.rows(isNever ? UNASKED : keyPartition(orders.managed(from).id))) {
    if (rowKey.includes(name)) spoilt.push({ partitionKey, rowKey, ...('taken' in how ? {} : { properties: how }) });
  }
  expect(spoilt).toHaveLength(1);
  await table.write(spoilt);

  wire.sent.splice(0, wire.sent.length, ...steps);
  await orders.carryOut(async () => (await orders.waits(id)) === 'RekeyUnverified');
  for (const [n, sent] of wire.sent.entries()) wire.sent[n] = { ...sent, delaySeconds: 0 };
  await orders.carryOut();
  const { state, to } = await orders.order(id);
  const isThere = encryptionScopes.get('s1')?.keyVaultProperties?.keyUri?.startsWith(to);
  expect([state, isThere]).toEqual(['done', true]);
});

it.each([
  ['waits', false],
  ['was lost', true],
])(
  'an order is not done while the message %s by which scopes of an account that has moved are listed',
  async (_, isLost) => {
    const { orders, from, id } = await started({ CMK_SCOPE_DISCOVERY: 'dependents' });
    // Not where the others are: of those that were never asked in one place, 30 are asked at once.
    const place = { location: 'northeurope' };
    const account = from.account('pinned', { ...place, scopes: [{ name: 's1', key: from.use('pinned') }] });
    const headers = { 'Retry-After': '200' };
    const answer = { status: 429, headers, body: { error: { code: 'TooManyRequests', message: 'Later.' } } };
    wire.azure.faults.add([{ match: scopesOf(account), times: 2, answer }]);
    const isWaiting = ({ work }: Sent) => work.kind === 'account' && work.scopes === 'only';
    await orders.carryOut(() => wire.sent.some(isWaiting));
    if (isLost) {
      wire.sent.splice(wire.sent.findIndex(isWaiting), 1);
      wire.azure.clock.advance(LOST_MS);
    }
    await orders.carryOut(async () => (await orders.order(id)).state === 'done');
    const { state, to } = await orders.order(id);
    const isThere = account.encryptionScopes.get('s1')?.keyVaultProperties?.keyUri?.startsWith(to);
    expect([state, isThere]).toEqual(['done', true]);
  },
);

it('that scopes of accounts on other keys are not looked at is said, where that is set', async () => {
  const { verify } = await started({ CMK_SCOPE_DISCOVERY: 'dependents' });
  expect((await verify()).outOfSight).toEqual([expect.stringContaining('CMK_SCOPE_DISCOVERY')]);
});

it('who is known to use the key in a subscription that is switched off is said', async () => {
  const { verify, orders, from } = await started();
  const off = '99999999-9999-4999-8999-999999999999';
  const { location, id } = new TestKey(wire.azure.world).account('pinned');
  const [key, readOn] = [orders.managed(from).id, wire.azure.clock.now().toISOString()];
  const use = { key, account: id.replace(SUBSCRIPTION_ID, off), location, mode: 'automatic', readOn } as const;
  await orders.services.fleet.write([{ put: 'use', use }]);
  const known = expect.stringMatching(`^1 account or scope uses the old key in subscription ${off}`);
  expect(await verify()).toEqual({ found: [], gaps: [], unlisted: 0, outOfSight: [known] });
});

it('that only some subscriptions are looked at is said, and who is known to use the key in another one', async () => {
  const { verify, orders, from } = await started({ CMK_SUBSCRIPTIONS: SUBSCRIPTION_ID });
  const out = (id: string) => id.replace(SUBSCRIPTION_ID, SECOND_SUBSCRIPTION_ID);
  const { location, id } = new TestKey(wire.azure.world).account('pinned');
  const [key, readOn] = [orders.managed(from).id, wire.azure.clock.now().toISOString()];
  const use = { key, account: out(id), location, mode: 'automatic', readOn } as const;
  await orders.services.fleet.write([{ put: 'use', use }]);
  const named = 'Only the subscriptions that CMK_SUBSCRIPTIONS names were looked at.';
  const known = expect.stringMatching(`^1 account or scope uses the old key in subscription ${SECOND_SUBSCRIPTION_ID}`);
  expect(await verify()).toEqual({ found: [], gaps: [], unlisted: 0, outOfSight: [named, known] });
  const { write } = orders.services.fleet;
  const uses = () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('no table')) }) });
  const without = await verify(({ fleet }) => ({ fleet: { ...fleet, write, uses } }));
  expect(without.outOfSight).toEqual([named, expect.stringContaining('index could not be read')]);
});

it('an account that failed before it was asked for its scopes keeps no order from being stopped', async () => {
  const { orders, from, id } = await started();
  wire.azure.faults.add([{ match: { path: `${from.account('pinned').id}\\?` }, answer: NO }]);
  await orders.carryOut(async () => (await orders.order(id)).tick > 20);
  expect((await orders.order(id)).paused?.why).toMatch(/^1 account could not be moved\. All else /);
});

it('an order that stops claims nothing about a subscription that it cannot list', async () => {
  const { orders, from, id } = await started();
  const { services } = orders;
  const account = parseStorageAccountId(from.account('pinned').id);
  if (!account) throw new Error('It is none.');
  const seen = { account: await services.accounts.get(account), scopes: [] };
  await services.fleet.write(changesOf(seen, undefined, services.now()));
  wire.azure.faults.add([
    { match: { method: 'PATCH', path: account.id }, answer: NO },
    { match: { path: `^/subscriptions/${SECOND_SUBSCRIPTION_ID}/providers` }, answer: NO },
  ]);
  await orders.carryOut(async () => (await orders.order(id)).tick > 20);
  expect((await orders.order(id)).paused?.why).toBe('1 account could not be moved. All else that is known has moved.');
});

it('an order ends however many subscriptions are left out, and says of all that they are', async () => {
  const { orders, from, id } = await started({ CMK_SUBSCRIPTIONS: SUBSCRIPTION_ID });
  const [key, readOn] = [orders.managed(from).id, wire.azure.clock.now().toISOString()];
  const { location, id: account } = new TestKey(wire.azure.world).account('pinned');
  const uses = Array.from({ length: 250 }, (_, n) => {
    const other = `99999999-9999-4999-8999-${String(n).padStart(12, '0')}`;
    return { key, account: account.replace(SUBSCRIPTION_ID, other), location, mode: 'automatic', readOn } as const;
  });
  await orders.services.fleet.write(uses.map((use) => ({ put: 'use', use })));
  await orders.carryOut();
  const { state, verified } = await orders.order(id);
  expect(state).toBe('done');
  expect(verified?.gaps.at(-1)).toMatch(/^230 accounts and scopes use the old key in 230 more subscriptions/);
});

it('what failed in a subscription that is left out since then keeps no order from its end', async () => {
  const { orders, from, id } = await started();
  const account = from.account('pinned');
  wire.azure.faults.add([{ match: { path: `${account.id}[/?]` }, answer: NO }]);
  await orders.carryOut();
  expect((await orders.order(id)).paused?.why).toContain('1 account could not be moved.');
  const leaving = new RekeyOrders(wire, { CMK_SUBSCRIPTIONS: SECOND_SUBSCRIPTION_ID });
  expect(await progressOf(await orders.order(id), leaving.services)).toMatchObject({
    waiting: 0,
    failed: 0,
    toDo: [expect.stringContaining('Resume it'), expect.stringContaining(`in subscription ${SUBSCRIPTION_ID}`)],
  });
  const { location } = account;
  const at = wire.azure.clock.now().toISOString();
  await orders.services.rekeys.put(id, { account: account.id, scope: 's1', location, state: 'moved', at });
  await leaving.change(id, 'resume');
  await leaving.carryOut();
  const { state, verified } = await orders.order(id);
  expect([state, verified?.gaps]).toEqual(['done', [expect.any(String), expect.stringContaining(SUBSCRIPTION_ID)]]);
});

it('what failed in a subscription that is left out since then does not count where others fail', async () => {
  const { orders, from, id } = await started();
  const order = await orders.order(id);
  await orders.services.rekeys.replace({ ...order, maxFailures: 2 });
  const [out, stays] = [from.account('pinned'), from.account('pinned')];
  const [at, failure] = [order.startedOn, { reason: 'Refused', detail: '' } as const];
  const account = out.id.replace(SUBSCRIPTION_ID, SECOND_SUBSCRIPTION_ID);
  const row = { account, location: out.location, state: 'none', at, failure: { ...failure, at, since: at } } as const;
  await orders.services.rekeys.put(id, row);
  wire.azure.faults.add([{ match: { path: `${stays.id}[/?]` }, answer: NO }]);
  await new RekeyOrders(wire, { CMK_SUBSCRIPTIONS: SUBSCRIPTION_ID }).carryOut();
  expect((await orders.order(id)).paused?.why).toMatch(/^1 account could not be moved\. All else /);
});

it('what was moved in a subscription that is left out since then goes back with all else', async () => {
  const { orders, from, id } = await started();
  const account = from.account('pinned');
  const keyName = () => account.encryption.keyvaultproperties?.keyname;
  await orders.carryOut();
  expect([(await orders.order(id)).state, keyName() === from.name]).toEqual(['done', false]);
  const leaving = new RekeyOrders(wire, { CMK_SUBSCRIPTIONS: SECOND_SUBSCRIPTION_ID });
  await leaving.change(id, 'takeBack');
  expect(await progressOf(await orders.order(id), leaving.services)).toMatchObject({ waiting: 1, toDo: [] });
  await leaving.carryOut();
  expect([(await orders.order(id)).state, keyName()]).toEqual(['takenBack', from.name]);
});

/** The subscription is switched off from now on. */
function switchOff({ services }: RekeyOrders, off: string): void {
  const { subscriptions: real, settings, now } = services;
  const seen = async () => {
    const { ids, ...rest } = await real.seen();
    return { ...rest, ids: ids.filter((id) => id !== off) };
  };
  const subscriptions = { ...real, seen };
  Object.assign(services, { subscriptions, inSight: createInSight({ settings, subscriptions, now }) });
}

it('what failed in a subscription that is switched off since then keeps no order from its end', async () => {
  const { orders, from, id } = await started();
  const account = from.account('pinned');
  wire.azure.faults.add([{ match: { path: `${account.id}[/?]` }, answer: NO }]);
  await orders.carryOut();
  expect((await orders.order(id)).paused?.why).toContain('1 account could not be moved.');
  switchOff(orders, SUBSCRIPTION_ID);
  await orders.change(id, 'resume');
  const { location } = account;
  const at = wire.azure.clock.now().toISOString();
  await orders.services.rekeys.put(id, { account: account.id, scope: 's1', location, state: 'moved', at });
  await orders.carryOut(async () => (await orders.order(id)).tick > 40);
  const { state, verified } = await orders.order(id);
  expect([state, verified?.gaps]).toEqual(['done', [expect.stringContaining(SUBSCRIPTION_ID)]]);
});

it('an order is not done where it is not known which subscriptions there were', async () => {
  const { verify } = await started();
  const { gaps } = await verify(({ subscriptions }) => ({
    subscriptions: { ...subscriptions, seen: async () => ({ ...(await subscriptions.seen()), isPart: true }) },
  }));
  expect(gaps).toEqual([expect.stringContaining('could not be read')]);
});

it('an order stops although accounts refuse to be asked for their scopes, more than are asked at once', async () => {
  const { orders, from, id } = await started();
  const other = new TestKey(wire.azure.world);
  for (let count = 0; count < 32; count += 1) other.account('pinned');
  const { path } = scopesOf({ name: '[^/]*' });
  wire.azure.faults.add([
    { match: { path: `${from.account('pinned').id}\\?` }, answer: NO },
    { match: { path }, answer: NO },
  ]);
  await orders.carryOut(async () => {
    const { paused, tick } = await orders.order(id);
    return paused !== undefined || tick > 60;
  });
  expect((await orders.order(id)).paused?.why).toMatch(
    /^1 account could not be moved\. All else that is known has moved; the encryption scopes of \d+ accounts could not be /,
  );
});

it('an order does not stop for what has failed while scopes of what it has moved wait for lists', async () => {
  const { orders, id } = await started({ CMK_SCOPE_DISCOVERY: 'dependents' });
  const { services } = orders;
  const own = new TestKey(wire.azure.world);
  const [moved, failed] = [own.account('pinned'), own.account('pinned')];
  const { startedOn: at } = await orders.order(id);
  const failure = { reason: 'Refused', detail: '', at, since: at } as const;
  const { location } = moved;
  await services.rekeys.put(id, { account: moved.id, location, state: 'moved', at });
  await services.rekeys.put(id, { account: failed.id, location, state: 'none', at, failure });
  await orders.carryOut(async () => (await orders.order(id)).tick > 1);
  const waiting = await orders.order(id);
  expect([waiting.paused, waiting.waits?.detail]).toEqual([undefined, expect.stringContaining(moved.name)]);
  // Then somebody comes to it.
  const account = parseStorageAccountId(moved.id);
  if (!account) throw new Error('It is none.');
  const seen = { account: await services.accounts.get(account), scopes: [] };
  await services.fleet.write(changesOf(seen, undefined, services.now()));
  await orders.carryOut(async () => (await orders.order(id)).tick > 20);
  expect((await orders.order(id)).paused?.why).toMatch(/^1 account could not be moved\. All else /);
});

describe('an order with scopes of more accounts in one place than Azure takes lists there', () => {
  const MANY = 130;

  /** All of them moved, and nobody is known to use the key. */
  async function withMany() {
    const { orders, from, id, verify } = await started({ CMK_SCOPE_DISCOVERY: 'dependents' });
    const own = new TestKey(wire.azure.world);
    const at = wire.azure.clock.now().toISOString();
    const many = [];
    for (let n = 0; n < MANY; n += 1) {
      const account = own.account('pinned', { scopes: [{ name: 's1', key: own.use('pinned') }] });
      const { id: of, location } = account;
      await orders.services.rekeys.put(id, { account: of, location, scope: 's1', state: 'moved', at });
      many.push(account);
    }
    // What was listed before does not count any more.
    wire.azure.clock.advance(LISTS_SECONDS * 1_000);
    wire.azure.world.settings.throttle = true;
    onTestFinished(() => {
      wire.azure.world.settings.throttle = false;
    });
    // As the order has them.
    many.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { orders, from, id, verify, many, longestAgo: many[0] };
  }

  it('is done when the budget had room for all, and nobody is refused', async () => {
    const { orders, id } = await withMany();
    const since = wire.azure.requests.last;
    await orders.carryOut();
    const lists = wire.azure.requests.since(since).filter(({ path }) => path.includes('/encryptionScopes?'));
    expect((await orders.order(id)).state).toBe('done');
    expect(lists.filter(({ status }) => status === 429)).toEqual([]);
    expect(new Set(lists.map(({ path }) => path)).size).toBe(MANY);
  });

  it('lists all but those that refuse, however many do, and has turns left for others then', async () => {
    const { verify, many, from } = await withMany();
    const refusing = many.slice(0, 90);
    wire.azure.faults.add(refusing.map((account) => ({ match: scopesOf(account), answer: NO })));
    const properties = many.at(-1)?.encryptionScopes.get('s1')?.keyVaultProperties;
    if (!properties) throw new Error('It has no scope with a key.');
    properties.keyUri = from.id();
    const looks = [];
    for (let n = 0; n < 3; n += 1) {
      const { found, unlisted, gaps } = await verify();
      looks.push({ found: found.map(({ id }) => id), unlisted, gaps: gaps.length });
      wire.azure.clock.advance(LISTS_SECONDS * 1_000);
    }
    expect(looks).toEqual([
      { found: [], unlisted: 60, gaps: 71 },
      { found: [many.at(-1)?.id], unlisted: 0, gaps: 90 },
      { found: [many.at(-1)?.id], unlisted: 0, gaps: 90 },
    ]);
  });

  it('believes no note of a list at a time that is still to come, and lists that account before others', async () => {
    const { orders, id, verify, longestAgo } = await withMany();
    if (!longestAgo) throw new Error('There are many.');
    const on = new Date(wire.azure.clock.nowMs() + 365 * DAY_MS).toISOString();
    await orders.services.rekeys.noteListed(id, new Map([[longestAgo.id.toLowerCase(), { on }]]));
    await verify();
    const { on: noted } = (await orders.services.rekeys.listed(id)).get(longestAgo.id.toLowerCase()) ?? {};
    expect(Date.parse(noted ?? '')).toBeLessThanOrEqual(wire.azure.clock.nowMs());
  });

  it('believes no list from before it was resumed: people may have put scopes back meanwhile', async () => {
    const { orders, from, id, verify, longestAgo } = await withMany();
    await verify();
    const properties = longestAgo?.encryptionScopes.get('s1')?.keyVaultProperties;
    if (!properties) throw new Error('It has no scope with a key.');
    await orders.change(id, 'pause');
    properties.keyUri = from.id();
    await orders.change(id, 'resume');
    // The turns are used up: none is listed anew.
    expect(await verify()).toMatchObject({ found: [], unlisted: MANY });
  });

  it('believes no earlier list of an account than one that was lost, as the process died before it was noted', async () => {
    const { verify } = await withMany();
    await verify();
    wire.azure.clock.advance(LISTS_SECONDS * 1_000);
    const died = async (id: string, lists: ReadonlyMap<string, RekeyList>, real: Services) => {
      if (lists.size > 1) throw new Error('It is dead.');
      return real.rekeys.noteListed(id, lists);
    };
    const dying = verify((real) => ({ rekeys: { ...real.rekeys, noteListed: (id, lists) => died(id, lists, real) } }));
    await expect(dying).rejects.toThrow('dead');
    // 60 that nobody has listed yet, and the 10 that were listed anew.
    expect(await verify()).toMatchObject({ unlisted: 70 });
  });

  it('lists first what was never listed, and believes no list of an account that was found on the key after it', async () => {
    const { orders, from, verify, longestAgo } = await withMany();
    const first = await verify();
    expect(first).toMatchObject({ found: [], unlisted: MANY - 70, gaps: [expect.stringContaining('60 accounts')] });
    wire.azure.clock.advance(LISTS_SECONDS * 1_000);
    const properties = longestAgo?.encryptionScopes.get('s1')?.keyVaultProperties;
    if (!properties) throw new Error('It has no scope with a key.');
    properties.keyUri = from.id();
    const second = await verify();
    expect([second.found.map(({ id }) => id), second.unlisted]).toEqual([[longestAgo?.id], 0]);
    // There is no turn left to list it again.
    expect(await verify()).toMatchObject({ found: [], unlisted: 1, gaps: [expect.stringContaining('1 account in')] });
    // But for who comes with an event.
    const [, , subscriptionId = ''] = longestAgo?.id.split('/') ?? [];
    const place = { subscriptionId, location: longestAgo?.location ?? '' };
    expect(orders.services.turns.take(place, LIST_CALLS, wire.azure.clock.nowMs())).toBe(0);
  });
});
