import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CallCapacity } from '../../src/azure/call-capacity.ts';
import { KeyStates } from '../../src/controller/key-states.ts';
import { reconcileKey } from '../../src/controller/reconcile-key.ts';
import { reconcileSubscription } from '../../src/controller/reconcile-subscription.ts';
import type { FleetServices } from '../../src/controller/worker-ports.ts';
import { createFleetIndex } from '../../src/index/fleet-index.ts';
import { toUseRow, type UseRow } from '../../src/index/use-row.ts';
import { createKeyItem, NO_SUBSCRIPTION } from '../../src/index/work-items.ts';
import { KEY, keyVersion, SUBSCRIPTION, VAULT, VAULTS, versionName } from '../support/keys.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import {
  account,
  CAUSE,
  Fleet,
  FOREIGN,
  idOf,
  NONE_FIXED,
  notFound,
  OTHER,
  openStates,
  saveState,
  scopeOf,
  WRITTEN,
} from './fleet.ts';

describe('A list of a subscription', () => {
  it('A list of a subscription puts uses of all keys into the index, lists the scopes, and drops the rows of deleted accounts', async () => {
    const fleet = new Fleet();

    fleet.add(account('st1'), account('st2', { vault: FOREIGN }));
    fleet.scopes.set('st1', [scopeOf(FOREIGN)]);
    fleet.scopes.set('st2', [scopeOf(VAULT.uri)]);
    await fleet.pass('list');

    expect(fleet.uses().sort()).toEqual(['st1 own', 'st1/scope foreign', 'st2 foreign', 'st2/scope own']);
    expect(await fleet.unlisted()).toEqual([]);
    expect([...(await createFleetIndex(fleet.table.port()).listings()).keys()]).toEqual([SUBSCRIPTION]);

    // A stage is decided with them.
    expect(fleet.items.all.map(({ kind, about }) => [kind, about])).toEqual([['key', KEY.id]]);

    fleet.accounts.clear();
    await fleet.pass('list');

    expect(fleet.uses()).toEqual([]);
    expect(fleet.table.all.map(({ partitionKey }) => partitionKey)).toEqual(['listings']);
  });

  it('A list of a subscription writes a wave that has changed to the rows of the scopes, too', async () => {
    const fleet = new Fleet();
    fleet.add(account('st1'));
    fleet.scopes.set('st1', [scopeOf(VAULT.uri)]);
    await fleet.pass('list');
    fleet.add(account('st1', { wave: '3' }));
    await fleet.pass('list');
    expect(fleet.uses()).toEqual(['st1 own wave 3', 'st1/scope own wave 3']);
  });

  it('A list of a subscription drops the use of a foreign key that an account has left', async () => {
    const fleet = await Fleet.listed(account('st1', { vault: FOREIGN }));
    fleet.add(account('st1'));
    await fleet.pass('list');
    expect(fleet.uses()).toEqual(['st1 own']);
  });

  it('A list of a subscription takes less than one request to own storage for each of 500 accounts', async () => {
    const fleet = await Fleet.listed(...Array.from({ length: 500 }, (_, n) => account(`st${n}`)));
    expect(fleet.uses()).toHaveLength(500);
    expect(fleet.requests).toBeLessThan(100);
  });

  it.each(['list', 'key'] as const)(
    'A pass reads the index with eight queries at a time, whatever the number of keys (%s)',
    async (kind) => {
      const keys = Array.from({ length: 100 }, (_, n) => `key-${n}`);
      const fleet = await Fleet.listed(...keys.map((keyName) => account(`st-${keyName}`, { keyName })));

      fleet.items.clear();

      let inFlight = 0;
      let most = 0;
      const { rows, now } = fleet.ports();
      const of: typeof rows.of = async function* (...about) {
        inFlight += 1;
        most = Math.max(most, inFlight);
        await setImmediate();
        yield* rows.of(...about);
        inFlight -= 1;
      };

      const item = { subscription: SUBSCRIPTION, kind, due: now(), since: now(), cause: CAUSE };

      for (const about of kind === 'key' ? keys.map((key) => `${VAULT.uri}/keys/${key}`) : ['']) {
        fleet.items.put({ ...item, about });
      }

      await reconcileSubscription(SUBSCRIPTION, new Date(fleet.clock + 240_000), {
        ...fleet.ports(),
        rows: { ...rows, of },
      });

      expect(most).toBe(8);
    },
  );

  it('A list of a subscription reads accounts that it lacks with a quarter of the budget of 640, even if a read fails', async () => {
    const fleet = await Fleet.listed(...Array.from({ length: 200 }, (_, n) => account(`st${n}`)));
    fleet.accounts.clear();

    const { accounts } = fleet.ports();
    const get: typeof accounts.get = async (id) => {
      if (id.name === 'st0') throw Object.assign(new Error('denied'), { statusCode: 403 });
      return accounts.get(id);
    };
    await fleet.pass('list', '', { accounts: { ...accounts, get } });

    // One of the 160 reads is refused.
    expect(fleet.uses()).toHaveLength(200 - 159);
  });

  it('A list whose reads the end of the pass aborts does not close their region', async () => {
    const fleet = await Fleet.listed(...Array.from({ length: 8 }, (_, n) => account(`st${n}`)));
    fleet.accounts.clear();
    const { accounts, capacity } = fleet.ports();
    const get: typeof accounts.get = async (_, signal = new AbortController().signal) => {
      await once(signal, 'abort');
      throw Object.assign(new Error('aborted'), { name: 'AbortError' });
    };
    await fleet.pass('list', '', { capacity, accounts: { ...accounts, get } });
    expect(capacity.waitMs('westeurope', fleet.clock)).toBe(0);
  });

  it('A list of a subscription waits while many results are pending, so that it does not fill the memory', async () => {
    const fleet = new Fleet();

    fleet.add(...Array.from({ length: 2_000 }, (_, n) => account(`st${n}`)));

    const { rows } = fleet.ports();
    const lengths: number[] = [];
    const put = (all: readonly UseRow[]) => {
      lengths.push(all.length);
      return rows.put(all);
    };

    await fleet.pass('list', '', { rows: { ...rows, put } });

    expect(fleet.uses()).toHaveLength(2_000);
    expect(Math.max(...lengths)).toBeLessThan(250);
  });

  it('A list of a subscription is not delayed by another subscription whose list fails', async () => {
    const capacity = new CallCapacity();
    const other = new Fleet();
    const list = async function* () {
      yield await Promise.reject(Object.assign(new Error('down'), { statusCode: 503 }));
    };
    const ports = { ...other.ports(), capacity, accounts: { ...other.ports().accounts, list } };
    const due = new Date(other.clock);
    const until = new Date(other.clock + 240_000);
    for (let n = 0; n < 5; n += 1) {
      other.items.put({ subscription: 'other', kind: 'list', about: '', due, since: due, cause: CAUSE });
      await reconcileSubscription('other', until, ports);
    }

    const fleet = new Fleet();

    fleet.add(account('st1'));
    await fleet.pass('list', '', { capacity });

    expect(fleet.uses()).toEqual(['st1 own']);
    expect(fleet.clock - due.getTime()).toBeLessThan(1_000);
  });

  it('A list of a subscription is not delayed by four lists of other subscriptions that take long', async () => {
    const capacity = new CallCapacity();
    const slow = Promise.withResolvers<void>();
    const others = Array.from({ length: 4 }, () => {
      const other = new Fleet();
      const list = async function* () {
        await slow.promise;
        yield account('st2');
      };
      return other.pass('list', '', { capacity, accounts: { ...other.ports().accounts, list } });
    });

    const fleet = new Fleet();

    fleet.add(account('st1'));
    await fleet.pass('list', '', { capacity });

    expect(fleet.uses()).toEqual(['st1 own']);

    slow.resolve();
    await Promise.all(others);
  });
});

