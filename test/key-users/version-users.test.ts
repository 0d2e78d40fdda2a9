import { beforeEach, describe, expect, it } from 'vitest';
import { addOtherResource } from '../../local/azure/fleet.ts';
import type { VersionUsers } from '../../src/key-users/version-users.ts';
import { readVersionUsers } from '../../src/key-users/version-users.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { Services } from '../../src/services.ts';
import type { Environment } from '../../src/settings/settings.ts';
import { sampleServices } from '../support/app-services.ts';
import { group, TestKey } from '../support/fleet.ts';
import { useLocalAzure } from '../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'sample' });
beforeEach(() => local.azure.faults.clear());
const world = () => local.azure.world;

function read(key: TestKey, settings: Environment = {}): Promise<VersionUsers> {
  const services = sampleServices(settings);
  // Without an app around there is no index.
  return readVersionUsers(managed(key, services), { ...services, useRows: undefined });
}

function managed(key: TestKey, { settings }: Services): ManagedKey {
  const found = settings.vaults.key(key.id());
  if (!found) throw new Error('The vault is not managed.');
  return found;
}

function partsOf(id: string): Record<string, string> {
  const [, keyvaultUri = '', keyName = '', keyVersion = ''] = /^(https:\/\/[^/]+)\/keys\/([^/]+)\/(.+)$/.exec(id) ?? [];
  return { keyvaultUri, keyName, keyVersion };
}

describe('the list of users of each version of a key', () => {
  it('The users of a version are accounts, encryption scopes and other resources, and none of another key', async () => {
    const key = new TestKey(world());
    const newer = key.add();
    const pinned = key.account('pinned');
    const automatic = key.account('automatic', { key: key.use('automatic', newer) });
    const scoped = key.account('pinned', {
      key: key.use('pinned', newer),
      scopes: [{ name: 'blobs', key: key.use() }],
    });

    const updates = addOtherResource(
      world(),
      group(world()),
      'Microsoft.DeviceUpdate/accounts',
      `updates-${key.name}`,
      {
        encryption: { keyVaultKeyUri: key.id(newer) },
      },
    );

    new TestKey(world()).account('pinned');

    const { uses, gaps } = await read(key);
    expect(gaps).toEqual([]);
    expect(uses).toHaveLength(5);

    expect(uses).toEqual(
      expect.arrayContaining([
        { who: pinned.id, versions: [key.first.version] },
        { who: automatic.id, versions: [newer.version] },
        { who: scoped.id, versions: [newer.version] },
        { who: `${scoped.id}/encryptionScopes/blobs`, versions: [key.first.version] },
        { who: updates.id, versions: [newer.version] },
      ]),
    );
  });

  it('The list of users has a gap for a resource that names the key without a version', async () => {
    const key = new TestKey(world());
    const { id } = addOtherResource(world(), group(world()), 'Microsoft.DeviceUpdate/accounts', `updates-${key.name}`, {
      encryption: { keyVaultKeyUri: key.id() },
    });
    expect(await read(key)).toEqual({
      uses: [{ who: id, versions: [] }],
      gaps: [`${id} uses the key without naming a version.`],
    });
  });

  it.each([
    ['Microsoft.Sql/servers', (keyId: string) => ({ keyId })],
    [
      'Microsoft.RecoveryServices/vaults',
      (keyUri: string) => ({ encryption: { keyVaultProperties: { keyUri }, infrastructureEncryption: 'Disabled' } }),
    ],
    ['Microsoft.Synapse/workspaces', (keyVaultUrl: string) => ({ encryption: { cmk: { key: { keyVaultUrl } } } })],
    [
      'Microsoft.ContainerService/managedClusters',
      (keyId: string) => ({ securityProfile: { azureKeyVaultKms: { enabled: true, keyId } } }),
    ],
    ['Microsoft.Automation/automationAccounts', (id: string) => ({ encryption: { keyVaultProperties: partsOf(id) } })],
  ])(
    'The list of users has a gap while %s names the newest version, as it may still need an old one',
    async (type, properties) => {
      const key = new TestKey(world());
      const newer = key.add();
      const name = `old-${key.name}`;
      const { id } = addOtherResource(world(), group(world()), type, name, properties(key.id(newer)));
      const { uses, gaps } = await read(key);
      expect(uses).toEqual([{ who: id, versions: [newer.version] }]);
      expect(gaps).toEqual([expect.stringMatching(new RegExp(`^${id} .* (old version|its data when)`))]);
    },
  );

  it('The list of users has a gap for an account whose version in use Azure does not show', async () => {
    const key = new TestKey(world());
    const account = key.account('pinned');
    delete account.encryption.keyvaultproperties?.currentVersionedKeyIdentifier;
    const uses = [{ who: account.id, versions: [key.first.version] }];
    expect(await read(key)).toEqual({ uses, gaps: [`${account.id} does not show the version in use.`] });
  });

  it('The list of users has a gap for an account that cannot be read itself, whatever the list of accounts shows', async () => {
    const key = new TestKey(world());
    const account = key.account('pinned');
    const other = key.account('pinned');
    const answer = { status: 404, body: { error: { code: 'ResourceNotFound', message: 'Gone.' } } };
    local.azure.faults.add([{ match: { path: `/storageAccounts/${account.name}\\?` }, answer }]);
    const { uses, gaps } = await read(key);
    expect(gaps).toEqual([expect.stringMatching(new RegExp(`${account.id}: 404 ResourceNotFound`))]);
    expect(uses).toEqual([{ who: other.id, versions: [key.first.version] }]);
  });

  it('The list of users has a gap for what did not answer in time, and for what was not read yet', async () => {
    const key = new TestKey(world());
    const accounts = Array.from({ length: 10 }, () => key.account('pinned'));
    const path = `/storageAccounts/(${accounts.map(({ name }) => name).join('|')})\\?`;

    local.azure.faults.add([{ match: { path }, hang: true }]);

    const services = sampleServices();
    const time = new AbortController();
    let asked = 0;

    // Time is up once as many as are read at the same time hang.
    const get: Services['accounts']['get'] = (id) => {
      asked += 1;
      if (asked === 8) setImmediate(() => time.abort());
      return services.accounts.get(id);
    };

    const slow = { ...services, useRows: undefined, accounts: { ...services.accounts, get } };
    const { uses, gaps } = await readVersionUsers(managed(key, services), slow, time.signal);

    expect(uses).toEqual([]);

    const ofAccounts = gaps.filter((gap) => gap.startsWith('/subscriptions/'));
    expect(ofAccounts).toHaveLength(accounts.length);

    for (const { id } of accounts) expect(gaps.join('\n')).toContain(`${id}: The read exceeded its deadline`);
  });
});
