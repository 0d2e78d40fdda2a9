import { beforeEach, describe, expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addAccount, addOtherResource, addResourceGroup } from '../../local/azure/fleet.ts';
import type { ResourceGroup, Vault } from '../../local/azure/world.ts';
import { abortAfter } from '../../src/azure/deadline.ts';
import { CONCURRENCY } from '../../src/azure/limits.ts';
import { readBlastRadius } from '../../src/key-users/blast-radius.ts';
import type { BlastRadius } from '../../src/key-users/dependent.ts';
import { createManagedKey, type ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { Services } from '../../src/services.ts';
import type { Environment } from '../../src/settings/settings.ts';
import { sampleServices } from '../support/app-services.ts';
import { TestKey } from '../support/fleet.ts';
import { useLocalAzure } from '../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'sample' });
beforeEach(() => local.azure.faults.clear());

function keyOf(services: Services, vaultName: string, name: string): ManagedKey {
  const vault = services.settings.vaults.byName(vaultName);
  if (!vault) throw new Error(`${vaultName} is not managed.`);
  return createManagedKey(vault, name);
}

function read(vault: string, key: string, settings: Environment = {}): Promise<BlastRadius> {
  const services = sampleServices(settings);
  return readBlastRadius(keyOf(services, vault, key), services);
}

function groupOf(subscriptionId: string, name: string): ResourceGroup {
  const subscription = local.azure.world.subscriptions.get(subscriptionId);
  if (!subscription) throw new Error(`No subscription ${subscriptionId}.`);
  return addResourceGroup(local.azure.world, subscription, name);
}

function vaultOf(name: string): Vault {
  const vault = local.azure.world.vaults.get(name);
  if (!vault) throw new Error(`No vault ${name}.`);
  return vault;
}

const names = (things: readonly { name: string }[]): string[] => things.map(({ name }) => name);

describe('the blast radius of a key', () => {
  it('The blast radius has the accounts with their shares, and other resources by one query of Resource Graph', async () => {
    const since = local.azure.requests.last;
    const radius = await read('kv-files', 'archive-key');
    const version = vaultOf('kv-files').keys.get('archive-key')?.versions.at(-1)?.version;

    expect(radius).toMatchObject({ complete: true, selfLockout: false, unread: [] });

    expect(radius.accounts).toMatchObject([
      {
        name: 'starchive01',
        region: 'westeurope',
        mode: 'pinned',
        version,
        shares: ['share1', 'share2'].map((share) => ({ name: share, protocol: 'SMB' })),
        scopes: [],
      },
      { name: 'starchive02' },
    ]);

    expect(radius.otherResources).toMatchObject([
      {
        name: 'des-archive',
        type: 'microsoft.compute/diskencryptionsets',
        uses: [{ path: 'activeKey.keyUrl', version }],
        whenRevoked: expect.stringMatching(/^Virtual machines .* shut down/),
      },
      {
        name: 'sql-archive',
        type: 'microsoft.sql/servers',
        uses: [{ path: 'keyId', version }],
        whenRevoked: expect.stringMatching(/inaccessible within ten minutes/),
      },
    ]);

    const queries = local.azure.requests.since(since).filter(({ path }) => path.includes('ResourceGraph'));
    expect(queries).toHaveLength(1);
  });

  it('The blast radius separates pinned from automatic accounts, and shows encryption scopes', async () => {
    const { accounts } = await read('kv-files', 'files-key');
    const modes = accounts.map(({ name, mode }) => `${name.slice(-2)} ${mode}`).join(', ');
    expect(modes).toMatch(/^(0[1-6] pinned, ){6}07 automatic, 08 automatic$/);
    expect(accounts.flatMap(({ scopes }) => scopes)).toMatchObject([{ name: 'scope1', enabled: true, mode: 'pinned' }]);
  });

  it('The blast radius names the services of an account that a revocation does not cut off', async () => {
    const key = new TestKey(local.azure.world);
    const under = key.account('pinned');
    const own = key.account('pinned', { ownServiceKeys: true });
    const { accounts } = await read('kv-files', key.name);
    expect(Object.fromEntries(accounts.map(({ name, notCutOff }) => [name, notCutOff]))).toEqual({
      [under.name]: [],
      [own.name]: ['queue', 'table'],
    });
  });

  it('The blast radius names the enabled encryption scopes with another key, which a revocation does not cut off', async () => {
    const key = new TestKey(local.azure.world);
    const other = new TestKey(local.azure.world);
    const scopes = [
      { name: 'own', key: key.use() },
      { name: 'other', key: other.use() },
      { name: 'platform' },
      { name: 'off', key: other.use() },
    ];

    const account = key.account('pinned', { scopes });

    Object.assign(account.encryptionScopes.get('off') ?? {}, { state: 'Disabled' });

    const onlyScope = other.account('pinned', { scopes: scopes.slice(0, 1) });
    const { accounts } = await read('kv-files', key.name);

    expect(Object.fromEntries(accounts.map(({ name, notCutOff }) => [name, notCutOff]))).toEqual({
      [account.name]: ['scope other', 'scope platform'],
      [onlyScope.name]: [],
    });
  });

  it('The blast radius is complete with an account without file service, and with one of a kind without encryption scopes', async () => {
    const key = new TestKey(local.azure.world);
    const blobs = key.account('pinned');
    const other = key.account('pinned');

    blobs.kind = 'BlockBlobStorage';

    const error = { code: 'FeatureNotSupportedForAccount', message: 'EncryptionScopes is not supported.' };

    local.azure.faults.add([
      { match: { path: `/${other.name}/encryptionScopes` }, answer: { status: 400, body: { error } } },
    ]);

    const radius = await read('kv-files', key.name);
    expect(radius).toMatchObject({ complete: true, unread: [] });
    expect(radius.accounts.map(({ name }) => name).sort()).toEqual([blobs.name, other.name].sort());
  });

  it('The blast radius is incomplete if the app may read no other resources', async () => {
    expect(await read('kv-files', 'archive-key', { CMK_OTHER_DEPENDENTS: 'none' })).toMatchObject({
      complete: false,
      unread: [{ what: 'other resource types', reason: 'OtherResourcesUnreadable' }],
    });
  });

  it('The blast radius names unread types if the app may read listed ones alone, and is complete all the same', async () => {
    const listed = await read('kv-files', 'archive-key', { CMK_OTHER_DEPENDENTS: 'listed' });
    expect(listed).toMatchObject({ complete: true, unread: [] });
    expect(listed.outOfSight).toMatch(
      /^The app may not read resources of some types.* deploy with otherDependents=reader/,
    );
    for (const sees of ['all', 'none']) {
      const { outOfSight } = await read('kv-files', 'archive-key', { CMK_OTHER_DEPENDENTS: sees });
      expect(outOfSight).toBeUndefined();
    }
  });

  it('The blast radius shows an account that uses the key by a scope alone, without its shares, which keep working', async () => {
    const { world } = local.azure;
    const key = { vault: vaultOf('kv-files'), keyName: 'archive-key', mode: 'automatic' } as const;
    const scopes = [{ name: 'blobs', key }];
    addAccount(world, groupOf(SUBSCRIPTION_ID, 'rg-scopes'), { name: 'stscopes01', scopes, shares: ['share1'] });

    try {
      const { accounts } = await read('kv-files', 'archive-key');
      expect(accounts.find(({ name }) => name === 'stscopes01')).toMatchObject({
        mode: 'scopesOnly',
        version: undefined,
        shares: [],
        scopes: [{ name: 'blobs', mode: 'automatic' }],
      });
    } finally {
      world.storageAccounts.delete('stscopes01');
    }
  });

  it('The blast radius shows an account outside the managed subscriptions as another resource', async () => {
    const radius = await read('kv-records', 'records-key', { CMK_SUBSCRIPTIONS: SUBSCRIPTION_ID });
    expect(radius.accounts).toEqual([]);
    expect(names(radius.otherResources)).toEqual(['strecords01', 'strecords02']);
    const all = await read('kv-records', 'records-key');
    expect(names(all.accounts)).toEqual(['strecords01', 'strecords02']);
    expect(all.otherResources).toEqual([]);
  });

  it('The blast radius has each page of Resource Graph, to the last', async () => {
    const { world } = local.azure;
    const group = groupOf(SECOND_SUBSCRIPTION_ID, 'rg-many');
    const keyId = 'https://kv-records.vault.azure.net/keys/many-key';
    const count = 1_003;
    for (let n = 0; n < count; n += 1) addOtherResource(world, group, 'Microsoft.Sql/servers', `sql-${n}`, { keyId });
    const radius = await read('kv-records', 'many-key');
    expect(new Set(names(radius.otherResources)).size).toBe(count);
    expect(radius.complete).toBe(true);
  });
});

describe("the app's own storage", () => {
  const filesKey = () => ({ vault: vaultOf('kv-files'), keyName: 'files-key', mode: 'pinned' }) as const;
  const own = { AzureWebJobsStorage: undefined, AzureWebJobsStorage__accountName: 'stcmkapp' };

  type Options = () => Omit<Parameters<typeof addAccount>[2], 'name'> | undefined;

  it.each<[sentence: string, options: Options, expected: BlastRadius['selfLockout'], subscription?: string]>([
    ['is locked out when it uses the key', () => ({ key: filesKey() }), true],
    ['is locked out from elsewhere too', () => ({ key: filesKey() }), true, SECOND_SUBSCRIPTION_ID],
    ['is locked out when a scope of it uses the key', () => ({ scopes: [{ name: 's', key: filesKey() }] }), true],
    ['is not locked out when it uses none', () => ({}), false],
    ['is not locked out by another key', () => ({ key: { ...filesKey(), keyName: 'archive-key' } }), false],
    ['may be locked out when it is not found', () => undefined, 'unknown'],
  ])("The app's own storage %s", async (_, options, expected, subscription = SUBSCRIPTION_ID) => {
    const { world } = local.azure;
    const asked = options();
    if (asked) addAccount(world, groupOf(subscription, 'rg-cmk'), { name: 'stcmkapp', ...asked });
    try {
      const radius = await read('kv-files', 'files-key', { ...own, CMK_SUBSCRIPTIONS: SUBSCRIPTION_ID });
      expect(radius.selfLockout).toBe(expected);
    } finally {
      world.storageAccounts.delete('stcmkapp');
    }
  });
});

describe('a part of the blast radius that cannot be read', () => {
  const forbidden = { status: 403, body: { error: { code: 'AuthorizationFailed', message: 'no' } } };

  const named = (name: string, reason: string, detail = '') => ({
    what: expect.stringContaining(name),
    reason,
    detail: expect.stringContaining(detail),
  });

  it.each<[sentence: string, rule: object, unread: object, accounts: number, others: number]>([
    [
      'the shares of one account',
      { match: { path: '/starchive01/fileServices/default/shares' }, answer: forbidden },
      named('starchive01', 'SharesUnreadable', '403 AuthorizationFailed'),
      ...([2, 2] as const),
    ],
    [
      'the accounts of a subscription',
      {
        match: { path: `${SECOND_SUBSCRIPTION_ID}/providers/Microsoft.Storage/storageAccounts\\?` },
        answer: { status: 503 },
      },
      named(SECOND_SUBSCRIPTION_ID, 'SubscriptionUnreadable'),
      ...([2, 2] as const),
    ],
    [
      'the subscriptions',
      { match: { path: '^/subscriptions\\?' }, answer: forbidden },
      named('storage accounts', 'SubscriptionUnreadable'),
      // The accounts show up here, as Resource Graph has them.
      ...([0, 4] as const),
    ],
    [
      'the scopes of a dependent',
      { match: { path: '/starchive02/encryptionScopes' }, reset: true },
      named('starchive02', 'ScopesUnreadable'),
      ...([2, 2] as const),
    ],
    [
      'other resources',
      { match: { path: 'ResourceGraph' }, answer: { status: 500 } },
      named('other resource types', 'OtherResourcesUnreadable', '500'),
      ...([2, 0] as const),
    ],
  ])(
    'A part of the blast radius that cannot be read is named, and hides nothing else: %s',
    async (_, rule, unread, accounts, others) => {
      local.azure.faults.add([rule]);
      const radius = await read('kv-files', 'archive-key');
      expect(radius.complete).toBe(false);
      expect(radius.unread).toMatchObject([unread]);
      expect([radius.accounts.length, radius.otherResources.length]).toEqual([accounts, others]);
    },
  );

  it('The rest of a region that throttled one list stays unread: no more shares and scopes are listed there', async () => {
    const key = new TestKey(local.azure.world);
    const dependents = Array.from({ length: 40 }, () => key.account('pinned', { location: 'uksouth' }).name);
    const elsewhere = key.account('pinned', { shares: ['share1'] });
    const of = `/(?:${dependents.join('|')})/(?:fileServices|encryptionScopes)`;

    local.azure.faults.add([{ match: { path: of }, answer: { status: 429 } }]);

    const since = local.azure.requests.last;

    const radius = await read('kv-files', key.name);

    const refused = local.azure.requests.since(since).filter(({ status }) => status === 429);
    expect(refused.length).toBeLessThanOrEqual(CONCURRENCY);
    expect(radius.complete).toBe(false);
    expect(radius.unread.map(({ reason }) => reason).sort()).toEqual([
      ...Array(40).fill('ScopesUnreadable'),
      ...Array(40).fill('SharesUnreadable'),
    ]);
    expect(radius.accounts.find(({ name }) => name === elsewhere.name)?.shares).toHaveLength(1);
  });

  it('The blast radius is returned without an error, even with all of Azure Resource Manager down', async () => {
    local.azure.faults.add([{ match: { host: 'management.azure.com' }, answer: { status: 503 } }]);
    const radius = await read('kv-files', 'archive-key');
    expect(radius).toMatchObject({ complete: false, accounts: [], otherResources: [] });
    expect(radius.unread.map(({ reason }) => reason).sort()).toEqual([
      'OtherResourcesUnreadable',
      'SubscriptionUnreadable',
    ]);
  });

  it('The blast radius names what did not answer in time, keeps the rest, and aborts the requests', async () => {
    local.azure.faults.add([
      { match: { path: 'ResourceGraph' }, hang: true },
      { match: { path: '/starchive02/fileServices' }, hang: true },
    ]);

    const services = sampleServices();
    const key = keyOf(services, 'kv-files', 'archive-key');
    const began = performance.now();
    const radius = await abortAfter((signal) => readBlastRadius(key, services, signal), 3_000);

    expect(performance.now() - began).toBeLessThan(30_000);
    expect(radius).toMatchObject({ complete: false, otherResources: [] });
    expect(radius.accounts.map(({ name, shares }) => `${name} ${shares.length}`)).toEqual([
      'starchive01 2',
      'starchive02 0',
    ]);
    expect(radius.unread.every(({ reason }) => reason === 'TimeUp')).toBe(true);
    expect(radius.unread.map(({ what }) => what)).toContain('other resource types');
    expect(radius.unread.some(({ what }) => what.startsWith('file shares of ') && what.endsWith('starchive02'))).toBe(
      true,
    );
  });
});