it('A list that Azure refuses for lack of a role is retried within minutes, and hourly after eight attempts', async () => {
  const fleet = new Fleet();
  const denied = Object.assign(new Error('denied'), { statusCode: 403, code: 'AuthorizationFailed' });
  const list = async function* () {
    yield await Promise.reject(denied);
  };
  const ports = { ...fleet.ports(), accounts: { ...fleet.ports().accounts, list } };
  const due = new Date(fleet.clock);

  fleet.items.put({ subscription: SUBSCRIPTION, kind: 'list', about: '', due, since: due, cause: CAUSE });

  const waits: number[] = [];
  for (let attempt = 0; attempt < 10; attempt += 1) {
    await reconcileSubscription(SUBSCRIPTION, new Date(fleet.clock + 240_000), ports);

    const next = fleet.items.all[0]?.due.getTime() ?? 0;
    waits.push(Math.round((next - fleet.clock) / 1000));
    fleet.clock = next;
  }

  expect(waits).toEqual([15, 30, 60, 120, 240, 300, 300, 300, 3_600, 3_600]);
});

it('A pass that loses its lease releases it once its calls have ended: no worker waits until it expires', async () => {
  const fleet = new Fleet();
  const { accounts } = fleet.ports();
  const leases = new MemoryLeases(() => new Date(fleet.clock));
  let expire = () => {};
  const acquire: typeof leases.acquire = async (name) => {
    const lease = await leases.acquire(name);
    expire = () => lease?.expire();
    return lease;
  };

  const list: typeof accounts.list = async function* () {
    expire();
    yield account('st1');
  };

  await fleet.pass('list', '', { leases: { acquire }, accounts: { ...accounts, list } });

  const next = await leases.acquire(`subscription/${SUBSCRIPTION}`);
  expect(next?.held()).toBe(true);
});

