import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { reconcileUnasked } from '../../src/accounts/ask-scopes.ts';
import { handOut, LIST_CALLS } from '../../src/accounts/dispatcher.ts';
import { reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import { lookAtKey } from '../../src/accounts/reconcile-key.ts';
import { Turns } from '../../src/azure/turns.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import type { FleetUse } from '../../src/fleet/fleet-index.ts';
import type { Services } from '../../src/services.ts';
import type { AccountWork, ScopesWork } from '../../src/work/messages.ts';
import type { Outcome } from '../../src/work/outcome.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const key = () => new TestKey(wire.azure.world);
const services = (env?: Record<string, string>) => wire.services(env);
const look = (of: TestKey, with_: Services = services()) => lookAtKey(of.keyWork(), with_, wire.log);
const drift = (with_: Services = services()) =>
  runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, with_, wire.log);

/** The accounts that were put to work since, by name. */
const found = () =>
  wire.sent
    .splice(0)
    .flatMap(({ work }) => (work.kind === 'account' ? [work.account.split('/').at(-1)] : []))
    .sort();
const names = (...accounts: StorageAccount[]) => accounts.map(({ name }) => name).sort();
const work = (): AccountWork[] => wire.sent.splice(0).flatMap(({ work }) => (work.kind === 'account' ? [work] : []));
const lists = (since: number) => wire.arm(since, /\/storageAccounts\?|\/encryptionScopes\?/);
const warnings = () => wire.records.filter(({ level }) => level !== 'info').map(({ reason }) => reason);
async function uses(of: TestKey): Promise<FleetUse[]> {
  const all: FleetUse[] = [];
  for await (const use of services().fleet.uses(of.id())) all.push(use);
  return all;
}
const brokenTable = (endpoint: string) => ({
  AzureWebJobsStorage: wire.connectionString.replace(/TableEndpoint=[^;]+/, `TableEndpoint=${endpoint}`),
});

