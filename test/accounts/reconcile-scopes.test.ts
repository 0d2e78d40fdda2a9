import { describe, expect, it } from 'vitest';
import { reconcileUnasked } from '../../src/accounts/ask-scopes.ts';
import { handOut, LIST_CALLS, PATIENT_LIST_CALLS } from '../../src/accounts/dispatcher.ts';
import { changesOfAsked } from '../../src/accounts/fleet-entries.ts';
import { FleetNotes, reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import { type PacedPlace, Turns } from '../../src/azure/turns.ts';
import type { StorageAccounts } from '../../src/fleet/storage-client.ts';
import { ACCOUNT_WORK, type AccountWork } from '../../src/work/messages.ts';
import { pinnedTo, useAccounts } from './account-fixture.ts';

const { audited, deliver, expireLease, key, reasons, reconcile, requestsOf, wire } = useAccounts();

describe('encryption scopes', () => {
  it('move with their account: pinned ones to the version, automatic ones stay automatic', async () => {
    const files = key();
    const account = files.account('pinned', {
      scopes: [
        { name: 'pinned', key: files.use('pinned') },
        { name: 'automatic', key: files.use('automatic') },
        { name: 'microsoft' },
      ],
    });
    const disabled = structuredClone(account.encryptionScopes.get('pinned'));
    if (disabled) account.encryptionScopes.set('disabled', { ...disabled, name: 'disabled', state: 'Disabled' });
    const next = files.add();
    const since = wire.azure.requests.last;
    await reconcile(files.accountWork(account));

    expect(requestsOf(account, since)).toEqual({
      account: ['GET', 'GET', 'PATCH'],
      scopes: ['GET', 'GET', 'PATCH', 'GET', 'PATCH', 'GET', 'PATCH'], // the list, and each right before its PATCH
    });
    const scope = (name: string) => account.encryptionScopes.get(name);
    const current = { currentVersionedKeyIdentifier: files.id(next) };
    expect(scope('pinned')).toMatchObject({
      state: 'Enabled',
      keyVaultProperties: { keyUri: files.id(next), ...current },
    });
    expect(scope('automatic')).toMatchObject({ keyVaultProperties: { keyUri: files.id(), ...current } });
    expect(scope('disabled')).toMatchObject({
      state: 'Disabled',
      keyVaultProperties: { keyUri: files.id(next), ...current },
    });
    expect(scope('microsoft')).toMatchObject({ source: 'Microsoft.Storage' });
    expect(wire.records.map(({ reason, scope: name }) => [name, reason])).toEqual([
      [undefined, 'Moved'],
      // By name, as Storage lists them.
      ['automatic', 'Refreshed'],
      ['disabled', 'Moved'],
      ['pinned', 'Moved'],
    ]);
  });

  it('move when their account itself is on another key, which gets no PATCH', async () => {
    const [files, other] = [key(), key()];
    const account = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    other.add();
    const next = files.add();
    const since = wire.azure.requests.last;
    await reconcile(files.accountWork(account));
    expect(requestsOf(account, since)).toEqual({ account: ['GET'], scopes: ['GET', 'GET', 'PATCH'] });
    expect(pinnedTo(account)).toBe(other.first.version);
    expect(account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(files.id(next));
    // Nor is it said to have nothing to do with the key.
    expect(reasons()).toEqual(['Moved']);
  });

  it('whose turn to be written is too far away are left to a later look', async () => {
    const [files, other] = [key(), key()];
    const account = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    files.add();
    const services = wire.services();
    const list: typeof services.accounts.listScopes = (id) => {
      const place = { subscriptionId: id.subscriptionId, location: 'westeurope' };
      for (let n = 0; n < 100; n++) services.turns.take(place, { writes: 1 }, wire.azure.clock.nowMs());
      return services.accounts.listScopes(id);
    };
    const busy = { ...services, accounts: { ...services.accounts, listScopes: list } };
    const outcome = await reconcile(files.accountWork(account), busy);
    expect(outcome).toMatchObject({ outcome: 'retry', reason: 'Throttled', counts: false });
    expect(account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(files.id(files.first));
  });

  it('whose list comes too late for its turn give it back', async () => {
    const files = key();
    const account = files.account();
    // Two lists in five minutes.
    const services = { ...wire.services(), turns: new Turns(0.02), schedule: new Turns(0.02) };
    const place = { subscriptionId: account.id.split('/')[2] ?? '', location: account.location };
    const nowMs = wire.azure.clock.nowMs();
    for (let n = 0; n < 2; n++) services.turns.take(place, { lists: 1 }, nowMs);
    services.schedule.take(place, { lists: 1 }, nowMs);
    const { turn } = handOut(services.schedule, place, LIST_CALLS, nowMs);
    const outcome = await reconcile({ ...files.accountWork(account), scopes: 'only', turn }, services);
    expect(outcome).toMatchObject({ reason: 'Throttled', detail: expect.stringContaining('lists') });
    expect(services.schedule.take(place, { lists: 1 }, nowMs)).toBe(0);
  });

  it('are looked at although the hour has no writes left: a list needs none', async () => {
    const files = key();
    const account = files.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    // 24 writes an hour.
    const services = { ...wire.services(), turns: new Turns(0.02), schedule: new Turns(0.02) };
    const place = { subscriptionId: account.id.split('/')[2] ?? '', location: account.location };
    for (let n = 0; n < 24; n++) services.turns.take(place, { writes: 1 }, wire.azure.clock.nowMs() - 60_000);
    const since = wire.azure.requests.last;
    expect(await reconcile({ ...files.accountWork(account), scopes: 'only' }, services)).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).scopes).toEqual(['GET']);
  });

  it.each([
    ['list', 'GET', 'encryptionScopes\\?'],
    ['write', 'PATCH', 'encryptionScopes/scope1'],
  ])(
    'whose %s is refused are back when Azure said, also where the writes of an hour are laid out',
    async (_, method, path) => {
      const files = key();
      const account = files.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
      files.add();
      // 24 writes an hour.
      const services = { ...wire.services(), schedule: new Turns(0.02) };
      const place = { subscriptionId: account.id.split('/')[2] ?? '', location: account.location };
      for (let n = 0; n < 24; n++) services.schedule.take(place, { writes: 1 }, wire.azure.clock.nowMs() - 60_000);
      const answer = { status: 429, headers: { 'Retry-After': '40' }, body: { error: { code: 'TooManyRequests' } } };
      wire.azure.faults.add([{ match: { method, path: `${account.name}/${path}` }, times: 1, answer }]);
      await deliver({ ...files.accountWork(account), scopes: 'only' }, services);
      expect(wire.sent).toMatchObject([{ work: { scopes: 'only' } }]);
      expect(wire.sent[0]?.delaySeconds).toBeGreaterThanOrEqual(40);
      expect(wire.sent[0]?.delaySeconds).toBeLessThan(60);
    },
  );

  it('whose list is forbidden are tried again: their account is not taken for deleted', async () => {
    const files = key();
    const account = files.account();
    const answer = { status: 403, body: { error: { code: 'AuthorizationFailed' } } };
    wire.azure.faults.add([{ match: { path: `${account.name}/encryptionScopes` }, times: 1, answer }]);
    expect(await reconcile(files.accountWork(account))).toMatchObject({ outcome: 'retry', counts: true });
    expect(reasons()).not.toContain('AccountNotFound');
  });

  it('are not listed where there are none to look for, and alone where nothing else is left', async () => {
    const [files, other] = [key(), key()];
    const account = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    const next = files.add();
    let since = wire.azure.requests.last;
    await reconcile({ ...files.accountWork(account), scopes: 'none' });
    expect(requestsOf(account, since)).toEqual({ account: ['GET'], scopes: [] });
    since = wire.azure.requests.last;
    await reconcile({ ...files.accountWork(account), scopes: 'only' });
    expect(requestsOf(account, since)).toEqual({ account: [], scopes: ['GET', 'GET', 'PATCH'] });
    expect(account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(files.id(next));
  });

  it('wait for a list in the queue, when their account has moved', async () => {
    const files = key();
    const account = files.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    const next = files.add();
    const services = wire.services();
    const place = { subscriptionId: account.id.split('/')[2] ?? '', location: account.location };
    for (let n = 0; n < 100; n++) services.turns.take(place, { lists: 1 }, wire.azure.clock.nowMs());
    await deliver(files.accountWork(account), services);
    expect(pinnedTo(account)).toBe(next.version);
    expect(wire.sent).toMatchObject([{ queue: ACCOUNT_WORK, work: { scopes: 'only' } }]);
    expect(wire.sent[0]?.delaySeconds).toBeGreaterThan(290);
    await deliver(wire.sent[0]?.work as AccountWork);
    expect(account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(files.id(next));
  });

  it('that one refuses do not hold up the others', async () => {
    const files = key();
    const account = files.account('pinned', {
      scopes: ['scope1', 'scope2'].map((name) => ({ name, key: files.use('pinned') })),
    });
    const next = files.add();
    const match = { method: 'PATCH', path: `${account.name}/encryptionScopes/scope1` };
    wire.azure.faults.add([{ match, times: 1, answer: { status: 409, body: { error: { code: 'Conflict' } } } }]);
    await deliver(files.accountWork(account));
    expect(account.encryptionScopes.get('scope2')?.keyVaultProperties?.keyUri).toBe(files.id(next));
    expect(wire.sent).toMatchObject([{ queue: ACCOUNT_WORK, delaySeconds: 15, work: { attempt: 1 } }]);
    const [again] = wire.sent;
    await deliver(again?.work as AccountWork);
    expect(account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(files.id(next));
  });
});

/** Lists that may be asked for at once. */
function freeLists(place: PacedPlace, { schedule, now }: ReturnType<typeof wire.services>): number {
  let free = 0;
  while (schedule.take(place, LIST_CALLS, now().getTime()) === 0) free += 1;
  return free;
}

describe('where only the lists are left that are for events', () => {
  /** An account with a scope of a key that has moved on, and an instance that has handed out all other lists. */
  function lastLists() {
    const files = key();
    const account = files.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    files.add();
    const services = wire.services();
    const place = { subscriptionId: account.id.split('/')[2] ?? '', location: account.location };
    while (services.turns.take(place, PATIENT_LIST_CALLS, services.now().getTime(), { mostMs: 0 }) <= 0);
    const work: AccountWork = { ...files.accountWork(account), scopes: 'only' };
    return { account, services, work, since: wire.azure.requests.last };
  }

  it('an event has its scopes listed', async () => {
    const { account, services, work, since } = lastLists();
    expect(await reconcileAndNote(work, services, wire.log)).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).scopes).toEqual(['GET', 'GET', 'PATCH']);
  });

  it('a re-key waits for others', async () => {
    const { account, services, work, since } = lastLists();
    const outcome = await reconcileAndNote({ ...work, rekey: 'ended' }, services, wire.log);
    expect(outcome).toMatchObject({ outcome: 'retry', reason: 'Throttled' });
    expect(requestsOf(account, since).scopes).toEqual([]);
  });

  it('and so does whoever asks everybody', async () => {
    const { account, services, work, since } = lastLists();
    const { id, location } = account;
    const outcome = await reconcileUnasked(
      { kind: 'scopes', account: id, location, cause: work.cause, attempt: 0 },
      services,
    );
    expect(outcome).toMatchObject({ outcome: 'retry', reason: 'Throttled' });
    expect(requestsOf(account, since).scopes).toEqual([]);
  });
});

describe('the scopes of an account, when their turn comes', () => {
  /** Somebody asks the account for its scopes, and then their turn comes for a key that changed so many milliseconds before. */
  async function askedBefore(ms: number, hasScope = false) {
    const files = key();
    const account = files.account('pinned', { scopes: hasScope ? [{ name: 'scope1', key: files.use('pinned') }] : [] });
    const services = wire.services();
    const work = files.accountWork(account);
    const { id, location } = account;
    await reconcileAndNote({ ...work, scopes: 'none' }, services, wire.log);
    await reconcileUnasked({ kind: 'scopes', account: id, location, cause: work.cause, attempt: 0 }, services);
    const next = files.add();
    const since = new Date(services.now().getTime() - ms).toISOString();
    const place = { subscriptionId: account.id.split('/')[2] ?? '', location };
    const { turn } = handOut(services.schedule, place, LIST_CALLS, services.now().getTime());
    const before = wire.azure.requests.last;
    const only: AccountWork = { ...work, scopes: 'only', cause: { ...work.cause, since }, turn };
    expect(await reconcileAndNote(only, services, wire.log)).toEqual({ outcome: 'done' });
    const asked = requestsOf(account, before).scopes;
    return { account, next: files.id(next), asked, free: freeLists(place, services) };
  }

  it('are not asked for once more where there were none since the key changed', async () => {
    expect(await askedBefore(60_000)).toMatchObject({ asked: [], free: 80 });
  });

  it('are not asked for with their account either', async () => {
    const files = key();
    const account = files.account();
    const services = wire.services();
    const work = files.accountWork(account);
    const cause = { ...work.cause, since: new Date(services.now().getTime() - 60_000).toISOString() };
    await reconcileAndNote({ ...work, cause }, services, wire.log);
    const next = files.add();
    const since = wire.azure.requests.last;
    expect(await reconcileAndNote({ ...work, cause }, services, wire.log)).toEqual({ outcome: 'done' });
    expect(pinnedTo(account)).toBe(next.version);
    expect(requestsOf(account, since).scopes).toEqual([]);
  });

  it('are not asked for by whoever was sent to ask, once their turn has come', async () => {
    const files = key();
    const account = files.account();
    const services = wire.services();
    const work = files.accountWork(account);
    const { id, location } = account;
    const cause = { ...work.cause, since: new Date(services.now().getTime() - 60_000).toISOString() };
    await reconcileAndNote({ ...work, scopes: 'none' }, services, wire.log);
    await reconcileAndNote({ ...work, scopes: 'only' }, services, wire.log);
    const since = wire.azure.requests.last;
    const place = { subscriptionId: id.split('/')[2] ?? '', location };
    const { turn } = handOut(services.schedule, place, LIST_CALLS, services.now().getTime());
    const sent = { kind: 'scopes', account: id, location, cause, attempt: 0, turn } as const;
    expect(await reconcileUnasked(sent, services)).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).scopes).toEqual([]);
    expect(freeLists(place, services)).toBe(80);
  });

  it('leave what came of their account as it is, where there are none', async () => {
    const files = key();
    const account = files.account();
    const services = wire.services();
    const work = files.accountWork(account);
    const cause = { ...work.cause, since: new Date(services.now().getTime() - 60_000).toISOString() };
    files.add();
    await reconcileAndNote({ ...work, cause }, services, wire.log);
    await reconcileAndNote({ ...work, cause, scopes: 'only' }, services, wire.log);
    const outcomes: unknown[] = [];
    for await (const { outcome } of services.fleet.uses(files.id())) outcomes.push(outcome?.reason);
    expect(outcomes).toEqual(['Moved']);
  });

  it.each(['were asked for before that alone', 'are in an index that does not answer'])(
    'are asked for by whoever was sent to ask, where they %s',
    async (where) => {
      const files = key();
      const account = files.account();
      const services = wire.services();
      const work = files.accountWork(account);
      await reconcileAndNote(work, services, wire.log);
      const later = { ...work.cause, since: new Date(services.now().getTime() + 60_000).toISOString() };
      const silent = { ...services.fleet, account: () => Promise.reject(new Error('no answer')) };
      const isSilent = where.includes('answer');
      const { id, location } = account;
      const sent = { kind: 'scopes', account: id, location, cause: isSilent ? work.cause : later, attempt: 0 } as const;
      const since = wire.azure.requests.last;
      expect(await reconcileUnasked(sent, isSilent ? { ...services, fleet: silent } : services)).toEqual({
        outcome: 'done',
      });
      expect(requestsOf(account, since).scopes).toEqual(['GET']);
    },
  );

  it('are asked for where that was known before the key changed', async () => {
    expect(await askedBefore(-60_000)).toMatchObject({ asked: ['GET'], free: 79 });
  });

  it('are asked for, and moved, where there are some', async () => {
    const { account, next, asked } = await askedBefore(60_000, true);
    expect(asked).toEqual(['GET', 'GET', 'PATCH']);
    expect(account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(next);
  });

  /** The index has it that the account has no scopes, by whoever wrote last, and one of them uses the key. */
  async function wronglyNone(by = 'KeyNewVersionCreated') {
    const [files, other] = [key(), key()];
    const account = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    const services = { ...wire.services(), sleep: async () => {} };
    const next = files.id(files.add());
    await reconcileAndNote({ ...other.accountWork(account), scopes: 'none' }, services, wire.log);
    await services.fleet.write(changesOfAsked({ account: account.id, location: account.location }, [], services.now()));
    const since = new Date(services.now().getTime() - 60_000).toISOString();
    const work: AccountWork = { ...files.accountWork(account), cause: { by, ref: '', since } };
    const pinned = () => account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri;
    return { account, services, work, next, pinned };
  }

  it.each([undefined, 'only'] as const)('are asked for by the drift check, which has seen one (%s)', async (scopes) => {
    const { services, work, next, pinned } = await wronglyNone('drift');
    await reconcileAndNote({ ...work, ...(scopes ? { scopes } : {}) }, services, wire.log);
    expect(pinned()).toBe(next);
  });

  it('are asked for by a re-key, which goes by all that the index has', async () => {
    const { services, work, next, pinned } = await wronglyNone('rekey');
    await reconcileAndNote({ ...work, rekey: 'ended' }, services, wire.log);
    expect(pinned()).toBe(next);
  });

  it('are asked for where a move of one is still to be proved', async () => {
    const { account, services, work, next, pinned } = await wronglyNone();
    const only: AccountWork = { ...work, scopes: 'only' };
    const match = { method: 'PATCH', path: `${account.name}/encryptionScopes/scope1` };
    wire.azure.faults.add([{ match, times: 1, resetAfter: true }]);
    await reconcile(only, services);
    await expireLease(account);
    expect(await reconcileAndNote(only, services, wire.log)).toEqual({ outcome: 'done' });
    expect(pinned()).toBe(next);
    expect(await audited(account)).toMatchObject([{ reason: 'Moved', details: { scope: 'scope1', to: next } }]);
  });

  it('do not keep their account waiting for an index that does not answer', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const known: unknown[] = [];
    const fleet = {
      account: async () => {
        known.push(pinnedTo(account));
        throw new Error('no answer');
      },
      scopeUses: wire.services().fleet.scopeUses,
      write: async () => {},
    };
    const fleetNotes = new FleetNotes({ fleet, now: () => new Date() });
    const services = { ...wire.services(), fleetNotes };
    await reconcileAndNote(files.accountWork(account), services, wire.log);
    expect(known).toEqual([next.version]);
    // Nor does whoever comes right after ask it once more.
    await reconcileAndNote(files.accountWork(account), services, wire.log);
    expect(known).toHaveLength(1);
  });

  it.each(['their account', 'they alone'])('are known as of when the list of them began (%s)', async (what) => {
    const files = key();
    const account = files.account();
    const services = wire.services();
    const work = files.accountWork(account);
    await reconcileAndNote({ ...work, scopes: 'none' }, services, wire.log);
    let lateMs = 0;
    const late = () => new Date(services.now().getTime() + lateMs);
    const accounts: StorageAccounts = {
      ...services.accounts,
      async *listScopes(...of) {
        yield* services.accounts.listScopes(...of);
        lateMs = 60_000;
      },
    };
    const slow = { ...services, accounts, now: late, fleetNotes: new FleetNotes({ fleet: services.fleet, now: late }) };
    const { id, location } = account;
    const before = services.now().getTime();
    if (what === 'their account') await reconcileAndNote(work, slow, wire.log);
    else await reconcileUnasked({ kind: 'scopes', account: id, location, cause: work.cause, attempt: 0 }, slow);
    const known = await services.fleet.account(id);
    expect(known?.scopes).toBe('none');
    expect(Date.parse(known?.scopesReadOn ?? '') - before).toBeLessThan(60_000);
  });

  it.each([
    ['stays known', 30_000, 1],
    // As one that a clock far ahead has written.
    ['whose time is still to come is none', 86_400_000, 0],
  ])('that somebody else has seen since the list of them began %s', async (_, readMs, count) => {
    const files = key();
    const account = files.account();
    const services = wire.services();
    const [begun, work] = [services.now().getTime(), files.accountWork(account)];
    let lateMs = 0;
    const late = () => new Date(services.now().getTime() + lateMs);
    const use = { key: work.key, account: account.id, scope: 'new', location: account.location } as const;
    const accounts: StorageAccounts = {
      ...services.accounts,
      async *listScopes(...of) {
        yield* services.accounts.listScopes(...of);
        const readOn = new Date(begun + readMs).toISOString();
        await services.fleet.write([{ put: 'use', use: { ...use, mode: 'automatic', readOn } }]);
        lateMs = 60_000;
      },
    };
    const fleetNotes = new FleetNotes({ fleet: services.fleet, now: late });
    await reconcileAndNote(work, { ...services, accounts, now: late, fleetNotes }, wire.log);
    const known: unknown[] = [];
    for await (const one of services.fleet.scopeUses(work.key, account.id)) known.push(one);
    expect(known).toHaveLength(count);
  });

  it.each([
    ['nobody else is sent for a time', false, [true]],
    ['that does not count where somebody else was answered meanwhile', true, []],
  ])('that Azure refuses to list are noted: %s', async (_, isAnswered, refused) => {
    const files = key();
    const { id: account, location, name } = files.account();
    const services = wire.services();
    const work = { ...files.keyWork(), kind: 'account', account, location } as const;
    await reconcileAndNote({ ...work, scopes: 'none' }, services, wire.log);
    const answer = { status: 403, body: { error: { code: 'AuthorizationFailed', message: 'No.' } } };
    wire.azure.faults.add([{ match: { path: `${name}/encryptionScopes\\?` }, answer }]);
    const accounts: StorageAccounts = {
      ...services.accounts,
      async *listScopes(...of) {
        const at = new Date(services.now().getTime() + 1_000);
        if (isAnswered) await services.fleet.write(changesOfAsked({ account, location }, [], at));
        yield* services.accounts.listScopes(...of);
      },
    };
    const asks = { kind: 'scopes', account, location, cause: work.cause, attempt: 0 } as const;
    const outcome = await reconcileUnasked(asks, { ...services, accounts });
    expect(outcome).toMatchObject({ outcome: 'retry', reason: 'MissingPermission' });
    const rows: unknown[] = [];
    for await (const row of services.fleet.unasked()) if (row.account === account) rows.push(row.refused);
    expect(rows).toEqual(refused);
  });

  it('that Azure refuses to list are not noted where the same message was answered before', async () => {
    const files = key();
    const {
      id: account,
      location,
      name,
    } = files.account('pinned', {
      scopes: [{ name: 'scope1', key: files.use('pinned') }],
    });
    const services = wire.services();
    const work = { ...files.keyWork(), kind: 'account', account, location } as const;
    await reconcileAndNote({ ...work, scopes: 'none' }, services, wire.log);
    const cause = { ...work.cause, since: services.now().toISOString() };
    const asks = { kind: 'scopes', account, location, cause, attempt: 0 } as const;
    wire.azure.clock.advance(1_000);
    expect(await reconcileUnasked(asks, services)).toEqual({ outcome: 'done' });
    wire.azure.clock.advance(1_000);
    const answer = { status: 403, body: { error: { code: 'AuthorizationFailed', message: 'No.' } } };
    wire.azure.faults.add([{ match: { path: `${name}/encryptionScopes\\?` }, answer }]);
    expect(await reconcileUnasked(asks, services)).toMatchObject({ reason: 'MissingPermission' });
    for await (const row of services.fleet.unasked()) expect(row.account).not.toBe(account);
  });
});