describe('Scopes', () => {
  it('Scopes are listed as the budgets admit, and the item says that some never were', async () => {
    const fleet = await Fleet.listed(...Array.from({ length: 100 }, (_, n) => account(`st${n}`)));
    expect(await fleet.unlisted()).toHaveLength(30);
    const item = fleet.items.all.find(({ kind }) => kind === 'scopes');
    expect(item).toMatchObject({ reason: 'ScopesNotListed' });
    fleet.clock += 600_000;
    await fleet.pass('scopes');
    expect(await fleet.unlisted()).toEqual([]);
    expect(fleet.items.all.map(({ kind }) => kind)).not.toContain('scopes');
  });

  it('Scopes are listed once for each account of a large subscription', async () => {
    const fleet = new Fleet();

    fleet.add(...Array.from({ length: 1_000 }, (_, n) => account(`st${n}`)));

    const { accounts } = fleet.ports();
    const listScopes: typeof accounts.listScopes = async function* (id) {
      fleet.calls.push(`list scopes ${id.name}`);
      for (let n = 0; n < 200; n += 1) await setImmediate();
      yield* [];
    };

    await fleet.pass('list', '', { accounts: { ...accounts, listScopes } });

    const names = fleet.calls.filter((call) => call.startsWith('list scopes'));
    expect(names.length).toBeGreaterThan(30);
    expect(new Set(names).size).toBe(names.length);
  });

  it('Scopes are listed once where they are not found although their account is', async () => {
    const fleet = new Fleet();
    fleet.add(account('st1'));
    let lists = 0;
    const listScopes = async function* () {
      lists += 1;
      yield await Promise.reject(notFound());
    };
    await fleet.pass('list', '', { accounts: { ...fleet.ports().accounts, listScopes } });
    expect(lists).toBe(1);
  });

  it('Scopes are listed again after a day, and not before', async () => {
    const fleet = await Fleet.listed(account('st1'));
    const lists = () => fleet.calls.filter((call) => call === 'list scopes st1').length;
    fleet.clock += 3_600_000;
    await fleet.pass('list');
    expect(lists()).toBe(1);
    fleet.clock += 24 * 3_600_000;
    await fleet.pass('list');
    expect(lists()).toBe(2);
  });

  it('Scopes of one account are listed on request, so that the index has a scope created since the last list', async () => {
    const fleet = await Fleet.listed(account('st1'), account('st2'));

    fleet.calls.length = 0;
    fleet.items.clear();
    fleet.scopes.set('st1', [scopeOf(VAULT.uri)]);
    fleet.clock += 3_600_000;
    await fleet.pass('scopes', idOf('st1'));

    expect(fleet.uses()).toEqual(['st1 own', 'st2 own', 'st1/scope own']);
    expect(fleet.calls).toEqual(['list scopes st1']);

    // A stage is decided with it.
    expect(fleet.items.all.map(({ kind, about }) => [kind, about])).toEqual([['key', KEY.id]]);
  });

  it('Scopes of an account that the index lacks are listed with it', async () => {
    const fleet = await Fleet.listed(account('st1'));
    fleet.add(account('st2'));
    fleet.scopes.set('st2', [scopeOf(VAULT.uri)]);
    await fleet.pass('scopes', idOf('st2'));
    expect(fleet.uses()).toEqual(['st1 own', 'st2 own', 'st2/scope own']);
  });

  it('Scopes of one account are listed although the lists of other accounts have used up their budget', async () => {
    const fleet = new Fleet();
    const leases = new MemoryLeases(() => new Date(fleet.clock));
    fleet.add(...Array.from({ length: 100 }, (_, n) => account(`st${n}`)));
    await fleet.pass('list', '', { leases });
    const last = (await fleet.unlisted()).at(-1) ?? '';
    fleet.scopes.set(last, [scopeOf(VAULT.uri)]);
    await fleet.pass('scopes', idOf(last), { leases });
    expect(fleet.uses()).toContain(`${last}/scope own`);
    expect(await fleet.unlisted()).toHaveLength(29);
  });
});

