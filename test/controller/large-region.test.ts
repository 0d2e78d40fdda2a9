import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { storageClock } from '../../src/azure/storage-clock.ts';
import type { PassState } from '../../src/controller/pass-state.ts';
import { putWork } from '../../src/drift/apply/put-work.ts';
import { KEY, SUBSCRIPTION, VAULT } from '../support/keys.ts';
import { account, idOf, OTHER, saveState, scopeOf } from './fleet.ts';
import { failure, HOUR, MINUTE, nameOf, Region, versionOf } from './region.ts';

const FIRST = versionOf(KEY.id, 1).id;
const SECOND = versionOf(KEY.id, 2).id;
const OTHERS = versionOf(OTHER, 1).id;

describe('A rotation', { timeout: 60_000 }, () => {
  it('A rotation of 1,200 accounts takes the hour that the budget of writes needs, and a few minutes', async () => {
    const region = await Region.indexed(1_200);
    region.rotate();
    expect(await region.until(() => region.on(SECOND) === 1_200, 4 * HOUR)).toBeLessThan(HOUR + 10 * MINUTE);
  });

  it('A rotation continues while the audit trail is down, and is recorded soon after it is back', async () => {
    const region = await Region.indexed(900);
    region.isAuditDown = true;
    region.rotate();
    await region.until(() => region.on(SECOND) === 900, 2 * HOUR);
    expect(region.on(SECOND)).toBe(900);
    region.isAuditDown = false;
    expect(await region.until(() => region.recorded.size === 901, HOUR)).toBeLessThan(15 * MINUTE);
  });

  it('A rotation continues soon after the region gave no answer to 384 writes', async () => {
    const region = await Region.indexed(500);
    region.hangsUntil = region.clock + 2 * MINUTE * 1000;
    region.rotate();
    expect(await region.until(() => region.on(SECOND) === 500, 3 * HOUR)).toBeLessThan(12 * MINUTE);
  });

  it('A rotation retries each failed use, however many others still fail', async () => {
    const region = await Region.indexed(320);
    region.fails = () => failure(403, 'KeyVaultAccessForbidden');
    region.rotate();
    await region.until(() => false, 10 * HOUR);
    region.fails = (name) => (name < nameOf(310) ? failure(403, 'KeyVaultAccessForbidden') : undefined);
    expect(await region.until(() => region.on(SECOND) === 10, 10 * HOUR)).toBeLessThan(2 * HOUR);
  });
});

it('A rotation moves 200 accounts beside one with 700 scopes on as many keys', async () => {
  const scopes = Array.from({ length: 700 }, (_, n) =>
    scopeOf(VAULT.uri, { name: `tenant${n}`, keyName: `tenant-${String(n).padStart(4, '0')}` }),
  );
  const region = await Region.indexed(201, (one) => one.scopes.set(nameOf(0), scopes));
  expect(region.uses()).toHaveLength(901);
  region.rotate();
  expect(await region.until(() => region.on(SECOND) === 201, 6 * HOUR)).toBeLessThan(5 * MINUTE);
  expect(region.logs.map(({ reason }) => reason)).not.toContain('PassFailed');
});

it('An item that has every use of a key read reads each once, and ends', async () => {
  const region = await Region.indexed(700);
  region.want('key', KEY.id, { fresh: true });
  region.clock += 1_000;
  await region.until(() => region.items.all.length === 0, HOUR);
  expect([region.items.all.length, region.calls.length, new Set(region.calls).size]).toEqual([0, 700, 700]);
});

it('An account that a person pins to the version of a running rotation is not recorded as moved by the app', async () => {
  const region = await Region.indexed(20);

  region.fails = () => {
    region.add(account(nameOf(19), { version: 2 }));
    return undefined;
  };
  region.rotate();
  await region.until(() => region.items.all.length === 0, HOUR);

  expect(region.on(SECOND)).toBe(20);
  expect(region.patches.map(({ name }) => name)).not.toContain(nameOf(19));

  // Beside the moves, the end of the rotation.
  expect(region.recorded.size).toBe(region.patches.length + 1);
});

