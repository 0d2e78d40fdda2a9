import { describe, expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addIdentity, addKeyVersion, addVault, allowStorage } from '../../local/azure/fleet.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { reconcileAccount } from '../../src/accounts/reconcile-account.ts';
import type { Services } from '../../src/services.ts';
import { ACCOUNT_WORK, type AccountWork, parseAccountWork } from '../../src/work/messages.ts';
import { processWork } from '../../src/work/process.ts';
import { group, storageIdentity, TestKey, vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

const key = (...args: ConstructorParameters<typeof TestKey> extends [unknown, ...infer Rest] ? Rest : never) =>
  new TestKey(wire.azure.world, ...args);
const reconcile = (work: AccountWork, services: Services = wire.services()) =>
  reconcileAccount(work, services, wire.log);
/** Runs a message as the function does: with what becomes of it. */
const deliver = (work: AccountWork, services: Services = wire.services()) =>
  processWork(
    ACCOUNT_WORK,
    { entry: work, dequeueCount: 1 },
    parseAccountWork,
    (parsed) => reconcile(parsed, services),
    services.queue,
    wire.log,
  );
const reasons = () => wire.records.map(({ reason }) => reason);
/** GETs and PATCHes of the account itself, and what its scopes were asked. */
function requestsOf(account: StorageAccount, since: number) {
  const methods = (about: RegExp) => wire.arm(since, about).map(({ method }) => method);
  return {
    account: methods(new RegExp(`/storageAccounts/${account.name}\\?`)),
    scopes: methods(new RegExp(`/storageAccounts/${account.name}/encryptionScopes`)),
  };
}
const versionInUse = (account: StorageAccount) =>
  account.encryption.keyvaultproperties?.currentVersionedKeyIdentifier?.split('/').at(-1);
const pinnedTo = (account: StorageAccount) => account.encryption.keyvaultproperties?.keyversion;

describe('an account that is pinned to an older version', () => {
  it('is moved by one GET and one PATCH, and the answer is the proof', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'PATCH']);
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
    expect(await reconcile(files.accountWork(account))).toMatchObject({ outcome: 'again', counts: true });
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

  it('is written to once when two messages about it are worked on at the same time', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const services = wire.services();
    const since = wire.azure.requests.last;
    await Promise.all([1, 2, 3].map(() => reconcile(files.accountWork(account), services)));
    expect(requestsOf(account, since).account.filter((method) => method === 'PATCH')).toHaveLength(1);
    expect(reasons().sort()).toEqual(['Moved', 'UpToDate', 'UpToDate']);
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
      expect(requestsOf(account, since).account).toEqual(['GET', 'PATCH']);
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
      account: ['GET', 'PATCH'],
      scopes: ['GET', 'PATCH', 'PATCH', 'PATCH'],
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
      ['pinned', 'Moved'],
      ['automatic', 'Refreshed'],
      ['disabled', 'Moved'],
    ]);
  });

  it('move when their account itself is on another key, which gets no PATCH', async () => {
    const [files, other] = [key(), key()];
    const account = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    other.add();
    const next = files.add();
    const since = wire.azure.requests.last;
    await reconcile(files.accountWork(account));
    expect(requestsOf(account, since)).toEqual({ account: ['GET'], scopes: ['GET', 'PATCH'] });
    expect(pinnedTo(account)).toBe(other.first.version);
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

describe('what happened since the message was written', () => {
  it('an account that was deleted is done with', async () => {
    const files = key();
    const account = files.account();
    wire.azure.world.storageAccounts.delete(account.name);
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(reasons()).toEqual(['AccountNotFound']);
  });

  it('an account that is deleted between the read and the PATCH is done with', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const services = wire.services();
    const updateEncryption: Services['accounts']['updateEncryption'] = (...change) => {
      wire.azure.world.storageAccounts.delete(account.name);
      return services.accounts.updateEncryption(...change);
    };
    const accounts = { ...services.accounts, updateEncryption };
    expect(await reconcile(files.accountWork(account), { ...services, accounts })).toEqual({ outcome: 'done' });
    expect(new Set(reasons())).toEqual(new Set(['AccountNotFound']));
  });

  it.each([
    ['another key', 'OtherKey'],
    ['keys managed by Microsoft', 'NotCustomerManaged'],
  ])('an account that was switched to %s is left alone', async (to, reason) => {
    const [files, other] = [key(), key()];
    const account = files.account();
    files.add();
    if (reason === 'OtherKey') account.encryption = other.account().encryption;
    else account.encryption = { keySource: 'Microsoft.Storage', services: account.encryption.services };
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account)), to).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET']);
    expect(reasons()).toEqual([reason]);
  });

  it('an account whose key was revoked is neither moved nor refreshed', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const revokedOn = wire.azure.clock.now().toISOString();
    files.first.tags = { 'cmk-revocation': `r1 ${revokedOn} somebody ${files.first.version}` };
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET']);
    expect(wire.records).toMatchObject([{ level: 'warning', reason: 'RevocationOpen' }]);
    expect(next.enabled).toBe(true);
  });
});

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
      expect(await reconcile(records.accountWork(account))).toMatchObject({ outcome: 'again', counts: true });
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

      await deliver(files.accountWork(account));
      expect(pinnedTo(account)).toBe(next.version);
    },
  );

  it.each([
    ['write', 'pacer', 1],
    ['read', 'readPacer', 2],
  ] as const)('a used-up %s budget sends the message back before anything is asked', async (what, pacer, calls) => {
    const files = key();
    const account = files.account();
    files.add();
    const services = wire.services();
    const nowMs = wire.azure.clock.nowMs();
    const subscription = account.id.split('/')[2] ?? '';
    const cell = pacer === 'pacer' ? `${subscription}/${account.location}` : subscription;
    for (let n = 0; n < 400; n++) services[pacer].reserve(cell, nowMs, calls);
    const since = wire.azure.requests.last;
    const outcome = await reconcile(files.accountWork(account), services);
    expect(outcome).toMatchObject({ outcome: 'again', reason: 'Throttled', counts: false });
    expect(outcome).toMatchObject({ detail: expect.stringContaining(`The ${what} budget of`) });
    expect(wire.azure.requests.since(since)).toEqual([]);
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

  it('a lost answer to the PATCH is asked about again, and nothing is written twice', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const since = wire.azure.requests.last;
    wire.azure.faults.add([{ match: { method: 'PATCH', path: account.name }, times: 1, resetAfter: true }]);
    await deliver(files.accountWork(account));
    expect(wire.sent).toMatchObject([{ delaySeconds: 15, work: { attempt: 1 } }]);
    expect(pinnedTo(account)).toBe(next.version);
    await deliver(wire.sent[0]?.work as AccountWork);
    expect(requestsOf(account, since).account).toEqual(['GET', 'PATCH', 'GET']);
    expect(reasons().at(-1)).toBe('UpToDate');
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
    expect(outcome).toMatchObject({ outcome: 'again', reason: 'NotProven', counts: true });
    expect(outcome).toMatchObject({ detail: expect.stringContaining(files.id(next)) });
    expect(reasons()).not.toContain('Moved');
  });

  it('a missing permission of the app is tried again while a role may still propagate', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const answer = { status: 403, body: { error: { code: 'AuthorizationFailed', message: 'no right' } } };
    wire.azure.faults.add([{ match: { method: 'PATCH', path: account.name }, times: 1, answer }]);
    expect(await reconcile(files.accountWork(account))).toMatchObject({
      outcome: 'again',
      reason: 'MissingPermission',
      detail: '403 AuthorizationFailed: no right',
    });
  });

  it('a key in a vault that is not managed is not asked about', async () => {
    const files = key('kv-other');
    const since = wire.azure.requests.last;
    const work = files.accountWork({ id: '/subscriptions/x', location: 'westeurope' });
    expect(await reconcile(work)).toMatchObject({ outcome: 'impossible', reason: 'VaultNotManaged' });
    expect(wire.azure.requests.since(since)).toEqual([]);
  });
});
