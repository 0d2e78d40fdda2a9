import { describe, expect, it, vi } from 'vitest';
import { SECOND_SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addIdentity, addKeyVersion, allowStorage } from '../../local/azure/fleet.ts';
import { Turns } from '../../src/azure/turns.ts';
import { group, storageIdentity } from '../support/fleet.ts';
import { pinnedTo, useAccounts, versionInUse } from './account-fixture.ts';

const { instance, key, reasons, reconcile, requestsOf, wire } = useAccounts();

describe('an account that is pinned to an older version', () => {
  it('is moved by one PATCH, right after it was read once more, and the answer is the proof', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'GET', 'PATCH']);
    expect([pinnedTo(account), versionInUse(account)]).toEqual([next.version, next.version]);
    expect(wire.records).toMatchObject([
      {
        level: 'info',
        reason: 'Moved',
        account: account.id,
        mode: 'pinned',
        from: files.id(files.first),
        to: files.id(next),
      },
    ]);
  });

  it('is read once and written right behind it, where it is found as the message says it was', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const since = wire.azure.requests.last;
    const seen = { pinned: files.first.version, current: files.first.version };
    expect(await reconcile({ ...files.accountWork(account), seen })).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'PATCH']);
    expect(versionInUse(account)).toBe(next.version);
    expect(wire.records).toMatchObject([{ reason: 'Moved', from: files.id(files.first), to: files.id(next) }]);
  });

  it('and that the app has moved before, is read once whoever asks, as its lease says how it was left', async () => {
    const files = key();
    const account = files.account();
    files.add();
    await reconcile(files.accountWork(account));
    const next = files.add();
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'PATCH']);
    expect(versionInUse(account)).toBe(next.version);
  });

  it('is read before anything is announced where the message and its lease differ', async () => {
    const files = key();
    const account = files.account();
    files.add();
    await reconcile(files.accountWork(account));
    const next = files.add();
    const since = wire.azure.requests.last;
    const seen = { pinned: files.first.version, current: files.first.version };
    expect(await reconcile({ ...files.accountWork(account), seen })).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'GET', 'PATCH']);
    expect(versionInUse(account)).toBe(next.version);
  });

  it('is moved from what it is found to use, not from what it was guessed to', async () => {
    const files = key();
    const account = files.account();
    const second = files.add();
    const next = files.add();
    const seen = { pinned: second.version, current: second.version };
    const since = wire.azure.requests.last;
    expect(await reconcile({ ...files.accountWork(account), seen })).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'GET', 'PATCH']);
    expect(wire.records).toMatchObject([{ reason: 'Moved', from: files.id(files.first), to: files.id(next) }]);
  });

  it.each(['merge', 'replace'] as const)(
    'keeps everything else, field by field, where a PATCH means "%s"',
    async (encryptionPatch) => {
      wire.azure.world.settings.encryptionPatch = encryptionPatch;
      const files = key();
      const account = files.account('pinned', { tags: { owner: 'files', 'cmk-key': files.id() }, shares: ['share1'] });
      account.encryption.requireInfrastructureEncryption = true;
      account.encryption.services = {
        ...account.encryption.services,
        queue: { keyType: 'Account', enabled: true, lastEnabledTime: '2024-01-01T00:00:00.0000000Z' },
        table: { keyType: 'Service', enabled: true, lastEnabledTime: '2024-01-01T00:00:00.0000000Z' },
      };
      account.properties = { ...account.properties, minimumTlsVersion: 'TLS1_2', allowSharedKeyAccess: false };
      const before = await wire.raw(account.id);
      const next = files.add({ exp: wire.azure.clock.nowSeconds() + 90 * 86_400 });
      await reconcile(files.accountWork(account));

      const after = await wire.raw(account.id);
      const changed = {
        keyversion: next.version,
        currentVersionedKeyIdentifier: files.id(next),
        lastKeyRotationTimestamp: expect.any(String),
        currentVersionedKeyExpirationTimestamp: expect.stringMatching(/^20/),
      };
      const { encryption } = before.properties as { encryption: { keyvaultproperties: object } };
      expect(after).toEqual({
        ...before,
        properties: {
          ...(before.properties as object),
          encryption: { ...encryption, keyvaultproperties: { ...encryption.keyvaultproperties, ...changed } },
        },
      });
    },
  );

  it('is moved when that version has been disabled', async () => {
    const files = key();
    const account = files.account();
    files.first.enabled = false;
    const next = files.add();
    await reconcile(files.accountWork(account));
    expect(pinnedTo(account)).toBe(next.version);
  });

  it('is tried again when Storage does not let go of a version that has been disabled', async () => {
    wire.azure.world.settings.repointFromDisabledKey = false;
    const files = key();
    const account = files.account();
    files.first.enabled = false;
    const next = files.add();
    expect(await reconcile(files.accountWork(account))).toMatchObject({ outcome: 'retry', counts: true });
    files.first.enabled = true; // as the runbook says: enable first, point elsewhere second
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(pinnedTo(account)).toBe(next.version);
  });

  it('is moved in another subscription and region than the key is in', async () => {
    const files = key();
    const records = group(wire.azure.world, 'rg-records', SECOND_SUBSCRIPTION_ID);
    const account = files.account('pinned', { group: records, location: 'swedencentral' });
    const next = files.add();
    await reconcile(files.accountWork(account));
    expect(pinnedTo(account)).toBe(next.version);
  });

  it('keeps its system-assigned identity', async () => {
    const files = key();
    const account = files.account();
    const principalId = '0b1ec700-0000-4000-8000-0000000000aa';
    account.identity = { type: 'SystemAssigned', principalId, tenantId: wire.azure.world.tenantId };
    delete account.encryption.identity;
    allowStorage(wire.azure.world, files.vault, principalId);
    const identity = structuredClone(account.identity);
    const next = files.add();
    await reconcile(files.accountWork(account));
    expect(pinnedTo(account)).toBe(next.version);
    expect(account.identity).toEqual(identity);
    expect(account.encryption.identity).toBeUndefined();
  });

  it('keeps its user-assigned identity, and the others that are attached to it', async () => {
    const { world } = wire.azure;
    const files = key();
    const account = files.account();
    const other = addIdentity(world, group(world), `id-${files.name}`);
    account.identity = {
      type: 'SystemAssigned,UserAssigned',
      principalId: '0b1ec700-0000-4000-8000-0000000000ab',
      tenantId: world.tenantId,
      userAssignedIdentities: {
        ...account.identity?.userAssignedIdentities,
        [other.id]: { principalId: other.principalId, clientId: other.clientId },
      },
    };
    const [identity, encryptionIdentity] = structuredClone([account.identity, account.encryption.identity]);
    const next = files.add();
    await reconcile(files.accountWork(account));
    expect(pinnedTo(account)).toBe(next.version);
    expect(account.identity).toEqual(identity);
    expect(account.encryption.identity).toEqual(encryptionIdentity);
  });

  it('keeps its federated identity, by which the key is reached across tenants', async () => {
    const files = key();
    const account = files.account();
    const userAssignedIdentity = storageIdentity(wire.azure.world).id;
    const federated = { userAssignedIdentity, federatedIdentityClientId: '3109d1c4-a5de-4d84-8832-feabb916a4b6' };
    account.encryption.identity = federated;
    const next = files.add();
    await reconcile(files.accountWork(account));
    expect(pinnedTo(account)).toBe(next.version);
    expect(account.encryption.identity).toEqual(federated);
  });

  it('gives back the write that it did not need, for the very time that it was taken for', async () => {
    const files = key();
    const work = files.accountWork(files.account());
    const turns = new Turns(1);
    const place = { subscriptionId: work.account.split('/')[2] ?? '', location: work.location };
    turns.refused(place, 'call', wire.azure.clock.now().getTime(), 2_000);
    const [take, release] = [vi.spyOn(turns, 'take'), vi.spyOn(turns, 'release')];
    // The timer is early by all of it.
    expect(await reconcile(work, { ...instance(), turns })).toEqual({ outcome: 'done' });
    const [, , nowMs] = take.mock.calls[0] ?? [];
    expect(take.mock.results[0]?.value).toBeGreaterThan(1_000);
    expect(release.mock.calls).toEqual([[place, { writes: 1 }, Number(nowMs) + take.mock.results[0]?.value]]);
  });

  it('is written to once when messages about it are worked on at the same time, by whichever instance', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const instances = [wire.services(), wire.services()];
    const since = wire.azure.requests.last;
    const outcomes = await Promise.all([0, 1, 0].map((n) => reconcile(files.accountWork(account), instances[n])));
    expect(requestsOf(account, since).account.filter((method) => method === 'PATCH')).toHaveLength(1);
    const busy = outcomes.filter((outcome) => outcome.outcome !== 'done');
    for (const outcome of busy) expect(outcome).toMatchObject({ outcome: 'retry', reason: 'Busy', counts: false });
    expect(reasons().sort()).toEqual(['Moved', ...Array(2 - busy.length).fill('UpToDate')]);
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(reasons().at(-1)).toBe('UpToDate');
  });

  it.each(['oldestFirst', 'newestFirst', 'byVersion'] as const)(
    'moves to the one that Key Vault calls the latest, of versions made in the same second (listed %s)',
    async (versionListOrder) => {
      const { world } = wire.azure;
      world.settings.versionListOrder = versionListOrder;
      const files = key();
      const account = files.account();
      const [, , last] = [1, 2, 3].map(() => addKeyVersion(world, files.vault, files.name));
      await reconcile(files.accountWork(account));
      expect(pinnedTo(account)).toBe(last?.version);
    },
  );

  it('is not moved onto a version that is not active yet, disabled, or expired', async () => {
    const files = key();
    const account = files.account();
    const now = wire.azure.clock.nowSeconds();
    const good = files.add();
    files.add({ enabled: false });
    files.add({ exp: now - 60, nbf: now - 120 });
    files.add({ nbf: now + 3_600 });
    await reconcile(files.accountWork(account));
    expect(pinnedTo(account)).toBe(good.version);
  });
});

