import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { storageClock } from '../../src/azure/storage-clock.ts';
import { putWork } from '../../src/drift/put-work.ts';
import type { Account } from '../../src/fleet/account.ts';
import { handleFleetWork, handleKeyWork } from '../../src/fleet/fleet-work.ts';
import { createVersionLists } from '../../src/fleet/fresh-reads.ts';
import { createMovedUses } from '../../src/fleet/moved-uses.ts';
import { reconcileKey } from '../../src/fleet/reconcile-key.ts';
import { RolloutGate } from '../../src/fleet/rollout-gate.ts';
import { sweepWork } from '../../src/fleet/sweep.ts';
import { keyItem, type NewWorkItem, type WorkKind } from '../../src/fleet/work-items.ts';
import type { FleetServices } from '../../src/fleet/worker-ports.ts';
import { MemoryOrders } from '../orders/memory-orders.ts';
import { KEY, keyVersion, SUBSCRIPTION, VAULT, VAULTS, versionName } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import { account, CAUSE, Fleet, idOf, OTHER, scopeOf, WRITTEN } from './fleet.ts';

const [MINUTE, HOUR] = [60, 3_600];
const nameOf = (n: number) => `st${String(n).padStart(5, '0')}`;
const versionOf = (key: string, n: number) => ({ ...keyVersion(n), id: `${key}/${versionName(n)}` });
const [FIRST, SECOND, OTHERS] = [versionOf(KEY.id, 1).id, versionOf(KEY.id, 2).id, versionOf(OTHER, 1).id];
const failure = (statusCode: number, code: string) => Object.assign(new Error(code), { statusCode, code });

