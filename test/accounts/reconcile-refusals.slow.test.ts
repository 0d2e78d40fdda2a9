import { describe, expect, it } from 'vitest';
import { addIdentity, addVault, allowStorage } from '../../local/azure/fleet.ts';
import { handOut, MOVE_CALLS } from '../../src/accounts/dispatcher.ts';
import { Turns } from '../../src/azure/turns.ts';
import { ACCOUNT_WORK, type AccountWork } from '../../src/work/messages.ts';
import { group, storageIdentity, vaultNamed } from '../support/fleet.ts';
import { pinnedTo, useAccounts } from './account-fixture.ts';

const { deliver, expireLease, instance, key, reasons, reconcile, wire } = useAccounts();

describe('what Azure refuses', () => {
  it('a role that has not propagated yet is waited for, 15 s, 30 s, 60 s …, until the account has moved', async () => {
    const { world, clock } = wire.azure;
    world.settings.rolePropagationMs = 100_000;
    const files = key();
    const account = files.account();
    const identity = addIdentity(world, group(world), `id-${files.name}`);
    account.identity = {
      type: 'UserAssigned',
      userAssignedIdentities: { [identity.id]: { principalId: identity.principalId, clientId: identity.clientId } },
    };
    account.encryption.identity = { userAssignedIdentity: identity.id };
    const next = files.add();
    allowStorage(world, files.vault, identity.principalId);
    const assigned = [...world.roleAssignments].find(([, { principalId }]) => principalId === identity.principalId);
    if (assigned) world.roleAssignments.set(assigned[0], { ...assigned[1], createdMs: clock.nowMs() });

    let work = files.accountWork(account);
    for (let tries = 0; pinnedTo(account) !== next.version && tries < 10; tries++) {
      await deliver(work);
      const put = wire.sent.at(-1);
      if (put) work = put.work as AccountWork;
      clock.advance((put?.delaySeconds ?? 0) * 1000);
    }
    expect(wire.sent.map(({ delaySeconds }) => delaySeconds)).toEqual([15, 30, 60]);
    expect(pinnedTo(account)).toBe(next.version);
    expect(wire.records.filter(({ level }) => level !== 'info')).toContainEqual(
      expect.objectContaining({ reason: 'IdentityHasNoAccess', account: account.id }),
    );
  });

  it('an account whose vault is gone is left as it is, and tried again: a vault can be recovered', async () => {
    const { world } = wire.azure;
    const vault = vaultNamed(world, 'kv-records');
    const records = key('kv-records');
    const account = records.account();
    allowStorage(world, vault, storageIdentity(world).principalId);
    records.add();
    world.vaults.delete('kv-records');
    try {
      expect(await reconcile(records.accountWork(account))).toMatchObject({ outcome: 'retry', counts: true });
      expect(pinnedTo(account)).toBe(records.first.version);
    } finally {
      world.vaults.set('kv-records', vault);
    }
  });

  it('a vault without purge protection is for a person: the message is poison at once', async () => {
    const { world } = wire.azure;
    const vault = addVault(world, group(world, 'rg-keys'), 'kv-unsafe');
    for (const assignment of [...world.roleAssignments.values()]) {
      if (!assignment.scope.endsWith('/kv-files')) continue;
      const id = `${assignment.id}-unsafe`;
      world.roleAssignments.set(id, { ...assignment, id, scope: vault.id });
    }
    const unsafe = key('kv-unsafe');
    const account = unsafe.account();
    vault.properties.enablePurgeProtection = false;
    unsafe.add();
    await deliver(unsafe.accountWork(account), wire.services({ CMK_VAULTS: vault.id }));
    expect(wire.records).toContainEqual(
      expect.objectContaining({ level: 'error', reason: 'Poisoned', because: 'PurgeProtectionOff' }),
    );
    const { peekedMessageItems } = await wire.queues.getQueueClient('account-work-poison').peekMessages();
    expect(peekedMessageItems.map(({ messageText }) => JSON.parse(messageText))).toEqual([unsafe.accountWork(account)]);
  });

  it.each([
    [429, 'the PATCH', 'PATCH'],
    [503, 'the PATCH', 'PATCH'],
    [429, 'the GET', 'GET'],
  ])(
    '%i to %s puts the message back for as long as Azure asks, with its tries untouched',
    async (status, _, method) => {
      const files = key();
      const account = files.account();
      const next = files.add();
      const answer = { status, headers: { 'Retry-After': '77' }, body: { error: { code: 'TooManyRequests' } } };
      wire.azure.faults.add([{ match: { method, path: `/storageAccounts/${account.name}\\?` }, times: 1, answer }]);
      await deliver(files.accountWork(account, 3));
      expect(wire.sent).toMatchObject([{ queue: ACCOUNT_WORK, delaySeconds: 77, work: { attempt: 3 } }]);
      const queue = wire.queues.getQueueClient(ACCOUNT_WORK);
      expect((await queue.getProperties()).approximateMessagesCount).toBe(1);
      expect((await queue.peekMessages()).peekedMessageItems).toEqual([]); // out of sight for now

      await expireLease(account); // kept after 503, which may have taken effect
      await deliver(files.accountWork(account), instance());
      expect(pinnedTo(account)).toBe(next.version);
    },
  );

  it.each(['writes', 'reads'] as const)(
    'a used-up budget of %s sends the message back before anything is asked',
    async (what) => {
      const files = key();
      const account = files.account();
      files.add();
      const services = wire.services();
      const nowMs = wire.azure.clock.nowMs();
      const subscription = account.id.split('/')[2] ?? '';
      const place = { subscriptionId: subscription, location: account.location };
      for (let n = 0; n < 700; n++) services.turns.take(place, { [what]: 1 }, nowMs);
      const since = wire.azure.requests.last;
      const outcome = await reconcile(files.accountWork(account), services);
      expect(outcome).toMatchObject({ outcome: 'retry', reason: 'Throttled', counts: false });
      expect(outcome).toMatchObject({ detail: expect.stringContaining(`The budgets of ${subscription}`) });
      expect(wire.azure.requests.since(since)).toEqual([]);
    },
  );

  /** An account whose turn is the last one of an hour of 24 writes, with the services that handed it out. */
  function lastOfTheHour() {
    const files = key();
    const account = files.account();
    files.add();
    const services = { ...wire.services(), turns: new Turns(0.02), schedule: new Turns(0.02) };
    const place = { subscriptionId: account.id.split('/')[2] ?? '', location: account.location };
    const nowMs = wire.azure.clock.nowMs();
    for (const turns of [services.turns, services.schedule])
      for (let n = 0; n < 23; n++) turns.take(place, { writes: 1 }, nowMs - 60_000);
    const { turn } = handOut(services.schedule, place, MOVE_CALLS, nowMs);
    return { account, work: { ...files.accountWork(account), turn }, services, place, nowMs };
  }

  it('what comes too late for its turn gives it back', async () => {
    const { work, services, place, nowMs } = lastOfTheHour();
    services.turns.take(place, { writes: 1 }, nowMs);
    const outcome = await reconcile(work, services);
    expect(outcome).toMatchObject({ reason: 'Throttled', detail: expect.stringContaining('used up') });
    expect(services.schedule.take(place, { writes: 1 }, nowMs)).toBeLessThan(60_000);
  });

  it('429 that does not say for how long puts the message back for a quarter of a minute', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const answer = { status: 429, body: { error: { code: 'TooManyRequests' } } };
    wire.azure.faults.add([{ match: { method: 'PATCH', path: `${account.name}\\?` }, times: 1, answer }]);
    await deliver(files.accountWork(account));
    expect(wire.sent).toMatchObject([{ work: { account: account.id } }]);
    expect(wire.sent[0]?.delaySeconds).toBeGreaterThanOrEqual(15);
    expect(wire.sent[0]?.delaySeconds).toBeLessThan(25);
  });

  it('429 of Key Vault puts the message back for as long as it asks, though Storage has turns', async () => {
    const files = key();
    const answer = { status: 429, headers: { 'Retry-After': '40' } };
    wire.azure.faults.add([{ match: { path: `/keys/${files.name}/versions` }, times: 1, answer }]);
    await deliver(files.accountWork(files.account()));
    expect(wire.sent).toHaveLength(1);
    expect(wire.sent[0]?.delaySeconds).toBeGreaterThanOrEqual(40);
    expect(wire.sent[0]?.delaySeconds).toBeLessThan(50);
  });

  it.each([
    ['was made', undefined, 'Moved'],
    ['may have been made', { status: 500, body: { error: { code: 'InternalServerError' } } }, 'ServiceUnavailable'],
  ])(
    'a write that %s counts for its hour, by what guards the writes and by what lays them out',
    async (_, answer, reason) => {
      const { account, work, services, place, nowMs } = lastOfTheHour();
      if (answer) wire.azure.faults.add([{ match: { method: 'PATCH', path: account.name }, times: 1, answer }]);
      await reconcile(work, services);
      expect(reasons()).toEqual([reason]);
      for (const turns of [services.turns, services.schedule])
        expect(turns.take(place, { writes: 1 }, nowMs + 10_000)).toBeGreaterThan(60_000);
    },
  );

  it('an account that has to be read once more is put off where no read is left', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const services = { ...wire.services(), turns: new Turns(0.02) };
    const place = { subscriptionId: account.id.split('/')[2] ?? '', location: account.location };
    const nowMs = wire.azure.clock.nowMs();
    while (services.turns.take(place, { reads: 1 }, nowMs, { mostMs: 60_000 }) <= 60_000);
    services.turns.release(place, { reads: 1 }, nowMs);
    const outcome = await reconcile(files.accountWork(account), services);
    expect(outcome).toMatchObject({ reason: 'Throttled', detail: expect.stringContaining('Too many reads') });
    expect(pinnedTo(account)).toBe(files.first.version);
  });

  it('what comes before its turn waits for it', async () => {
    const files = key();
    const slept: number[] = [];
    const services = { ...wire.services(), sleep: async (ms: number) => void slept.push(ms) };
    const turn = wire.azure.clock.nowMs() + 2_400;
    await reconcile({ ...files.accountWork(files.account()), turn }, services);
    expect(slept[0]).toBeGreaterThan(1_000);
    expect(slept[0]).toBeLessThanOrEqual(2_400);
  });

  it('a write that was refused takes none of the hour: the account is back when Azure said, with all else laid out', async () => {
    const { account, work, services } = lastOfTheHour();
    const answer = { status: 429, headers: { 'Retry-After': '40' }, body: { error: { code: 'TooManyRequests' } } };
    wire.azure.faults.add([{ match: { method: 'PATCH', path: account.name }, times: 1, answer }]);
    const outcome = await reconcile(work, services);
    expect(outcome).toMatchObject({ reason: 'Throttled', counts: false });
    expect((outcome as { delaySeconds: number }).delaySeconds).toBeLessThan(60);
  });

  it('a turn that was not used is given back once, and not again each time that the account is tried', async () => {
    const files = key();
    const account = files.account();
    files.add();
    // 24 writes an hour, of which 21 are laid out.
    const schedule = new Turns(0.02);
    const services = { ...wire.services(), schedule };
    const place = { subscriptionId: account.id.split('/')[2] ?? '', location: account.location };
    const nowMs = wire.azure.clock.nowMs();
    for (let n = 0; n < 20; n++) schedule.take(place, { writes: 1 }, nowMs);
    const { turn } = handOut(schedule, place, MOVE_CALLS, nowMs);
    const answer = { status: 403, body: { error: { code: 'AuthorizationFailed' } } };
    wire.azure.faults.add([
      { match: { method: 'GET', path: `/storageAccounts/${account.name}\\?` }, times: 4, answer },
    ]);
    let work: AccountWork = { ...files.accountWork(account), turn };
    for (let tries = 1; tries <= 4; tries += 1) {
      await deliver(work, services);
      work = wire.sent.at(-1)?.work as AccountWork;
      expect(work).toMatchObject({ attempt: tries });
    }
    // Sent by nobody who lays out: there is no turn to be given back.
    wire.azure.faults.add([
      { match: { method: 'GET', path: `/storageAccounts/${account.name}\\?` }, times: 1, answer },
    ]);
    await deliver(files.accountWork(account), services);
    const room = Array.from({ length: 20 }, () => schedule.take(place, { writes: 1 }, nowMs, { mostMs: 60_000 }));
    expect(room.filter((waitMs) => waitMs <= 60_000)).toHaveLength(4);
  });

  it('a place that said 429 is left alone by the whole instance: others go back without a call, and not in a heap', async () => {
    const [files, services] = [key(), wire.services()];
    const accounts = [1, 2, 3, 4].map(() => files.account());
    const elsewhere = files.account('pinned', { location: 'swedencentral' });
    const next = files.add();
    const answer = { status: 429, headers: { 'Retry-After': '40' }, body: { error: { code: 'TooManyRequests' } } };
    wire.azure.faults.add([{ match: { method: 'PATCH', path: '/storageAccounts/' }, times: 1, answer }]);
    const [first, ...others] = accounts;
    if (first) await deliver(files.accountWork(first), services);
    const since = wire.azure.requests.last;
    for (const account of others) await deliver(files.accountWork(account), services);
    expect(wire.azure.requests.since(since)).toEqual([]);
    expect(wire.sent.map(({ delaySeconds }) => delaySeconds >= 38 && delaySeconds < 50)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    const turns = wire.sent.map(({ work }) => (work as AccountWork).turn ?? 0);
    expect(new Set(turns).size).toBe(4);
    await deliver(files.accountWork(elsewhere), services);
    expect(pinnedTo(elsewhere)).toBe(next.version);
  });

  it('a wait longer than the seven days that a queue allows does not lose the message', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const answer = { status: 429, headers: { 'Retry-After': String(30 * 86_400) } };
    wire.azure.faults.add([{ match: { method: 'PATCH', path: account.name }, times: 1, answer }]);
    await deliver(files.accountWork(account));
    const queue = wire.queues.getQueueClient(ACCOUNT_WORK);
    expect((await queue.getProperties()).approximateMessagesCount).toBe(1);
    expect((await queue.peekMessages()).peekedMessageItems).toEqual([]);
  });

  it('an answer that does not show the new version is no proof: asked again', async () => {
    const files = key();
    const account = files.account();
    const stale = await wire.raw(account.id);
    const next = files.add();
    wire.azure.faults.add([
      { match: { method: 'PATCH', path: account.name }, times: 1, answer: { status: 200, body: stale } },
    ]);
    const outcome = await reconcile(files.accountWork(account));
    expect(outcome).toMatchObject({ outcome: 'retry', reason: 'NotProven', counts: true });
    expect(outcome).toMatchObject({ detail: expect.stringContaining(files.id(next)) });
    expect(reasons()).not.toContain('Moved');
  });

  it('a version that Storage does not see yet is tried again some times before it is given up', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const body = { error: { code: 'HttpResourceNotFound', message: 'The request url … is not found.' } };
    const match = { method: 'PATCH', path: account.name };
    wire.azure.faults.add([{ match, answer: { status: 404, body } }]);
    let work = files.accountWork(account);
    for (let tries = 1; tries <= 5; tries++) {
      await deliver(work);
      const put = wire.sent[tries - 1];
      if (put) work = put.work as AccountWork;
    }
    expect(wire.sent.map(({ delaySeconds }) => delaySeconds)).toEqual([15, 30, 60, 120]);
    expect(wire.records.at(-1)).toMatchObject({ reason: 'Poisoned', because: 'Refused' });
  });

  it('a missing permission of the app is tried again while a role may still propagate', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const answer = { status: 403, body: { error: { code: 'AuthorizationFailed', message: 'no right' } } };
    wire.azure.faults.add([{ match: { method: 'PATCH', path: account.name }, times: 1, answer }]);
    expect(await reconcile(files.accountWork(account))).toMatchObject({
      outcome: 'retry',
      reason: 'MissingPermission',
      detail: '403 AuthorizationFailed: no right',
    });
  });

  it('a missing right on the identity that the account has is told by its name, with the parameter that gives it', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const right = 'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action';
    const message = `The client 'c' with object id 'o' has permission to perform action 'Microsoft.Storage/storageAccounts/write' on scope '${account.id}'; however, it does not have permission to perform action(s) '${right}' on the linked scope(s) '/subscriptions/s/id-storage' (respectively) or the linked scope(s) are invalid.`;
    const answer = { status: 403, body: { error: { code: 'LinkedAuthorizationFailed', message } } };
    wire.azure.faults.add([{ match: { method: 'PATCH', path: account.name }, times: 1, answer }]);
    const reason = 'IdentityAssignmentDenied';
    const detail = expect.stringContaining(`${right} on /subscriptions/s/id-storage`);
    expect(await reconcile(files.accountWork(account))).toMatchObject({ outcome: 'retry', reason, detail });
    expect(wire.records).toContainEqual(expect.objectContaining({ reason, message: detail }));
  });

  it('a key in a vault that is not managed is not asked about', async () => {
    const files = key('kv-other');
    const since = wire.azure.requests.last;
    const work = files.accountWork({ id: '/subscriptions/x', location: 'westeurope' });
    expect(await reconcile(work)).toMatchObject({ outcome: 'reject', reason: 'VaultNotManaged' });
    expect(wire.azure.requests.since(since)).toEqual([]);
  });
});