describe('reconcileKey', () => {
  it('reconcileKey leaves an item of an event unchanged when the drift check asks for the same key', async () => {
    const fleet = await Fleet.listed(account('st1'));
    const now = new Date(fleet.clock);
    const item = { kind: 'key', about: KEY.id, due: now, since: now } as const;
    const drift = { by: 'drift', ref: '', since: now.toISOString() };

    fleet.items.put({ ...item, subscription: SUBSCRIPTION, cause: { ...drift, by: 'event' } });
    fleet.items.put({ ...item, subscription: NO_SUBSCRIPTION, cause: drift });

    const ports = { ...fleet.ports(), keys: { listVersions: async () => [keyVersion(1), keyVersion(2)] } };

    await reconcileKey(KEY, drift, ports);

    const found = fleet.items.all.filter(({ kind }) => kind === 'key');
    expect(found).toMatchObject([{ subscription: SUBSCRIPTION, cause: { by: 'event' } }]);
  });

  it('reconcileKey lets an event move a use that the drift check must not move', async () => {
    const fleet = await Fleet.listed(account('st1'));

    fleet.items.clear();

    const ports = { ...fleet.ports(), keys: { listVersions: async () => [keyVersion(1), keyVersion(2)] } };
    const [row] = fleet.table.all.flatMap((stored) => toUseRow(stored) ?? []);
    if (!row) throw new Error('The list has put no use.');

    await ports.rows.put([{ ...row, state: 'skipped', reason: 'LeftByCheck', target: keyVersion(2).id }]);

    const cause = { ref: '', since: '' };

    await reconcileKey(KEY, { ...cause, by: 'drift' }, ports);

    expect(fleet.items.all).toEqual([]);

    // The sweep goes on for the drift check, and later for the event.
    await reconcileKey(KEY, { ...cause, by: 'sweep' }, ports);

    expect(fleet.items.all).toEqual([]);

    const byEvent = [{ subscription: SUBSCRIPTION, kind: 'key', cause: { by: 'event' } }];

    await reconcileKey(KEY, { ...cause, by: 'event' }, ports);

    expect(fleet.items.all).toMatchObject(byEvent);

    fleet.items.clear();
    await reconcileKey(KEY, { ...cause, by: 'sweep' }, ports);

    expect(fleet.items.all).toMatchObject(byEvent);
  });

  it('reconcileKey keeps the rollout of an event when a late item of the first start arrives', async () => {
    const fleet = new Fleet();
    const other = '22222222-2222-4222-8222-222222222222';
    const st2 = account('st2');

    fleet.add(account('st1'), { ...st2, id: st2.id.replace(SUBSCRIPTION, other), subscriptionId: other });

    const base = fleet.ports();
    let newest = 2;
    const listVersions = async () => Array.from({ length: newest }, (_, n) => keyVersion(n + 1));
    const moved: string[] = [];
    let proven: 'proven' | undefined;
    const { moved: movedUses, rollouts, orders, now } = base;
    const ports: FleetServices = {
      ...base,
      keys: { listVersions },
      states: new KeyStates({ keys: { listVersions }, orders, moved: movedUses, rollouts, vaults: VAULTS, now }),
      exclusions: NONE_FIXED,
      probe: async () => proven,
      inSight: async () => [SUBSCRIPTION, other],
      accounts: {
        ...base.accounts,
        list: async function* (subscription) {
          for (const one of fleet.accounts.values()) {
            if (one.subscriptionId === subscription) yield one;
          }
        },
        async updateEncryption({ name }, { keyVaultProperties }) {
          moved.push(`${name} ${keyVaultProperties?.keyVersion === versionName(newest) ? 'newest' : 'older'}`);
          const { encryption } = account(name, { version: newest });
          const after = { ...(fleet.accounts.get(name) ?? st2), encryption };
          fleet.add(after);
          return after;
        },
      },
    };

    const cause = (by: string) => ({ by, ref: '', since: '' });
    const pass = (id: string) => reconcileSubscription(id, new Date(fleet.clock + 240_000), ports);

    for (const subscription of [SUBSCRIPTION, other]) {
      fleet.items.put({ due: now(), since: now(), subscription, kind: 'list', about: '', cause: cause('start') });
      await pass(subscription);
    }

    await reconcileKey(KEY, cause('start'), ports);
    await pass(SUBSCRIPTION);
    await reconcileKey(KEY, cause('progress'), ports);
    newest = 3;
    fleet.clock += 6_000;
    await reconcileKey(KEY, cause('KeyNewVersionCreated'), ports);
    await pass(SUBSCRIPTION);

    expect(moved).toEqual(['st1 newest']);

    await pass(other); // with the item of the start
    fleet.clock += 10_000;
    await reconcileKey(KEY, cause('progress'), ports);
    proven = 'proven';
    fleet.clock += 130_000;
    await reconcileKey(KEY, cause('sweep'), ports);
    await pass(other);

    expect(moved).toEqual(['st1 newest', 'st2 newest']);
  });

  it('reconcileKey detects the end of a pause itself, and requests the deferred moves', async () => {
    const fleet = await Fleet.listed(account('st1'));

    fleet.items.clear();

    const now = new Date(fleet.clock);
    const cause = { by: 'event', ref: '', since: now.toISOString() };
    const later = new Date(fleet.clock + 3_600_000);

    fleet.items.put({ ...createKeyItem(KEY.id, cause, now), subscription: SUBSCRIPTION, due: later, reason: 'Paused' });
    fleet.items.put(createKeyItem(KEY.id, cause, now));

    const ports = { ...fleet.ports(), keys: { listVersions: async () => [keyVersion(1), keyVersion(2)] } };
    const pause = { id: 'pause', reason: 'a test', by: { objectId: 'operator' }, since: now.toISOString() };

    await ports.orders.change((orders) => ({ ...orders, pauses: [pause] }));
    await reconcileKey(KEY, cause, ports);

    const own = fleet.items.all.find(({ subscription }) => subscription === NO_SUBSCRIPTION);
    expect(own).toMatchObject({ reason: 'Paused', due: new Date(fleet.clock + 120_000) });

    await ports.orders.change((orders) => ({ ...orders, pauses: [] }));
    await reconcileKey(KEY, { ...cause, by: 'sweep' }, ports);

    expect(fleet.items.all).toMatchObject([{ subscription: SUBSCRIPTION, due: now }]);
  });

  it('reconcileKey counts no use of a subscription that the app does not manage', async () => {
    const fleet = await Fleet.listed(account('st1'));
    const versions = { listVersions: async () => [keyVersion(1), keyVersion(2)] };
    const inSight = async () => ['22222222-2222-4222-8222-222222222222'];
    await createFleetIndex(fleet.table.port()).listed(String(await inSight()), new Date(fleet.clock));
    await reconcileKey(KEY, CAUSE, { ...fleet.ports(), keys: versions, inSight });
    expect(fleet.rollouts.all).toMatchObject([[KEY.id, { unfinished: 0 }]]);
  });

  it('reconcileKey waits for a first list whose pass ended before it began', async () => {
    const fleet = await Fleet.listed();
    const ports = { ...fleet.ports(), fleet: { ...fleet.ports().fleet, listings: async () => new Map() } };
    await reconcileKey(KEY, CAUSE, ports);
    for (let n = 0; n < 4; n += 1) ports.capacity.subscriptionLists(() => new Promise(() => {}));
    await reconcileSubscription(SUBSCRIPTION, new Date(fleet.clock + 14_000), ports);
    expect(fleet.items.all).toContainEqual(expect.objectContaining({ kind: 'list', attempts: 1, reason: 'Busy' }));
    await reconcileKey(KEY, CAUSE, ports);
    expect(fleet.rollouts.all).toEqual([]);
  });

  it('reconcileKey decides nothing while a subscription was never listed, unless its list failed', async () => {
    const fleet = new Fleet();

    fleet.add(account('st1'));
    await reconcileKey(KEY, CAUSE, fleet.ports());

    expect(fleet.rollouts.all).toEqual([]);
    expect(fleet.items.all.map(({ kind, reason }) => [kind, reason])).toEqual([
      ['key', 'FleetNotListed'],
      ['list', undefined],
    ]);

    const [, list] = fleet.items.all;
    if (list) await fleet.items.port().postpone(list, { due: list.due, attempts: 1, reason: 'SubscriptionUnreadable' });

    await reconcileKey(KEY, CAUSE, fleet.ports());

    expect(fleet.rollouts.all).toHaveLength(1);
  });
});

