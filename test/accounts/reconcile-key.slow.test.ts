import { describe, expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { RoleAssignment, StorageAccount } from '../../local/azure/world.ts';
import { lookAtKey, onlyOf } from '../../src/accounts/reconcile-key.ts';
import type { Services } from '../../src/services.ts';
import { AtMostEvery } from '../../src/work/at-most-every.ts';
import { ACCOUNT_WORK, KEY_WORK, type KeyWork, parseKeyWork } from '../../src/work/messages.ts';
import { processWork } from '../../src/work/process.ts';
import { group, TestKey, vaultNamed } from '../support/fleet.ts';
import { REVOKER } from '../support/keys.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

const BOTH = { CMK_SUBSCRIPTIONS: `${SUBSCRIPTION_ID},${SECOND_SUBSCRIPTION_ID}` };
const key = (vault?: string) => new TestKey(wire.azure.world, vault);
const inRecords = () => ({ group: group(wire.azure.world, 'rg-records', SECOND_SUBSCRIPTION_ID) });
const deliver = (work: KeyWork, services: Services = wire.services()) =>
  processWork({
    ...services,
    queueName: KEY_WORK,
    received: { entry: work, dequeueCount: 1 },
    parse: parseKeyWork,
    run: (parsed) => lookAtKey(parsed, services, wire.log),
    reports: new AtMostEvery(3_600_000),
    log: wire.log,
  });
/** The accounts that were put to work, in order of their ids. */
const found = () =>
  wire.sent
    .flatMap(({ work }) => (work.kind === 'account' ? [work.account] : []))
    .sort()
    .map((id) => id.toLowerCase());
const ids = (...accounts: StorageAccount[]) => accounts.map(({ id }) => id.toLowerCase()).sort();
const backInKeyQueue = () => wire.sent.filter(({ queue }) => queue === KEY_WORK);
const list = (subscription: string) => ({
  method: 'GET',
  path: `^/subscriptions/${subscription}/providers/Microsoft.Storage/storageAccounts\\?`,
});

describe('the dependents of a key', () => {
  it.each([1000, 2])('are found in every subscription that the identity sees (pages of %i)', async (size) => {
    wire.azure.world.settings.storageListPageSize = size;
    const [files, other] = [key(), key()];
    const accounts = [
      files.account('pinned'),
      files.account('automatic'),
      files.account('automaticEmpty'),
      files.account('pinned', inRecords()),
    ];
    const byScope = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('automatic') }] });
    other.account();
    files.add();
    await deliver(files.keyWork());
    expect(found()).toEqual(ids(...accounts, byScope));
    const turn = expect.any(Number);
    expect(wire.sent).toContainEqual(
      expect.objectContaining({ work: expect.objectContaining({ account: byScope.id }) }),
    );
    expect(wire.sent).toContainEqual({
      queue: ACCOUNT_WORK,
      delaySeconds: 0,
      work: {
        kind: 'account',
        account: accounts[0]?.id,
        location: 'westeurope',
        key: files.id(),
        turn,
        // As Resource Graph shows it.
        seen: { pinned: files.first.version, current: files.first.version },
        cause: files.keyWork().cause,
        attempt: 0,
      },
    });
    expect(wire.records).toMatchObject([
      {
        level: 'info',
        reason: 'InventoryComplete',
        dependents: 5,
        accountsSeen: wire.azure.world.storageAccounts.size,
      },
    ]);
  });

  it('are looked for in the subscriptions of CMK_SUBSCRIPTIONS alone', async () => {
    const files = key();
    const account = files.account();
    files.account('pinned', inRecords());
    const since = wire.azure.requests.last;
    await deliver(files.keyWork(), wire.services({ CMK_SUBSCRIPTIONS: SUBSCRIPTION_ID }));
    expect(found()).toEqual(ids(account));
    expect(wire.arm(since, new RegExp(SECOND_SUBSCRIPTION_ID))).toEqual([]);
    // Nor by a message that names another.
    const foreign = { ...files.keyWork(), subscriptions: [SECOND_SUBSCRIPTION_ID] };
    await deliver(foreign, wire.services({ CMK_SUBSCRIPTIONS: SUBSCRIPTION_ID }));
    expect(found()).toEqual(ids(account));
    expect(wire.arm(since, new RegExp(SECOND_SUBSCRIPTION_ID))).toEqual([]);
  });

  it('by encryption scope alone are not looked for with CMK_SCOPE_DISCOVERY=dependents', async () => {
    const [files, other] = [key(), key()];
    const account = files.account();
    other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    const since = wire.azure.requests.last;
    await deliver(files.keyWork(), wire.services({ CMK_SCOPE_DISCOVERY: 'dependents' }));
    expect(found()).toEqual(ids(account));
    expect(wire.arm(since, /encryptionScopes/)).toEqual([]);
  });

  it('come to their turns as fast as the provider takes writes in their region, and no region waits for another', async () => {
    const files = key();
    for (let n = 0; n < 35; n++) files.account('pinned', { location: 'northeurope' });
    const elsewhere = files.account('pinned', { location: 'uksouth' });
    await deliver(files.keyWork());
    const delays = wire.sent.flatMap(({ work, delaySeconds }) =>
      work.kind === 'account' && work.location === 'northeurope' ? [delaySeconds] : [],
    );
    expect(delays).toHaveLength(35);
    expect(Math.max(...delays)).toBeLessThanOrEqual(35 / 10);
    expect(delays.filter((delay) => delay === 0).length).toBeGreaterThanOrEqual(10);
    expect(wire.sent.find(({ work }) => work.kind === 'account' && work.account === elsewhere.id)).toMatchObject({
      delaySeconds: 0,
    });
  });
});

