import { describe, expect, it } from 'vitest';
import type { Dependent, DiscoveryServices } from '../../src/accounts/dependent.ts';
import { type Discovered, discoverDependents } from '../../src/accounts/discovery.ts';
import { changesOf, changesOfAsked } from '../../src/accounts/fleet-entries.ts';
import { AccountSighting, FleetNotes } from '../../src/accounts/reconcile-and-note.ts';
import { mayPass } from '../../src/azure/failure.ts';
import { Turns } from '../../src/azure/turns.ts';
import type { Account, Scope } from '../../src/fleet/account.ts';
import { createFleetIndex } from '../../src/fleet/create-fleet-index.ts';
import { type FleetTable, LISTINGS, type Row, type RowChange } from '../../src/fleet/fleet-rows.ts';
import { IndexBuilding } from '../../src/fleet/index-building.ts';
import type { StorageAccounts } from '../../src/fleet/storage-client.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import { DONE } from '../../src/work/outcome.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';

const NOW = new Date('2026-06-01T12:00:00.000Z');
const other = (name: string): ManagedKey => ({ ...KEY, name, id: `${KEY.vault.uri}/keys/${name}` });
const [SECOND, THIRD] = [other('second-key'), other('third-key')];
const version = '0'.repeat(32);

function account(name: string, key: ManagedKey = KEY, resourceGroup = 'rg'): Account {
  const type = 'Microsoft.Storage/storageAccounts';
  return {
    id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/${resourceGroup}/providers/${type}/${name}`,
    ...{ subscriptionId: SUBSCRIPTION, resourceGroup, type, name, location: 'westeurope', tags: {} },
    ...{ userAssignedIdentities: [], principalIds: {}, systemPrincipalId: undefined },
    encryption: {
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { keyVaultUri: key.vault.uri, keyName: key.name, keyVersion: version },
    },
  };
}

const scopeOf = ({ id }: ManagedKey): Scope => ({ name: 'scope1', enabled: true, keyUri: id, currentKeyId: undefined });

/** Accounts and their scopes, the index in memory, and what Resource Graph is made to show. */
class Azure {
  readonly table = new MemoryFleetTable();
  readonly fleet = createFleetIndex(this.table.port());
  /** One instance of the app. */
  readonly #building = new IndexBuilding();
  accounts: Account[] = [];
  scopes = new Map<string, Scope[]>();
  graph: () => Promise<readonly Pick<Account, 'id' | 'location'>[]> = async () => [];

  ask: (accounts: readonly Dependent[]) => Promise<void> = async () => {};
  last: Discovered | undefined;

  services(more: Partial<DiscoveryServices> = {}): DiscoveryServices {
    const { fleet } = this;
    const accounts = {
      list: async function* (this: Azure) {
        yield* this.accounts;
      }.bind(this),
      listScopes: async function* (this: Azure, { id }: { id: string }) {
        yield* this.scopes.get(id) ?? [];
      }.bind(this),
    } as unknown as StorageAccounts;
    const graph = () => this.graph();
    return {
      ...{ accounts, fleet, settings: { scopeDiscovery: 'all' }, building: this.#building },
      ...{ turns: new Turns(1), schedule: new Turns(1) },
      accountsOfKey: {
        using: async function* () {
          yield* await graph();
        },
      },
      now: () => NOW,
      sleep: async () => {},
      ...more,
    };
  }

  async look(key: ManagedKey = KEY, services = this.services()): Promise<string[]> {
    return (await this.dependents(key, services)).map(({ id }) => id);
  }

  async dependents(key: ManagedKey = KEY, services = this.services(), ids = [SUBSCRIPTION]): Promise<Dependent[]> {
    const all: Dependent[] = [];
    const searched = { ids, list: [] };
    const found = async (one: Dependent): Promise<void> => void all.push(one);
    this.last = await discoverDependents(key, searched, services, { found, ask: this.ask }, () => {});
    return all;
  }
}

describe('an account that was moved to another resource group', () => {
  it('is looked at where it is now, although the index has it where it was', async () => {
    const azure = new Azure();
    const [before, after] = [account('st1'), account('st1', KEY, 'rg-new')];
    azure.accounts = [before];
    expect(await azure.look()).toEqual([before.id]);
    azure.accounts = [after];
    azure.graph = async () => [after];
    expect(await azure.look()).toContain(after.id);
  });

  it('is found where it is now by a scope alone, once somebody has looked for it where it was', async () => {
    const azure = new Azure();
    const other = { ...KEY, id: `${KEY.vault.uri}/keys/other`, name: 'other' };
    const [before, after] = [account('st1', other), account('st1', other, 'rg-new')];
    azure.accounts = [before];
    azure.scopes.set(before.id, [scopeOf(KEY)]);
    expect(await azure.look()).toEqual([before.id]);
    // A list of accounts shows where it is by now, and not its scopes.
    const known = await azure.fleet.account(before.id);
    await azure.fleet.write(changesOf({ account: after, scopes: undefined }, known, NOW));
    azure.accounts = [after];
    const sighting = new AccountSighting();
    sighting.isGone = true;
    const cause = { by: 'drift', ref: '', since: '' };
    const about = { account: before.id, location: 'westeurope', key: KEY.id, cause, attempt: 0 };
    const notes = new FleetNotes({ fleet: azure.fleet, now: () => NOW });
    await notes.write({ kind: 'account', ...about }, sighting, DONE, () => {});
    expect(await azure.look()).toEqual([after.id]);
  });

  it('is not forgotten by whoever looks for it where it was', async () => {
    const azure = new Azure();
    const [before, after] = [account('st1'), account('st1', KEY, 'rg-new')];
    azure.accounts = [after];
    await azure.look();
    const sighting = new AccountSighting();
    sighting.isGone = true;
    const cause = { by: 'drift', ref: '', since: '' };
    const work = {
      kind: 'account',
      account: before.id,
      location: 'westeurope',
      key: KEY.id,
      cause,
      attempt: 0,
    } as const;
    await new FleetNotes({ fleet: azure.fleet, now: () => NOW }).write(work, sighting, DONE, () => {});
    expect(await azure.look()).toEqual([after.id]);
    await new FleetNotes({ fleet: azure.fleet, now: () => NOW }).write(
      { ...work, account: after.id },
      sighting,
      DONE,
      () => {},
    );
    expect(await azure.look()).toEqual([]);
  });
});

describe('accounts that a look asks for their scopes', () => {
  it('are not asked by others too: each is written down at once, and left out where somebody else has asked', async () => {
    const azure = new Azure();
    azure.accounts = Array.from({ length: 10 }, (_, n) => account(`st${n}`, SECOND));
    const asked: string[] = [];
    const order: string[] = [];
    let knownThen: unknown;
    const services = azure.services({ now: () => new Date(NOW.getTime() + asked.length) });
    const askElsewhere = async () => {
      for await (const unasked of azure.fleet.unasked()) order.push(unasked.account);
      const [ninth = ''] = order.slice(8);
      await azure.fleet.write(changesOfAsked({ account: ninth, location: 'westeurope' }, [], services.now()));
    };
    let elsewhere: Promise<void> | undefined;
    services.accounts.listScopes = async function* ({ id }) {
      asked.push(id);
      elsewhere ??= askElsewhere();
      await elsewhere;
      if (asked.length === 9) knownThen = (await azure.fleet.account(order[0] ?? ''))?.scopes;
      yield* [];
    };
    expect(await azure.look(KEY, services)).toEqual([]);
    expect(asked.sort()).toEqual(order.filter((_, index) => index !== 8).sort());
    expect(knownThen).toBe('none');
  });

  it('leave an eighth of the lists to events, also those that are asked at once', async () => {
    const azure = new Azure();
    azure.accounts = Array.from({ length: 40 }, (_, n) => account(`st${n}`, SECOND));
    const turns = new Turns(1);
    const place = { subscriptionId: SUBSCRIPTION, location: 'westeurope' };
    turns.take(place, { lists: 80 }, NOW.getTime());
    const asked: string[] = [];
    azure.ask = async (accounts) => void asked.push(...accounts.map(({ id }) => id));
    await azure.look(KEY, azure.services({ turns }));
    expect(asked).toHaveLength(32);
    expect(turns.take(place, { lists: 12 }, NOW.getTime())).toBe(0);
  });
});

it('an account of which the index is not heard is asked for its scopes, and so are the others', async () => {
  const azure = new Azure();
  azure.accounts = Array.from({ length: 10 }, (_, n) => account(`st${n}`, SECOND));
  let reads = 0;
  const fleet = {
    ...azure.fleet,
    account: (id: string) => {
      reads += 1;
      return reads === 1 ? Promise.reject(new Error('no answer')) : azure.fleet.account(id);
    },
  };
  await azure.look(KEY, azure.services({ fleet }));
  expect(azure.last).toMatchObject({ indexed: true, unreadableScopes: [] });
  expect(
    (await Promise.all(azure.accounts.map(({ id }) => azure.fleet.account(id)))).map((one) => one?.scopes),
  ).toEqual(azure.accounts.map(() => 'none'));
});

it('lists of scopes have their turns without an index too: no more are asked for than Azure takes', async () => {
  const azure = new Azure();
  azure.accounts = Array.from({ length: 120 }, (_, n) => account(`st${n}`, SECOND));
  const noTable = azure.table.port(() => Promise.reject(new Error('no table')));
  const services = azure.services({ fleet: createFleetIndex(noTable) });
  const { accounts } = services;
  let lists = 0;
  accounts.listScopes = async function* () {
    lists += 1;
    yield* [];
  };
  await azure.look(KEY, services);
  expect(lists).toBe(100);
  const left = azure.last?.unreadableScopes.map(({ failure }) => [failure.kind, failure.retryAfterSeconds]);
  expect(left).toEqual(Array.from({ length: 20 }, () => ['throttled', 305]));
});

describe('keys that are looked at together', () => {
  /** By the order in which they are found the accounts have their turns: a key's, side by side, share lists of its versions. */
  it.each(['index', 'Resource Graph'])('find what depends on each in one go, by the %s', async (by) => {
    const azure = new Azure();
    const of = (key: ManagedKey) => Array.from({ length: 24 }, (_, index) => account(`${key.name}${index}`, key));
    const fleets = [KEY, SECOND, THIRD].map((key) => ({ key, accounts: of(key) }));
    if (by === 'index') azure.accounts = fleets.flatMap(({ accounts }) => accounts);
    await azure.look(other('nobodys-key'));
    const order: string[] = [];
    const found = async ({ id }: Dependent): Promise<void> => {
      order.push(id);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const looks = fleets.map(({ key, accounts }) => {
      const using = async function* () {
        if (by !== 'index') yield* accounts;
      };
      const services = azure.services({ accountsOfKey: { using } });
      const searched = { ids: [SUBSCRIPTION], list: [] };
      return discoverDependents(key, searched, services, { found, ask: azure.ask }, () => {});
    });
    await Promise.all(looks);
    expect(order).toHaveLength(72);
    const keys = order.map((id) => id.replace(/\d+$/, ''));
    const changes = keys.filter((key, index) => index > 0 && key !== keys[index - 1]).length;
    expect(changes).toBe(2);
  });
});

describe('a key that is looked at while another look lists everything', () => {
  it('does not take that list for its own, since it asked the index before', async () => {
    const azure = new Azure();
    const byScope = account('st1', THIRD);
    azure.accounts = [byScope];
    azure.scopes.set(byScope.id, [scopeOf(KEY)]);
    // Resource Graph does not show scopes; while it is waited for, another instance looks at another key.
    let meanwhile = async () => {
      meanwhile = async () => {};
      await azure.look(SECOND);
    };
    azure.graph = async () => {
      // The index is asked meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
      await meanwhile();
      return [];
    };
    expect(await azure.look(KEY)).toEqual([byScope.id]);
  });
});

describe('what cannot be read', () => {
  const fails = async function* (): AsyncGenerator<never> {
    yield* [];
    throw new Error('no answer');
  };

  it.each(['uses', 'listings', 'unasked'] as const)('of the index (%s) has everything listed', async (what) => {
    const azure = new Azure();
    azure.accounts = [account('st1')];
    await azure.look();
    azure.accounts.push(account('st2'));
    const fleet = {
      ...azure.fleet,
      [what]: what === 'listings' ? () => Promise.reject(new Error('no answer')) : fails,
    };
    expect((await azure.look(KEY, azure.services({ fleet }))).sort()).toEqual([account('st1').id, account('st2').id]);
  });

  it('of Resource Graph has everything listed', async () => {
    const azure = new Azure();
    await azure.look();
    azure.accounts = [account('st1')];
    azure.graph = () => Promise.reject(new Error('no answer'));
    expect(await azure.look()).toEqual([account('st1').id]);
  });

  it('of a list of accounts is not taken for gone, and the list not for whole', async () => {
    const azure = new Azure();
    azure.accounts = [account('st1'), account('st2')];
    const { accounts } = azure.services();
    const broken: StorageAccounts = {
      ...accounts,
      async *list() {
        yield account('st1');
        throw new Error('no answer');
      },
    };
    await azure.look();
    azure.table.apply({ partitionKey: LISTINGS, rowKey: SUBSCRIPTION });
    await azure.look(KEY, azure.services({ accounts: broken }));
    expect(await azure.fleet.listings()).toEqual(new Map());
    expect((await azure.look()).sort()).toEqual([account('st1').id, account('st2').id]);
  });
});

describe('a row of the index with more than a message takes', () => {
  it('counts as one that cannot be read', async () => {
    const azure = new Azure();
    azure.accounts = [account('st1')];
    await azure.look();
    const [use] = azure.table.all.filter(({ partitionKey }) => partitionKey.startsWith('key|'));
    azure.table.apply({ ...(use as Row), properties: { pinned: 'f'.repeat(65) } });
    const found = await azure.dependents();
    expect(found.map(({ seen }) => seen?.pinned)).toEqual([version]);
  });
});

describe('an index of which a part alone could be written', () => {
  it('has the use that is missing written by the next look', async () => {
    const azure = new Azure();
    const byScope = account('st1', THIRD);
    azure.accounts = [account('st2'), byScope];
    azure.scopes.set(byScope.id, [scopeOf(KEY)]);
    const table = azure.table.port();
    const isUse = ({ partitionKey }: RowChange): boolean => partitionKey.startsWith('key|');
    const partly: FleetTable = {
      ...table,
      async write(changes) {
        await table.write(changes.filter((change) => !isUse(change)));
        if (changes.some(isUse)) throw new Error('no answer');
      },
    };
    const all = [account('st2').id, byScope.id].sort();
    expect((await azure.look(KEY, azure.services({ fleet: createFleetIndex(partly) }))).sort()).toEqual(all);
    expect((await azure.look()).sort()).toEqual(all);
    expect((await azure.look()).sort()).toEqual(all);
  });
});

describe('accounts that are to be asked one by one', () => {
  it('are asked by the next look when nobody could be sent to them', async () => {
    const azure = new Azure();
    azure.accounts = Array.from({ length: 31 }, (_, n) => account(`st${n}`, THIRD));
    azure.ask = () => Promise.reject(new Error('no queue'));
    await expect(azure.look()).rejects.toThrow('no queue');
    let asked: readonly Dependent[] = [];
    azure.ask = async (accounts) => {
      asked = accounts;
    };
    await azure.look();
    const scopesKnown = azure.table.all.filter(({ partitionKey, scopes }) => /^account/.test(partitionKey) && scopes);
    expect(scopesKnown.length + asked.length).toBe(31);
  });
});

describe('a look that can neither write what it finds nor hand it on', () => {
  it('says so, also of what was still under way when the index failed', async () => {
    const azure = new Azure();
    azure.accounts = [account('st1', SECOND), account('st2', SECOND)];
    azure.scopes.set(account('st2').id, [scopeOf(KEY)]);
    let fail = () => {};
    const failed = new Promise<never>((_, reject) => {
      fail = () => reject(new Error('The queue is out of reach.'));
    });
    const base = azure.services();
    let outcome: Promise<string> | undefined;
    const isHanded = new Promise<void>((resolve) => {
      const fleet = {
        ...azure.fleet,
        write: async (changes: Parameters<typeof azure.fleet.write>[0]) => {
          if (changes.some((change) => 'put' in change && change.put === 'scopes')) {
            await isHanded;
            throw new Error('The table is out of reach.');
          }
          await azure.fleet.write(changes);
        },
      };
      const found = async () => {
        resolve();
        await failed;
      };
      const searched = { ids: [SUBSCRIPTION], list: [] };
      const looked = discoverDependents(KEY, searched, { ...base, fleet }, { found, ask: azure.ask }, () => {});
      outcome = looked.then(
        () => 'done',
        (error: Error) => error.message,
      );
    });
    await isHanded;
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    fail();
    expect(await outcome).toBe('The queue is out of reach.');
  });
});

describe('a subscription that was listed whole', () => {
  it('is trusted for a day, and then listed again', async () => {
    const azure = new Azure();
    const [first, later] = [account('st1'), account('st2')];
    azure.accounts = [first];
    expect(await azure.look()).toEqual([first.id]);
    azure.accounts = [first, later];
    const inHours = (hours: number) => azure.services({ now: () => new Date(NOW.getTime() + hours * 3_600_000) });
    expect(await azure.look(KEY, inHours(23.9))).toEqual([first.id]);
    expect(await azure.look(KEY, inHours(24.1))).toEqual([first.id, later.id]);
  });
});

it('a use in a subscription that is switched off is kept: a version that it needs must not be retired', async () => {
  const azure = new Azure();
  const { id, location } = account('st1');
  const elsewhere = id.replace(SUBSCRIPTION, 'aaaaaaaa-2222-4222-8222-222222222222');
  const use = { key: KEY.id, account: elsewhere, location, mode: 'automatic', readOn: NOW.toISOString() } as const;
  await azure.fleet.write([{ put: 'use', use }]);
  expect(await azure.look()).toEqual([]);
  const kept: string[] = [];
  for await (const one of azure.fleet.uses(KEY.id)) kept.push(one.account);
  expect(kept).toEqual([elsewhere]);
});

describe('a time of the index that is still to come', () => {
  const FUTURE = new Date('9999-01-01T00:00:00.000Z');

  it('of a list of accounts has them listed', async () => {
    const azure = new Azure();
    await azure.fleet.listed(SUBSCRIPTION, FUTURE);
    azure.accounts = [account('st1')];
    expect(await azure.look()).toEqual([account('st1').id]);
  });

  it.each(['asked', 'sent'])('of an account that was %s for its scopes has it asked', async (what) => {
    const azure = new Azure();
    const { id: byScope, location } = account('st1', THIRD);
    azure.scopes.set(byScope, [scopeOf(KEY)]);
    await azure.fleet.listed(SUBSCRIPTION, NOW);
    const unasked = { account: byScope, location, ...(what === 'sent' ? { sentOn: FUTURE.toISOString() } : {}) };
    const asked = changesOf(
      { account: account('st1', THIRD), scopes: what === 'asked' ? [] : undefined },
      undefined,
      FUTURE,
    );
    await azure.fleet.write(asked);
    await azure.fleet.write([{ put: 'unasked', account: unasked }]);
    expect(await azure.look()).toEqual([byScope]);
  });
});

describe('a look that takes so long that it would be ended', () => {
  const clock = () => {
    let ms = NOW.getTime();
    const pass = (minutes: number): void => {
      ms += minutes * 60_000;
    };
    return { now: () => new Date(ms), pass };
  };

  /** 25 accounts whose scopes are not known; each takes a minute to be asked for them. */
  function askedForAMinute(azure: Azure, pass: (minutes: number) => void) {
    azure.accounts = Array.from({ length: 25 }, (_, n) => account(`st${n}`, THIRD));
    let asked = 0;
    const accounts: StorageAccounts = {
      ...azure.services().accounts,
      async *listScopes() {
        asked += 1;
        pass(1);
        yield* [];
      },
    };
    return { accounts, asked: () => asked };
  }

  it('ends by itself, and names the subscriptions that are left, so that the others are not looked at again', async () => {
    const azure = new Azure();
    const { now, pass } = clock();
    const listed: string[] = [];
    const accounts: StorageAccounts = {
      ...azure.services().accounts,
      async *list(subscription) {
        listed.push(subscription);
        yield account('st1');
        pass(1);
        yield account('st2');
      },
    };
    const ids = Array.from({ length: 20 }, (_, n) => `${SUBSCRIPTION.slice(0, -2)}${n + 10}`);
    await azure.dependents(KEY, azure.services({ accounts, now }), ids);
    const left = azure.last?.unreadableSubscriptions ?? [];
    expect(listed).toHaveLength(8);
    expect(left.length).toBeGreaterThanOrEqual(12);
    expect(left.map(({ id }) => id)).toEqual(expect.arrayContaining(ids.slice(8)));
    expect(left.every(({ failure }) => mayPass(failure))).toBe(true);
  });

  it('leaves to the look of another key what it has listed meanwhile, also of what both came back for', async () => {
    const azure = new Azure();
    const { now, pass } = clock();
    const listed: string[] = [];
    const ids = Array.from({ length: 20 }, (_, n) => `${SUBSCRIPTION.slice(0, -2)}${n + 10}`);
    const of = (id: string): Account => {
      const one = account(`st${id.slice(-2)}`, id === ids[3] ? SECOND : THIRD);
      return { ...one, id: one.id.replace(SUBSCRIPTION, id), subscriptionId: id };
    };
    const accounts: StorageAccounts = {
      ...azure.services().accounts,
      async *list(id) {
        listed.push(id);
        pass(0.3);
        yield of(id);
      },
    };
    azure.graph = async () => {
      pass(0.1);
      return [];
    };
    const services = azure.services({ accounts, now });
    const came = new Map<ManagedKey, Discovered>();
    const found: string[] = [];
    const findings = { found: async ({ id }: Dependent) => void found.push(id), ask: azure.ask };
    const look = async (key: ManagedKey): Promise<void> => {
      // As a message that was put back has it.
      const searched = { ids, list: ids };
      came.set(key, await discoverDependents(key, searched, services, findings, () => {}));
    };
    await Promise.all([look(KEY), look(SECOND)]);
    expect(came.get(KEY)?.unreadableSubscriptions).toEqual([]);
    expect(came.get(SECOND)).toMatchObject({ unreadableSubscriptions: [], dependents: 1 });
    expect(found).toEqual([of(ids[3] ?? '').id]);
    expect(listed.sort()).toEqual(ids);
  });

  it('leaves the scopes that it has not asked for to be asked one by one', async () => {
    const azure = new Azure();
    const { now, pass } = clock();
    const { accounts, asked } = askedForAMinute(azure, pass);
    let left: readonly Dependent[] = [];
    azure.ask = async (toAsk) => {
      left = toAsk;
    };
    await azure.dependents(KEY, azure.services({ accounts, now }));
    expect(asked()).toBeLessThan(16);
    expect(left).toHaveLength(25 - asked());
  });

  it('leaves them too where there is no index', async () => {
    const azure = new Azure();
    const { now, pass } = clock();
    const { accounts, asked } = askedForAMinute(azure, pass);
    const uses = (): never => {
      throw new Error('no answer');
    };
    const fleet = { ...azure.fleet, uses };
    await azure.dependents(KEY, azure.services({ accounts, fleet, now }));
    expect(asked()).toBeLessThan(16);
    expect(azure.last?.unreadableScopes).toHaveLength(25 - asked());
  });
});