describe('with the index', () => {
  it('a key is looked at without a list, once somebody has looked', async () => {
    const [files, other] = [key(), key()];
    const accounts = [files.account(), files.account('automatic')];
    const byScope = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    await look(files);
    expect(found()).toEqual(names(...accounts, byScope));
    const since = wire.azure.requests.last;
    await look(files);
    const messages = work();
    expect(messages.map(({ account, scopes }) => [account.split('/').at(-1), scopes]).sort()).toEqual(
      [[byScope.name, undefined], ...accounts.map(({ name }) => [name, undefined])].sort(),
    );
    // As the index knows them: a move is announced by it, and nothing is decided by it.
    const version = files.first.version;
    expect(Object.fromEntries(messages.map(({ account, seen }) => [account.split('/').at(-1), seen]))).toEqual({
      [accounts[0]?.name ?? '']: { pinned: version, current: version },
      [accounts[1]?.name ?? '']: { current: version },
      [byScope.name]: undefined,
    });
    expect(lists(since)).toEqual([]);
    expect(wire.arm(since, /Microsoft.ResourceGraph/)).toHaveLength(1);

    // Each message asks for scopes once; from then on they are known not to be there.
    for (const message of messages) await reconcileAndNote(message, services(), wire.log);
    const after = wire.azure.requests.last;
    await look(files);
    for (const message of work()) await reconcileAndNote(message, services(), wire.log);
    expect(lists(after).map(({ path }) => path)).toEqual([expect.stringContaining(byScope.name)]);
  });

  it('that the drift check has written, no subscription is listed; what it saw no more is forgotten', async () => {
    const [files, other] = [key(), key()];
    const accounts = [files.account(), files.account(), files.account()];
    const [deleted, switched] = accounts;
    await drift();
    wire.sent.length = 0;
    const since = wire.azure.requests.last;
    await look(files);
    expect(found()).toEqual(names(...accounts));
    expect(lists(since)).toEqual([]);

    wire.azure.world.storageAccounts.delete((deleted as StorageAccount).name);
    Object.assign(switched?.encryption.keyvaultproperties ?? {}, { keyname: other.name });
    await drift();
    expect((await uses(files)).map(({ account }) => account)).toEqual([accounts[2]?.id]);
    expect((await uses(other)).map(({ account }) => account)).toEqual([switched?.id]);
  });

  it('of the drift check, scopes are known as of when it began', async () => {
    const account = key().account();
    const before = services().now().getTime();
    let lateMs = 0;
    const now = () => new Date(services().now().getTime() + lateMs);
    const accounts: Services['accounts'] = {
      ...services().accounts,
      async *listAllScopes(...of) {
        yield* services().accounts.listAllScopes(...of);
        lateMs = 60_000;
      },
    };
    await drift({ ...services(), accounts, now });
    const known = await services().fleet.account(account.id);
    expect(known?.scopes).toBe('none');
    expect(Date.parse(known?.scopesReadOn ?? '') - before).toBeLessThan(60_000);
  });

  it('an account that is newer is found by Resource Graph', async () => {
    const files = key();
    const account = files.account();
    await look(files);
    found();
    const newer = files.account();
    const since = wire.azure.requests.last;
    await look(files);
    const messages = work();
    expect(messages.map((message) => message.account).sort()).toEqual([account.id, newer.id].sort());
    expect(lists(since)).toEqual([]);

    // As Resource Graph shows it: it is read once, and written right behind that.
    const next = files.add();
    const before = wire.azure.requests.last;
    const message = messages.find((each) => each.account === newer.id);
    await reconcileAndNote(message as AccountWork, services(), wire.log);
    const asked = wire.arm(before, new RegExp(`/${newer.name}[?]`)).map(({ method }) => method);
    expect(asked).toEqual(['GET', 'PATCH']);
    expect(newer.encryption.keyvaultproperties?.keyversion).toBe(next.version);
  });

  it('a newer account is found although Resource Graph is not there, and that is said', async () => {
    const files = key();
    const account = files.account();
    await look(files);
    found();
    const newer = files.account();
    wire.azure.faults.add([{ match: { path: 'Microsoft.ResourceGraph' }, answer: { status: 500 } }]);
    await look(files);
    expect(found()).toEqual(names(account, newer));
    expect(warnings()).toEqual(['NewerAccountsUnknown']);
  });

  it('pages of Resource Graph that lead nowhere do not hold anybody up', async () => {
    const files = key();
    const account = files.account();
    await look(files);
    found();
    const newer = files.account();
    const body = { totalRecords: 1, count: 0, resultTruncated: 'true', $skipToken: 'again', data: [] };
    wire.azure.faults.add([{ match: { path: 'Microsoft.ResourceGraph' }, answer: { status: 200, body } }]);
    await look(files);
    expect(found()).toEqual(names(account, newer));
    expect(warnings()).toEqual(['NewerAccountsUnknown']);
    wire.azure.faults.clear();
  });

  it('Resource Graph that throttles is waited for', async () => {
    const files = key();
    await look(files);
    const newer = files.account();
    found();
    const answer = { status: 429, headers: { 'Retry-After': '1' } };
    wire.azure.faults.add([{ match: { path: 'Microsoft.ResourceGraph' }, times: 1, answer }]);
    await look(files);
    expect(found()).toEqual(names(newer));
    expect(warnings()).toEqual([]);
  });

  it('a look at an account writes down what it has shown and come to', async () => {
    const files = key();
    const account = files.account();
    await look(files);
    const next = files.add();
    await reconcileAndNote(files.accountWork(account), services(), wire.log);
    expect(await uses(files)).toMatchObject([
      { pinned: next.version, current: next.version, scopes: 'none', outcome: { result: 'done', reason: 'Moved' } },
    ]);
    wire.azure.faults.add([{ match: { path: `storageAccounts/${account.name}\\?` }, answer: { status: 500 } }]);
    await reconcileAndNote(files.accountWork(account), services(), wire.log);
    expect(await uses(files)).toMatchObject([
      { pinned: next.version, outcome: { result: 'retry', reason: 'ServiceUnavailable' } },
    ]);
  });
});