describe('what cannot be read', () => {
  /** Runs while the app has no right in the second subscription. */
  async function shutOut(run: () => Promise<void>): Promise<void> {
    const { roleAssignments } = wire.azure.world;
    const taken: [string, RoleAssignment][] = [...roleAssignments].filter(([, { scope }]) =>
      scope.endsWith(SECOND_SUBSCRIPTION_ID),
    );
    for (const [id] of taken) roleAssignments.delete(id);
    try {
      await run();
    } finally {
      for (const [id, assignment] of taken) roleAssignments.set(id, assignment);
    }
  }

  it('a subscription that refuses is reported, and the others are done', () =>
    shutOut(async () => {
      const files = key();
      const account = files.account();
      files.account('pinned', inRecords());
      await deliver(files.keyWork(), wire.services(BOTH));
      expect(found()).toEqual(ids(account));
      expect(wire.records).toContainEqual(
        expect.objectContaining({
          level: 'error',
          reason: 'SubscriptionUnreadable',
          subscription: SECOND_SUBSCRIPTION_ID,
          message: expect.stringContaining('403 AuthorizationFailed'),
        }),
      );
      expect(backInKeyQueue()).toEqual([]);
    }));

  it('a subscription that is not even listed any more is reported at every look', async () => {
    const files = key();
    await deliver(files.keyWork());
    expect(wire.records.map(({ reason }) => reason)).not.toContain('SubscriptionUnreadable');
    await shutOut(async () => {
      for (let look = 1; look <= 2; look++) {
        // Another instance each time: it is not the process that remembers.
        await deliver(files.keyWork(), wire.services());
        const missing = wire.records.filter(({ reason }) => reason === 'SubscriptionUnreadable');
        expect(missing.map(({ subscription }) => subscription)).toEqual(Array(look).fill(SECOND_SUBSCRIPTION_ID));
      }
    });
    wire.records.length = 0;
    await deliver(files.keyWork());
    expect(wire.records.map(({ reason }) => reason)).not.toContain('SubscriptionUnreadable');
  });

  it.each([
    [429, 62],
    [503, 62],
  ])('%i to a list puts that subscription alone back for as long as Azure asks', async (status, delaySeconds) => {
    const files = key();
    const account = files.account();
    const missed = files.account('pinned', inRecords());
    const answer = { status, headers: { 'Retry-After': String(delaySeconds) } };
    wire.azure.faults.add([{ match: list(SECOND_SUBSCRIPTION_ID), times: 1, answer }]);
    await deliver(files.keyWork(2), wire.services(BOTH));
    // Resource Graph shows what the list does not.
    expect(found()).toEqual(ids(account, missed));
    const [back] = backInKeyQueue();
    const rest = { ...files.keyWork(2), subscriptions: [SECOND_SUBSCRIPTION_ID] };
    const deferredSince = expect.any(String);
    expect(back).toEqual({ queue: KEY_WORK, delaySeconds, work: { ...rest, deferredSince } });

    wire.sent.length = 0;
    await deliver(rest, wire.services(BOTH));
    expect(found()).toEqual(ids(missed));
  });

  it.each([
    ['500', { answer: { status: 500 } }],
    ['a cut connection', { reset: true }],
  ])('%s to a list uses up a try', async (_, effect) => {
    const files = key();
    const account = files.account();
    wire.azure.faults.add([{ match: list(SECOND_SUBSCRIPTION_ID), times: 1, ...effect }]);
    await deliver(files.keyWork(2), wire.services(BOTH));
    expect(found()).toEqual(ids(account));
    expect(backInKeyQueue()).toMatchObject([
      { delaySeconds: 60, work: { attempt: 3, subscriptions: [SECOND_SUBSCRIPTION_ID] } },
    ]);
  });

  it('more subscriptions than a queue message can name are all looked at again', () => {
    const missed = Array.from({ length: 10_000 }, () => crypto.randomUUID());
    const work = key().keyWork();
    for (const most of [1, 1_000]) {
      const named = onlyOf(work, missed.slice(0, most));
      expect(named.subscriptions).toHaveLength(most);
      expect(Buffer.byteLength(JSON.stringify(named))).toBeLessThan(64 * 1024);
    }
    expect(onlyOf(work, missed)).toEqual(work);
  });

  it('an account whose encryption scopes cannot be listed is asked later by itself', async () => {
    const [files, other] = [key(), key()];
    const account = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    const answer = { status: 429, headers: { 'Retry-After': '40' } };
    wire.azure.faults.add([{ match: { path: `${account.name}/encryptionScopes` }, times: 1, answer }]);
    await deliver(files.keyWork());
    const [message] = wire.sent.filter(({ work }) => work.kind === 'scopes' && work.account === account.id);
    expect(message?.delaySeconds).toBeGreaterThanOrEqual(40);
    expect(wire.records).toContainEqual(
      expect.objectContaining({ level: 'warning', reason: 'ScopesUnreadable', account: account.id }),
    );
  });

  it('a dependent that cannot be put to work is not forgotten, though its subscription could be listed', async () => {
    const accountWork = wire.queues.getQueueClient(ACCOUNT_WORK);
    await accountWork.delete();
    try {
      // The refusal comes while the next page is waited for.
      wire.azure.world.settings.storageListPageSize = 1;
      const next = { method: 'GET', path: 'storageAccounts.*skiptoken' };
      wire.azure.faults.add([{ match: next, times: 1, delayMs: 200 }]);
      const files = key();
      files.account();
      await deliver(files.keyWork(), wire.services(BOTH));
      expect(wire.records).toContainEqual(
        expect.objectContaining({ reason: 'Poisoned', detail: expect.stringContaining('QueueNotFound') }),
      );
      expect(wire.records.map(({ reason }) => reason)).not.toContain('SubscriptionUnreadable');
      expect(await wire.queues.getQueueClient(`${KEY_WORK}-poison`).peekMessages()).toMatchObject({
        peekedMessageItems: [{ messageText: JSON.stringify(files.keyWork()) }],
      });
    } finally {
      await accountWork.create();
    }
  });

  it('a vault that is gone is asked for again', async () => {
    const { vaults } = wire.azure.world;
    const vault = vaultNamed(wire.azure.world, 'kv-records');
    const records = key('kv-records');
    vaults.delete('kv-records');
    try {
      await deliver(records.keyWork());
      expect(wire.sent).toMatchObject([{ queue: KEY_WORK, delaySeconds: 15, work: { attempt: 1 } }]);
    } finally {
      vaults.set('kv-records', vault);
    }
  });

  it('the right to read the key that is missing is waited for', async () => {
    const files = key();
    wire.azure.faults.add([
      {
        match: { host: 'kv-files.vault.azure.net', path: files.name },
        times: 1,
        answer: { status: 403, body: { error: { code: 'Forbidden', message: 'no right' } } },
      },
    ]);
    await deliver(files.keyWork());
    expect(wire.sent).toMatchObject([{ queue: KEY_WORK, delaySeconds: 15, work: { attempt: 1 } }]);
    expect(wire.records).toMatchObject([{ level: 'warning', reason: 'MissingPermission' }]);
  });
});