it("A list that finds accounts that Storage has refreshed uses none of the hour's writes", async () => {
  const automatic = (n: number, version: number) => account(nameOf(n), { version, isAutomatic: true });
  const region = await Region.indexed(0, (one) => {
    for (let n = 0; n < 300; n += 1) one.add(automatic(n, 1));
  });

  for (let n = 0; n < 300; n += 1) region.add(automatic(n, 2));

  region.newest = 2;
  region.want('list', '', { cause: { by: 'drift', ref: '', since: '' } });
  await region.until(() => region.items.all.length === 0, HOUR);

  const { usage } = region.leases.state(`subscription/${SUBSCRIPTION}`) as PassState;

  expect(new Set(region.calls.filter((call) => call.startsWith('get')))).toHaveLength(300);
  expect(usage?.['westeurope writes'] ?? []).toEqual([]);
});

it('1,000 uses for which a dead worker may have sent a PATCH are all read, and that work ends', {
  timeout: 60_000,
}, async () => {
  const region = await Region.indexed(1, (one) => one.addScopes(1_000));
  const pass = { startedOn: new Date(region.clock).toISOString(), targets: { [KEY.id]: FIRST } };
  await saveState({ pass, unclean: 0, usage: {} }, region.leases);
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

it('700 scopes created one after the other are in the index within two minutes, and cost a list a minute', {
  timeout: 60_000,
}, async () => {
  const region = await Region.indexed(1);
  for (let n = 1; n <= 700; n += 1) {
    region.addScopes(n);
    region.want('scopes', idOf(nameOf(0)));
    await region.deliver();
    region.clock += 1_000;
  }

  const done = await region.until(() => region.items.all.length === 0, HOUR);
  expect(done).toBeLessThan(2 * MINUTE);
  expect(region.uses()).toHaveLength(701);
  expect(region.calls.filter((call) => call.startsWith('list scopes')).length).toBeLessThan(15);
});

describe('A re-key order', { timeout: 60_000 }, () => {
  const isDone = (region: Region) => region.orders.orders.rekeys[0]?.state === 'done';

  it.each([630, 950])(
    'A re-key order is not done while its last list shows an account on the old key: %i scopes',
    async (scopes) => {
      const region = await Region.indexed(10, (one) => one.addScopes(scopes));
      region.rekey(OTHER);
      await region.until(() => region.on(OTHERS) === 10 + scopes, HOUR);
      await region.until(() => false, 30);
      // Terraform moves one back, and Azure's event follows.
      region.add(account(nameOf(5)));
      region.want('account', idOf(nameOf(5)), { cause: { by: 'drift', ref: '', since: '' } });
      await region.until(() => isDone(region), 3 * HOUR);
      expect([isDone(region), region.on(FIRST)]).toEqual([true, 0]);
    },
  );

  it('A re-key order is not done while its last list of scopes shows one on the old key', async () => {
    const region = await Region.indexed(1, (one) => one.addScopes(639));
    let patches = 0;
    region.fails = () => {
      patches += 1;
      const others = region.scopes.get(nameOf(0))?.filter(({ name }) => name !== 'scope5') ?? [];
      if (patches === 620) region.scopes.set(nameOf(0), [...others, scopeOf(VAULT.uri, { name: 'scope5' })]);
      return undefined;
    };

    region.rekey(OTHER);
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

    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    vi.spyOn(storageClock, 'now').mockImplementation(() => new Date(region.clock));

    const ports = { workItems: region.items.port(), fleetQueue: { send: async () => {} } };

    await putWork([{ subscription: SUBSCRIPTION, kind: 'key', about: KEY.id, fresh: true }], cause, ports);
    await region.until(() => region.on(SECOND) === 5, HOUR);

    expect(region.on(SECOND)).toBe(5);
  },
);