describe('an index that is wrong', () => {
  it('about who is there, which key it uses and how, is put right by whoever looks', async () => {
    const [files, other] = [key(), key()];
    const [right, elsewhere, gone] = [files.account(), other.account(), files.account()];
    await look(files);
    wire.sent.length = 0;
    wire.azure.world.storageAccounts.delete(gone.name);
    const [use] = await uses(files);
    if (!use) throw new Error('The index knows nothing.');
    const phantom = use.account.replace(/[^/]+$/, 'stphantom');
    await services().fleet.write([
      { put: 'use', use: { ...use, account: elsewhere.id } },
      { put: 'use', use: { ...use, account: phantom } },
      { put: 'use', use: { ...use, account: right.id, mode: 'automatic', current: 'f'.repeat(32) } },
    ]);
    await look(files);
    const messages = work();
    expect(messages).toHaveLength(4);
    for (const message of messages) {
      expect(await reconcileAndNote(message, services(), wire.log)).toEqual({ outcome: 'done' });
    }
    expect(await uses(files)).toMatchObject([{ account: right.id, mode: 'pinned', current: files.first.version }]);
  });

  it('about encryption scopes that are not there, is put right by whoever looks', async () => {
    const files = key();
    const scopes = [{ name: 'scope1', key: files.use('pinned') }];
    const [withNone, withOne, gone] = [files.account(), files.account('pinned', { scopes }), files.account()];
    const lookAtAll = async (): Promise<void> => {
      await look(files);
      for (const message of work()) {
        expect(await reconcileAndNote(message, services(), wire.log)).toEqual({ outcome: 'done' });
      }
    };
    await lookAtAll();
    const right = (await uses(files)).filter(({ account }) => account !== gone.id);
    expect(right.map(({ scope }) => scope).sort()).toEqual(['scope1', undefined, undefined]);
    wire.azure.world.storageAccounts.delete(gone.name);
    const [use] = right;
    if (!use) throw new Error('The index knows nothing.');
    const account = gone.id;
    const drop = { drop: 'account', account } as const;
    const ghosts = [withNone, withOne, gone].map(({ id }) => ({ ...use, account: id, scope: 'ghost' }));
    await services().fleet.write([...ghosts.map((ghost) => ({ put: 'use', use: ghost }) as const), drop]);
    expect(await uses(files)).toHaveLength(7);
    // What says that it has none is asked by the look after.
    await lookAtAll();
    await lookAtAll();
    expect((await uses(files)).map(({ account: id, scope }) => [id, scope])).toEqual(
      right.map(({ account: id, scope }) => [id, scope]),
    );
  });

  it('in a way that cannot be read counts as none: everything is listed, and written anew', async () => {
    const files = key();
    const accounts = [files.account(), files.account()];
    await look(files);
    found();
    const [use] = await uses(files);
    if (!use) throw new Error('The index knows nothing.');
    await services().fleet.write([{ put: 'use', use: { ...use, readOn: 'some day' } }]);
    const since = wire.azure.requests.last;
    await look(files);
    expect(found()).toEqual(names(...accounts));
    expect(lists(since).length).toBeGreaterThan(0);
    expect(await uses(files)).toHaveLength(2);
  });

  it.each([
    ['refuses the connection', undefined],
    ['fails', 500],
    ['does not answer', 0],
  ])('whose table %s: everything is listed, and that is said once', async (_, status) => {
    const server = createServer((_request, response) => {
      if (status) response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    if (status === undefined) server.close();
    try {
      const [files, other] = [key(), key()];
      const account = files.account();
      const byScope = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
      const broken = services(brokenTable(`http://127.0.0.1:${port}/devstoreaccount1`));
      await look(files, broken);
      expect(found()).toEqual(names(account, byScope));
      expect(warnings()).toEqual(['FleetIndexUnavailable']);
      files.add();
      const outcome = await reconcileAndNote(files.accountWork(account), broken, wire.log);
      expect(outcome).toEqual({ outcome: 'done' });
      await drift(broken);
      expect(warnings().filter((reason) => reason === 'FleetIndexUnavailable')).toHaveLength(3);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('whose address is none at all: everything is listed', async () => {
    const files = key();
    const account = files.account();
    await look(files, services({ AzureWebJobsStorage: wire.connectionString.replace(/TableEndpoint=[^;]+;/, '') }));
    expect(found()).toEqual(names(account));
    expect(warnings()).toEqual(['FleetIndexUnavailable']);
  });
});

describe('twenty keys at once', () => {
  it('list every subscription once, and ask each account for its scopes once', async () => {
    const keys = Array.from({ length: 20 }, key);
    const accounts = keys.map((one) => one.account());
    const all = services();
    const since = wire.azure.requests.last;
    await Promise.all(keys.map((one) => look(one, all)));
    expect(found()).toEqual(names(...accounts));
    expect(wire.arm(since, /providers\/Microsoft.Storage\/storageAccounts\?/)).toHaveLength(2);
    const asked = wire.arm(since, /\/encryptionScopes\?/).map(({ path }) => path);
    expect(new Set(asked).size).toBe(asked.length);
  });
});

describe('accounts that were never asked for their scopes', () => {
  it('beyond what is asked at once are asked one by one, and by one message for all keys', async () => {
    const [files, other] = [key(), key()];
    const region = { location: 'uksouth' };
    const many = Array.from({ length: 40 }, () => other.account('pinned', region));
    const scopes = [{ name: 'scope1', key: files.use('pinned') }];
    const byScope = other.account('pinned', { name: 'stzzzzzzzzzz', scopes, ...region });
    const all = services({ CMK_SUBSCRIPTIONS: SUBSCRIPTION_ID });
    await look(files, all);
    const asks = wire.sent
      .splice(0)
      .flatMap(({ work, delaySeconds }) => (work.kind === 'scopes' ? [{ work, delaySeconds }] : []));
    expect(asks.length).toBeGreaterThanOrEqual(many.length + 1 - 30);
    expect(Math.min(...asks.map(({ delaySeconds }) => delaySeconds))).toBeGreaterThanOrEqual(15);
    await look(other, all);
    expect(wire.sent.splice(0).filter(({ work }) => work.kind === 'scopes')).toEqual([]);

    const ask = asks.find(({ work: { account } }) => account === byScope.id)?.work as ScopesWork;
    expect(await reconcileUnasked(ask, all)).toEqual({ outcome: 'done' });
    expect(work()).toMatchObject([{ account: byScope.id, key: files.id() }]);
    expect((await uses(files)).map(({ account, scope }) => [account, scope])).toEqual([[byScope.id, 'scope1']]);
  });

  /** Azure refuses to list the scopes of an account, and says to come again in so many seconds. */
  const refuse = (path: string, seconds: string, times = 1) => {
    const answer = { status: 429, headers: { 'Retry-After': seconds }, body: { error: { code: 'TooManyRequests' } } };
    wire.azure.faults.add([{ match: { method: 'GET', path }, times, answer }]);
  };
  const placeOf = ({ id, location }: StorageAccount) => ({ subscriptionId: id.split('/')[2] ?? '', location });
  const ask = (of: StorageAccount, turn?: number): ScopesWork => {
    const cause = { by: 'drift', ref: '', since: '' };
    return { kind: 'scopes', account: of.id, location: of.location, turn, cause, attempt: 0 };
  };

  it('and whose list Azure refuses come back apart, and nobody lists there meanwhile', async () => {
    const files = key();
    const accounts = [files.account(), files.account(), files.account()];
    const [first] = accounts as [StorageAccount];
    // Two lists in five minutes.
    const paced = { turns: new Turns(0.02), schedule: new Turns(0.02) };
    const all = { ...services(), ...paced, random: () => 1, sleep: async () => {} };
    refuse(`/${first.name}/encryptionScopes`, '40');
    const since = wire.azure.requests.last;
    const outcomes: Outcome[] = [];
    for (const account of accounts) outcomes.push(await reconcileUnasked(ask(account), all));
    expect(lists(since).map(({ path }) => path)).toEqual([expect.stringContaining(first.name)]);
    expect(outcomes).toMatchObject(outcomes.map(() => ({ outcome: 'retry', reason: 'Throttled', counts: false })));
    const [refused, next, last] = outcomes.map((one) => (one.outcome === 'retry' ? one.delaySeconds : undefined));
    expect([refused, next]).toEqual([42, 42]);
    expect(last).toBeGreaterThan(290);
    const nowMs = wire.azure.clock.nowMs();
    for (const turns of [all.turns, all.schedule]) {
      expect(turns.closedMs(placeOf(first), { lists: 1 }, nowMs)).toBeGreaterThan(30_000);
      expect(turns.closedMs(placeOf(first), { reads: 1 }, nowMs)).toBe(0);
    }
  });

  it('and come too late for their turn give it back', async () => {
    const account = key().account();
    const place = placeOf(account);
    // Two lists in five minutes.
    const all = { ...services(), turns: new Turns(0.02), schedule: new Turns(0.02) };
    const nowMs = wire.azure.clock.nowMs();
    for (let n = 0; n < 2; n++) all.turns.take(place, { lists: 1 }, nowMs);
    all.schedule.take(place, { lists: 1 }, nowMs);
    const { turn } = handOut(all.schedule, place, LIST_CALLS, nowMs);
    expect(await reconcileUnasked(ask(account, turn), all)).toMatchObject({ reason: 'Throttled' });
    expect(all.schedule.take(place, { lists: 1 }, nowMs)).toBe(0);
  });

  it('and cannot be asked now come back without their turn, which is not given back once more', async () => {
    const account = key().account();
    wire.azure.faults.add([
      { match: { path: `/${account.name}/encryptionScopes` }, answer: { status: 503, body: { error: { code: 'x' } } } },
    ]);
    const outcome = await reconcileUnasked(ask(account, wire.azure.clock.nowMs()), services());
    expect(outcome).toMatchObject({ outcome: 'retry', with: { kind: 'scopes', turn: undefined } });
  });

  it('and are to be asked at once are not, and none before it is time, once Azure has refused one', async () => {
    const [files, other] = [key(), key()];
    const region = { location: 'francecentral' };
    const account = other.account('pinned', region);
    for (let n = 0; n < 39; n++) other.account('pinned', region);
    const all = services({ CMK_SUBSCRIPTIONS: SUBSCRIPTION_ID });
    refuse(`/encryptionScopes`, '200', 40);
    const begunMs = wire.azure.clock.nowMs();
    await look(files, all);
    const tookSeconds = Math.ceil((wire.azure.clock.nowMs() - begunMs) / 1_000);
    const asks = wire.sent.splice(0).filter(({ work }) => work.kind === 'scopes');
    const there = asks.filter(({ work }) => work.kind === 'scopes' && work.location === region.location);
    expect(there).toHaveLength(40);
    expect(Math.min(...there.map(({ delaySeconds }) => delaySeconds))).toBeGreaterThanOrEqual(200 - tookSeconds);
    const nowMs = wire.azure.clock.nowMs();
    expect(all.turns.closedMs(placeOf(account), { lists: 1 }, nowMs)).toBeGreaterThan(150_000);
  });
});