describe('a key that dependents cannot be moved to', () => {
  it('is looked at again when its next version becomes active, which moves them then', async () => {
    const { clock } = wire.azure;
    const files = key();
    const account = files.account();
    const next = files.add({ nbf: clock.nowSeconds() + 3_600 });
    await deliver(files.keyWork());
    const [again] = backInKeyQueue();
    expect(again?.delaySeconds).toBeGreaterThan(3_590);
    expect(again?.delaySeconds).toBeLessThanOrEqual(3_602);
    expect(again?.work).toMatchObject({ kind: 'key', key: files.id(), attempt: 0, cause: { by: 'activation' } });
    expect(wire.records).toContainEqual(expect.objectContaining({ level: 'info', reason: 'VersionNotYetActive' }));

    wire.sent.length = 0;
    clock.advance((again?.delaySeconds ?? 0) * 1000);
    await deliver(again?.work as KeyWork);
    expect(found()).toEqual(ids(account));
    expect(backInKeyQueue()).toEqual([]); // there is nothing more to wait for
    expect(next.nbf).toBeLessThanOrEqual(clock.nowSeconds());
  });

  it('is waited for by one message, however many look at once in however many instances', async () => {
    const files = key();
    const account = files.account();
    files.add({ nbf: wire.azure.clock.nowSeconds() + 3_600 });
    const instances = [wire.services(), wire.services()];
    await Promise.all([...instances, ...instances].map((services) => deliver(files.keyWork(), services)));
    for (let look = 0; look < 3; look++) await deliver(files.keyWork());
    expect(backInKeyQueue()).toHaveLength(1);

    const [waiter] = backInKeyQueue();
    wire.azure.clock.advance((waiter?.delaySeconds ?? 0) * 1000);
    wire.sent.length = 0;
    await deliver(waiter?.work as KeyWork);
    expect(found()).toEqual(ids(account));
    expect(backInKeyQueue()).toEqual([]);
  });

  it('does not exist: said, and done', async () => {
    const files = key();
    files.vault.keys.delete(files.name);
    await deliver(files.keyWork());
    expect(wire.sent).toEqual([]);
    expect(wire.records).toMatchObject([{ level: 'error', reason: 'KeyNotFound' }]);
  });

  it('has no usable version: said, and done', async () => {
    const files = key();
    files.account();
    files.first.enabled = false;
    await deliver(files.keyWork());
    expect(wire.sent).toEqual([]);
    expect(wire.records).toMatchObject([{ level: 'error', reason: 'NoUsableVersion' }]);
  });

  it('nears its expiry, or never expires though the version before does: whether to rotate it is looked at too', async () => {
    // As after a restore: an event that came while the key was revoked came to nothing.
    const asked = () => wire.sent.splice(0).filter(({ work }) => work.kind === 'rotate');
    const near = key();
    near.first.exp = wire.azure.clock.nowSeconds() + 20 * 86_400;
    await deliver(near.keyWork());
    expect(asked()).toMatchObject([{ queue: KEY_WORK, work: { kind: 'rotate', key: near.id() } }]);
    near.add();
    await deliver(near.keyWork());
    expect(asked()).toHaveLength(1);
    near.add({ exp: wire.azure.clock.nowSeconds() + 300 * 86_400 });
    await deliver(near.keyWork());
    expect(asked()).toEqual([]);
  });

  it('is revoked: no account is touched, and a version that appeared since is disabled', async () => {
    const files = key();
    files.account();
    const since = wire.azure.clock.now().toISOString();
    files.first.enabled = false;
    files.first.tags = { 'cmk-revocation': `${REVOKER.id} ${since} ${REVOKER.revokedBy} ${files.first.version}` };
    const next = files.add();
    await deliver(files.keyWork());
    expect(wire.sent).toEqual([]);
    expect(next.enabled).toBe(false);
    expect(next.tags?.['cmk-revocation']).toContain(next.version);
    expect(wire.records.map(({ reason }) => reason)).toEqual(['KeptRevoked', 'RevocationOpen']);
  });

  it('is in no managed vault: its message is poison, and nobody is asked', async () => {
    const other = key('kv-other');
    const since = wire.azure.requests.last;
    await deliver(other.keyWork());
    expect(wire.azure.requests.since(since)).toEqual([]);
    expect(wire.records).toMatchObject([{ level: 'error', reason: 'Poisoned', because: 'VaultNotManaged' }]);
  });
});