/** One region with more uses than Azure's budgets, and all that works on it: passes, decisions, messages, the sweep. */
class Region extends Fleet {
  newest = 1;
  isAuditDown = false;
  hangsUntil = 0;
  fails: (name: string) => Error | undefined = () => undefined;
  scopesFail: (name: string) => boolean = () => false;
  readonly recorded = new Set<string>();
  readonly orders = new MemoryOrders();
  readonly leases = new MemoryLeases(() => new Date(this.clock));
  readonly #moved = createMovedUses(new MemoryFleetTable().port());
  #messages: { readonly at: number; readonly run: () => Promise<void> }[] = [];
  readonly #now = () => new Date(this.clock);
  readonly #list: FleetServices['keys']['listVersions'] = async ({ id }) =>
    Array.from({ length: id === KEY.id ? this.newest : 1 }, (_, n) => versionOf(id, n + 1));
  readonly #shared = {
    capacity: super.ports().capacity,
    versions: createVersionLists({ listVersions: this.#list }, this.#now),
    gate: new RolloutGate({ ...super.ports(), orders: this.orders, moved: this.#moved }),
  };

  static async indexed(accounts: number, build: (region: Region) => void = () => {}): Promise<Region> {
    const region = new Region();
    region.add(...Array.from({ length: accounts }, (_, n) => account(nameOf(n))));
    build(region);
    region.want('list');
    await region.until(() => region.items.all.length === 0, 8 * HOUR);
    region.clock += HOUR * 1000;
    region.calls.length = 0;
    return region;
  }

  addScopes(count: number): void {
    const scopes = Array.from({ length: count }, (_, n) => scopeOf(VAULT.uri, { name: `scope${n}` }));
    this.scopes.set(nameOf(0), scopes);
  }

  want(kind: WorkKind, about = '', more: Partial<NewWorkItem> = {}): void {
    const now = this.#now();
    this.items.put({ subscription: SUBSCRIPTION, kind, about, due: now, since: now, cause: CAUSE, ...more });
    void this.ports().send({ subscriptions: [SUBSCRIPTION], tries: 0, cause: CAUSE });
  }

  rotate(): void {
    this.newest += 1;
    this.reconcile('event');
  }

  reconcile(by: string): void {
    const cause = { by, ref: '', since: this.#now().toISOString() };
    this.items.put(keyItem(KEY.id, cause, this.#now()));
    void this.ports().sendKey(KEY.id, cause);
  }

  on(version: string): number {
    const accounts = [...this.accounts.values()].map((one) => one.encryption.keyVaultProperties);
    const scopes = [...this.scopes.values()].flat();
    const all = [
      ...accounts.map((key) => key?.currentVersionedKeyIdentifier),
      ...scopes.map((one) => one.currentKeyId),
    ];
    return all.filter((id) => id === version).length;
  }

  /** Delivers messages and sweeps. @returns seconds until it was done, or the limit */
  async until(isDone: () => boolean, limit: number): Promise<number> {
    const begun = this.clock;
    for (let sweepAt = begun + 120_000; !isDone() && this.clock < begun + limit * 1000; ) {
      this.#messages.sort((a, b) => a.at - b.at);
      const next = (this.#messages[0]?.at ?? sweepAt) < sweepAt ? this.#messages.shift() : undefined;
      this.clock = Math.max(this.clock, next?.at ?? sweepAt);
      if (next) await next.run();
      else {
        sweepAt = this.clock + 120_000;
        for (const send of (await sweepWork(this.ports())).sends) await send();
      }
    }
    return (this.clock - begun) / 1000;
  }

  override ports(): FleetServices {
    const ports = super.ports();
    const { accounts } = ports;
    const later = (run: () => Promise<void>, at = this.#now()) =>
      void this.#messages.push({ at: Math.max(this.clock, at.getTime()), run });
    const reconcile: FleetServices['sendKey'] = async (id, cause, at) => {
      const key = VAULTS.key(id);
      if (key) later(() => handleKeyWork(id, () => reconcileKey(key, cause, this.ports()), this.ports()), at);
    };
    const patched = async <T>(name: string, effect: () => T): Promise<T> => {
      const hangs = this.clock < this.hangsUntil;
      while (this.clock < this.hangsUntil) await ports.sleep(10);
      const failed = hangs ? failure(503, 'ServiceUnavailable') : this.fails(name);
      if (failed) throw failed;
      return effect();
    };
    return {
      ...{ ...ports, ...this.#shared, orders: this.orders, moved: this.#moved, leases: this.leases },
      ...{ keys: { listVersions: this.#list }, canaries: 0, probe: async () => 'proven', sendKey: reconcile },
      accounts: {
        ...accounts,
        listScopes: (id) => {
          if (!this.scopesFail(id.name)) return accounts.listScopes(id);
          this.calls.push(`list scopes ${id.name}`);
          throw failure(403, 'AuthorizationFailed');
        },
        updateEncryption: async ({ name }, { keyVaultProperties: { keyName, keyVersion } = {} }) =>
          patched(name, (): Account => {
            const after = account(name, { keyName, version: Number.parseInt(keyVersion ?? '', 16) });
            this.add(after);
            return after;
          }),
        updateScopeKey: async ({ name }, scope, keyUri) =>
          patched(scope, () => {
            const after = { name: scope, enabled: true, keyUri, currentKeyId: keyUri };
            this.scopes.set(name, this.scopes.get(name)?.map((one) => (one.name === scope ? after : one)) ?? []);
            return after;
          }),
      },
      reconcileKey: (key) => reconcile(key.id, { ...CAUSE, by: 'progress' }, new Date(this.clock + 10_000)),
      audit: async ({ id }) => {
        if (this.isAuditDown) return { failed: 'down' } as never;
        this.recorded.add(String(id));
        return WRITTEN;
      },
      send: async (work, at) => later(() => handleFleetWork(work, new Date(this.clock + 240_000), this.ports()), at),
    };
  }
}

describe('A rotation', { timeout: 60_000 }, () => {
  it('of 1,200 accounts takes the hour that the budget of writes needs, and a few minutes', async () => {
    const region = await Region.indexed(1_200);
    region.rotate();
    expect(await region.until(() => region.on(SECOND) === 1_200, 4 * HOUR)).toBeLessThan(HOUR + 10 * MINUTE);
  });

  it('goes on while the audit trail is down, and is recorded soon after it is back', async () => {
    const region = await Region.indexed(900);
    region.isAuditDown = true;
    region.rotate();
    await region.until(() => region.on(SECOND) === 900, 2 * HOUR);
    expect(region.on(SECOND)).toBe(900);
    region.isAuditDown = false;
    expect(await region.until(() => region.recorded.size === 901, HOUR)).toBeLessThan(15 * MINUTE);
  });

  it('goes on soon after the region gave no answer to 384 writes', async () => {
    const region = await Region.indexed(500);
    region.hangsUntil = region.clock + 2 * MINUTE * 1000;
    region.rotate();
    expect(await region.until(() => region.on(SECOND) === 500, 3 * HOUR)).toBeLessThan(12 * MINUTE);
  });

  it('tries each use that failed again, however many others still fail', async () => {
    const region = await Region.indexed(320);
    region.fails = () => failure(403, 'KeyVaultAccessForbidden');
    region.rotate();
    await region.until(() => false, 10 * HOUR);
    region.fails = (name) => (name < nameOf(310) ? failure(403, 'KeyVaultAccessForbidden') : undefined);
    expect(await region.until(() => region.on(SECOND) === 10, 10 * HOUR)).toBeLessThan(2 * HOUR);
  });
});

it('An item that has every use of a key read reads each once, and ends', async () => {
  const region = await Region.indexed(700);
  region.want('key', KEY.id, { fresh: true });
  region.clock += 1_000;
  await region.until(() => region.items.all.length === 0, HOUR);
  expect([region.items.all.length, region.calls.length, new Set(region.calls).size]).toEqual([0, 700, 700]);
});

it('1,000 uses for which a dead worker may have sent a PATCH are all read, and that ends', {
  timeout: 60_000,
}, async () => {
  const region = await Region.indexed(1, (one) => one.addScopes(1_000));
  const lease = await region.leases.acquire(`subscription/${SUBSCRIPTION}`);
  const pass = { startedOn: new Date(region.clock).toISOString(), targets: { [KEY.id]: FIRST } };
  await lease?.save({ pass, unclean: 0, usage: {} });
  await lease?.release();
  region.want('key', KEY.id);
  await region.until(() => region.items.all.some(({ kind }) => kind === 'verify'), HOUR);
  expect(await region.until(() => region.items.all.length === 0, HOUR)).toBeLessThan(HOUR);
  expect(new Set(region.calls.filter((call) => call.startsWith('get st00000/'))).size).toBe(1_000);
});

it('Scopes of ten accounts are listed each day although 80 other lists fail', { timeout: 60_000 }, async () => {
  const region = new Region();
  region.add(...Array.from({ length: 90 }, (_, n) => account(nameOf(n))));
  region.scopesFail = (name) => name < nameOf(80);
  region.want('list');
  await region.until(() => false, 26 * HOUR);
  const lists = region.calls.filter((call) => call.startsWith('list scopes'));
  const again = lists.filter((call, n) => call >= `list scopes ${nameOf(80)}` && lists.indexOf(call) < n);
  expect(new Set(again).size).toBe(10);
});

describe('A re-key order', { timeout: 60_000 }, () => {
  const begin = (region: Region) => {
    const startedOn = new Date(region.clock).toISOString();
    const order = { id: 'rekey-1', from: KEY.id, to: OTHER, maxFailures: 100_000, reason: 'test', startedOn };
    const rekeys = [{ ...order, state: 'active', by: { objectId: 'operator' } } as const];
    region.orders.orders = { ...region.orders.orders, rekeys };
    region.reconcile('rekey');
  };
  const isDone = (region: Region) => region.orders.orders.rekeys[0]?.state === 'done';

  it.each([630, 950])('is not done while its last list shows an account on the old key: %i scopes', async (scopes) => {
    const region = await Region.indexed(10, (one) => one.addScopes(scopes));
    begin(region);
    await region.until(() => region.on(OTHERS) === 10 + scopes, HOUR);
    await region.until(() => false, 30);
    // Terraform moves one back, and Azure's event follows.
    region.add(account(nameOf(5)));
    region.want('account', idOf(nameOf(5)), { cause: { by: 'drift', ref: '', since: '' } });
    await region.until(() => isDone(region), 3 * HOUR);
    expect([isDone(region), region.on(FIRST)]).toEqual([true, 0]);
  });

  it('is not done while its last list of scopes shows one on the old key', async () => {
    const region = await Region.indexed(1, (one) => one.addScopes(639));
    let patches = 0;
    region.fails = () => {
      patches += 1;
      const others = region.scopes.get(nameOf(0))?.filter(({ name }) => name !== 'scope5') ?? [];
      if (patches === 620) region.scopes.set(nameOf(0), [...others, scopeOf(VAULT.uri, { name: 'scope5' })]);
      return undefined;
    };
    begin(region);
    await region.until(() => isDone(region), 3 * HOUR);
    expect([isDone(region), region.on(FIRST)]).toEqual([true, 0]);
  });
});

it.each([undefined, true])(
  'The drift check has a scope moved beside a use that fails, and an older item of the key (fresh: %s)',
  async (fresh) => {
    const region = await Region.indexed(4, (one) => one.addScopes(2));
    region.fails = (name) => (name === nameOf(3) ? failure(403, 'KeyVaultAccessForbidden') : undefined);
    region.rotate();
    await region.until(() => false, HOUR);
    region.want('key', KEY.id, { fresh });
    await region.until(() => false, 20 * MINUTE);
    const [first, second] = region.scopes.get(nameOf(0)) ?? [];
    const stale = scopeOf(VAULT.uri, { name: 'scope1' });
    region.scopes.set(
      nameOf(0),
      [first, stale].filter((one) => one !== undefined),
    );
    expect(second?.name).toBe(stale.name);
    const cause = { by: 'drift', ref: '', since: new Date(region.clock).toISOString() };
    onTestFinished(() => void vi.restoreAllMocks());
    vi.spyOn(storageClock, 'now').mockImplementation(() => new Date(region.clock));
    const ports = { workItems: region.items.port(), fleetQueue: { send: async () => {} } };
    await putWork([{ subscription: SUBSCRIPTION, kind: 'key', about: KEY.id, fresh: true }], cause, ports);
    await region.until(() => region.on(SECOND) === 5, HOUR);
    expect(region.on(SECOND)).toBe(5);
  },
);