it('A pass logs how many uses it worked on, its requests and its time', async () => {
  const fleet = await Fleet.listed(account('st1'));
  expect(fleet.logs).toMatchObject([{ reason: 'PassDone', subscription: SUBSCRIPTION, requests: 2, moved: 0 }]);
});

it('A use that the drift check must not move is skipped without a read, with the reason in its row', async () => {
  const fleet = await Fleet.listed(account('st1'));

  fleet.calls.length = 0;

  const drift = { by: 'drift', ref: '', since: '' };
  const ports = { ...fleet.ports(), exclusions: NONE_FIXED };

  fleet.items.put({ ...createKeyItem(KEY.id, drift, ports.now()), subscription: SUBSCRIPTION });

  const states = openStates([keyVersion(1), keyVersion(2)], ports.now);

  await reconcileSubscription(SUBSCRIPTION, new Date(fleet.clock + 240_000), { ...ports, states });

  expect(fleet.calls).toEqual([]);

  const rows = fleet.table.all.flatMap((row) => toUseRow(row) ?? []);
  expect(rows).toMatchObject([{ state: 'skipped', reason: 'LeftByCheck', target: keyVersion(2).id }]);
});

it('A move is recorded once when an item has its use read again before the record is appended', async () => {
  const fleet = await Fleet.listed(account('st1'));
  const gets = () => fleet.calls.filter((call) => call === 'get st1').length;
  const { now, accounts } = fleet.ports();
  const after = account('st1', { version: 2 });

  await fleet.pass('key', KEY.id, {
    states: openStates([keyVersion(1), keyVersion(2)], now),
    accounts: {
      ...accounts,
      updateEncryption: async () => {
        fleet.add(after);
        const item = createKeyItem(KEY.id, CAUSE, new Date(fleet.clock + 1));
        fleet.items.put({ ...item, subscription: SUBSCRIPTION, fresh: true });
        return after;
      },
    },
    audit: async ({ details }) => {
      // The trail takes until the use has been read again.
      for (let n = 0; n < 100 && gets() < 2; n += 1) await setImmediate();
      fleet.details.push(details);
      return WRITTEN;
    },
  });

  expect(fleet.details).toEqual([expect.not.objectContaining({ provenBy: 'read' })]);
  expect(gets()).toBe(2);
});

it('A pass records a move to another key that an earlier list has shown, without a read', async () => {
  const fleet = await Fleet.listed(account('st1'));

  fleet.add(account('st1', { keyName: 'other-key' }));

  const now = new Date(fleet.clock);
  const due = new Date(fleet.clock + 600_000);
  const targets = { [OTHER]: `${OTHER}/${versionName(1)}` };

  fleet.items.put({ subscription: SUBSCRIPTION, kind: 'verify', about: '', due, since: now, cause: CAUSE });

  const leases = new MemoryLeases(() => new Date(fleet.clock));
  const unverified = { startedOn: now.toISOString(), targets };

  await saveState({ unverified, unclean: 0, usage: {} }, leases);
  fleet.isGetDown = true;
  await fleet.pass('list', '', { leases });
  fleet.isGetDown = false;
  fleet.clock += 120_000;
  await fleet.pass('list', '', { leases });

  expect(fleet.details).toMatchObject([{ rekey: 'rekey-1' }]);
  expect(fleet.uses()).toEqual(['st1 foreign']);
});