describe('an account that is right already', () => {
  it.each(['pinned', 'automatic', 'automaticEmpty'] as const)('gets no PATCH (%s)', async (mode) => {
    const files = key();
    const account = files.account(mode);
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET']);
    expect(reasons()).toEqual(['UpToDate']);
  });

  it('is not called right when Azure does not use what it is pinned to: it is written again, until Azure does', async () => {
    const files = key();
    const next = files.add();
    const account = files.account('pinned', { key: files.use('pinned', next) });
    Object.assign(account.encryption.keyvaultproperties ?? {}, {
      currentVersionedKeyIdentifier: files.id(files.first),
    });
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account))).toMatchObject({ outcome: 'retry', reason: 'NotProven' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'GET', 'PATCH']);
    const fresh = await wire.raw(account.id);
    const shown = JSON.stringify(fresh).replaceAll(files.id(files.first), files.id(next));
    const answer = { status: 200, body: JSON.parse(shown) };
    wire.azure.faults.add([{ match: { method: 'PATCH', path: `${account.name}\\?` }, times: 1, answer }]);
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(wire.records.at(-1)).toMatchObject({ reason: 'Moved', from: files.id(files.first), to: files.id(next) });
    expect(wire.records.at(-1)?.message).toContain('Azure still uses another');
  });

  it('is moved off a version that the key does not have any more, once that was looked up again', async () => {
    const files = key();
    const account = files.account();
    const gone = 'f'.repeat(32);
    Object.assign(account.encryption.keyvaultproperties ?? {}, {
      keyversion: gone,
      currentVersionedKeyIdentifier: files.id({ ...files.first, version: gone }),
    });
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(pinnedTo(account)).toBe(files.first.version);
    const lists = wire.azure.requests
      .since(since)
      .filter(({ path, status }) => status === 200 && path.includes('/versions'));
    expect(lists.length).toBeGreaterThanOrEqual(2);
  });

  it('is not moved back by a list without its version, where the message and its lease say that it has it', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    await reconcile(files.accountWork(account));
    const services = wire.services();
    let lists = 0;
    const keys: typeof services.keys = {
      ...services.keys,
      async listVersions(...about) {
        lists += 1;
        const all = await services.keys.listVersions(...about);
        return lists === 1 ? all.filter(({ version }) => version !== next.version) : all;
      },
    };
    const since = wire.azure.requests.last;
    const seen = { pinned: next.version, current: next.version };
    const outcome = await reconcile({ ...files.accountWork(account), seen }, { ...services, keys });
    expect(outcome).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET']);
    expect(pinnedTo(account)).toBe(next.version);
  });

  it('is not moved back when its version is newer than every usable one', async () => {
    const files = key();
    const next = files.add();
    const account = files.account('pinned', { key: files.use('pinned', next) });
    next.enabled = false;
    const since = wire.azure.requests.last;
    await reconcile(files.accountWork(account));
    expect(requestsOf(account, since).account).toEqual(['GET']);
    expect(wire.records).toMatchObject([{ level: 'warning', reason: 'NeverBackwards' }]);
  });
});

describe('an account that follows its key by itself', () => {
  it.each(['automatic', 'automaticEmpty'] as const)(
    'is asked to look at once, and stays automatic (%s)',
    async (mode) => {
      const files = key();
      const account = files.account(mode);
      const next = files.add();
      const since = wire.azure.requests.last;
      await reconcile(files.accountWork(account));
      expect(requestsOf(account, since).account).toEqual(['GET', 'GET', 'PATCH']);
      expect(pinnedTo(account) ?? '').toBe('');
      expect(versionInUse(account)).toBe(next.version);
      expect(wire.records).toMatchObject([{ reason: 'Refreshed', mode: 'automatic', to: files.id(next) }]);
    },
  );

  it('is reported as lagging, and nothing more, when Storage keeps to its daily look', async () => {
    wire.azure.world.settings.refreshAutomaticOnPatch = false;
    const files = key();
    const account = files.account('automaticEmpty');
    files.add();
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(versionInUse(account)).toBe(files.first.version);
    expect(wire.records).toMatchObject([{ level: 'info', reason: 'LaggingAutomaticVersion' }]);
    expect(wire.sent).toEqual([]);
  });

  it.each([
    ['disabled', { enabled: false }],
    ['not active yet', { nbf: 4_000_000_000 }],
    ['expired', { nbf: 1_600_000_000, exp: 1_700_000_000 }],
  ])('is not written to when the newest version is %s: Storage would refuse', async (_, options) => {
    const files = key();
    const scopes = [{ name: 'scope1', key: files.use('automatic') }];
    const account = files.account('automaticEmpty', { scopes });
    files.add();
    files.add(options);
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since)).toEqual({ account: ['GET'], scopes: ['GET'] });
    expect(reasons()).toEqual(['NewestVersionUnusable', 'NewestVersionUnusable']);
  });

  it.each([true, false])(
    'is left alone with CMK_REFRESH_AUTOMATIC=off, whatever Storage would do (%s)',
    async (refreshAutomaticOnPatch) => {
      wire.azure.world.settings.refreshAutomaticOnPatch = refreshAutomaticOnPatch;
      const files = key();
      const account = files.account('automaticEmpty');
      files.add();
      const since = wire.azure.requests.last;
      await reconcile(files.accountWork(account), wire.services({ CMK_REFRESH_AUTOMATIC: 'off' }));
      expect(requestsOf(account, since).account).toEqual(['GET']);
      expect(reasons()).toEqual(['LaggingAutomaticVersion']);
    },
  );
});
