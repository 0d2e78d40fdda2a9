import { beforeEach, describe, expect, it } from 'vitest';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addResourceGroup,
  addSubscription,
  addVault,
  allowStorage,
} from '../../local/azure/fleet.ts';
import type {
  KeyVersion,
  ResourceGroup,
  StorageAccount,
  UserAssignedIdentity,
  Vault,
} from '../../local/azure/world.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm } from './support.ts';

const local = useLocalAzure();
const day = 24 * 3_600_000;

let group: ResourceGroup;
let vault: Vault;
let identity: UserAssignedIdentity;
let first: KeyVersion;

beforeEach(() => {
  const { world } = local.azure;
  for (const map of [world.vaults, world.storageAccounts, world.identities]) map.clear();
  Object.assign(world.settings, { refreshAutomaticOnPatch: true, encryptionPatch: 'merge', storageListPageSize: 1000 });
  group = addResourceGroup(world, addSubscription(world), 'rg');
  vault = addVault(world, group, 'kv');
  first = addKeyVersion(world, vault, 'key');
  identity = addIdentity(world, group, 'id');
  allowStorage(world, vault, identity.principalId);
});

function add(mode: 'pinned' | 'automatic' | 'automaticEmpty', name = 'staccount'): StorageAccount {
  return addAccount(local.azure.world, group, { name, identity, key: { vault, keyName: 'key', mode } });
}

async function keyOf(account: StorageAccount) {
  const { body } = await arm(local.azure, 'GET', account.id);
  return body.properties?.encryption?.keyvaultproperties;
}

function patchKey(account: StorageAccount, keyvaultproperties: Record<string, unknown>) {
  return arm(local.azure, 'PATCH', account.id, {
    body: { properties: { encryption: { keySource: 'Microsoft.Keyvault', keyvaultproperties } } },
  });
}

describe('an automatic account', () => {
  it.each(['automatic', 'automaticEmpty'] as const)('(%s) looks for a new version once a day', async (mode) => {
    const account = add(mode);
    const second = addKeyVersion(local.azure.world, vault, 'key');
    expect((await keyOf(account))?.currentVersionedKeyIdentifier).toContain(first.version);

    local.azure.clock.advance(day - 60_000);
    expect((await keyOf(account))?.currentVersionedKeyIdentifier).toContain(first.version);

    local.azure.clock.advance(60_000);
    const key = await keyOf(account);
    expect(key?.currentVersionedKeyIdentifier).toContain(second.version);
    expect(key?.keyversion).toBe(mode === 'automatic' ? undefined : '');
  });

  it('stays where it is while the newest version is disabled or the role is gone', async () => {
    const account = add('automatic');
    const second = addKeyVersion(local.azure.world, vault, 'key', { enabled: false });
    local.azure.clock.advance(day);
    expect((await keyOf(account))?.currentVersionedKeyIdentifier).toContain(first.version);
    second.enabled = true;
    local.azure.clock.advance(day);
    expect((await keyOf(account))?.currentVersionedKeyIdentifier).toContain(second.version);
  });

  it.each([
    [true, 'resolves the newest version at once'],
    [false, 'leaves it for the next look'],
  ])('with the setting %s, an empty version in a PATCH %s', async (refresh) => {
    local.azure.world.settings.refreshAutomaticOnPatch = refresh;
    const account = add('automaticEmpty');
    const second = addKeyVersion(local.azure.world, vault, 'key');
    const { body } = await patchKey(account, {
      keyvaulturi: vault.properties.vaultUri,
      keyname: 'key',
      keyversion: '',
    });
    const current = body.properties?.encryption?.keyvaultproperties?.currentVersionedKeyIdentifier;
    expect(current).toContain(refresh ? second.version : first.version);
  });
});

describe('a PATCH of a pinned account', () => {
  it('without a version keeps the pin; with an empty one it becomes automatic and resolves the newest at once', async () => {
    const account = add('pinned');
    const second = addKeyVersion(local.azure.world, vault, 'key');
    const names = { keyvaulturi: vault.properties.vaultUri, keyname: 'key' };
    const kept = await patchKey(account, names);
    expect(kept.body.properties?.encryption?.keyvaultproperties?.keyversion).toBe(first.version);
    const cleared = await patchKey(account, { ...names, keyversion: '' });
    expect(cleared.body.properties?.encryption?.keyvaultproperties).toMatchObject({
      keyversion: '',
      currentVersionedKeyIdentifier: expect.stringContaining(second.version),
    });
  });

  it('without a version drops the pin where a PATCH replaces', async () => {
    local.azure.world.settings.encryptionPatch = 'replace';
    const account = add('pinned');
    const { body } = await arm(local.azure, 'PATCH', account.id, {
      body: {
        properties: {
          encryption: {
            keySource: 'Microsoft.Keyvault',
            identity: { userAssignedIdentity: identity.id },
            keyvaultproperties: { keyvaulturi: vault.properties.vaultUri, keyname: 'key' },
          },
        },
      },
    });
    expect(body.properties?.encryption?.keyvaultproperties).not.toHaveProperty('keyversion');
  });

  it('back to Microsoft-managed keys leaves no key properties', async () => {
    const account = add('pinned');
    const { body } = await arm(local.azure, 'PATCH', account.id, {
      body: { properties: { encryption: { keySource: 'Microsoft.Storage', identity: null } } },
    });
    expect(Object.keys(body.properties?.encryption ?? {}).sort()).toEqual(['keySource', 'services']);
  });
});

describe('an identity that is deleted', () => {
  const apiVersion = '?api-version=2024-11-30';

  it('stays named on the account, and one made again under its name is another that the account cannot use', async () => {
    const { world } = local.azure;
    const account = add('pinned');
    addKeyVersion(world, vault, 'key');
    const before = (await arm(local.azure, 'GET', account.id)).body;
    expect((await arm(local.azure, 'DELETE', `${identity.id}${apiVersion}`)).status).toBe(200);
    expect((await arm(local.azure, 'GET', `${identity.id}${apiVersion}`)).body.error?.code).toBe('ResourceNotFound');
    expect((await arm(local.azure, 'GET', account.id)).body).toEqual(before);
    expect((await patchKey(account, { ...(await keyOf(account)), keyversion: '' })).status).toBe(400);

    const again = await arm(local.azure, 'PUT', `${identity.id}${apiVersion}`, { body: { location: 'westeurope' } });
    expect(again.status).toBe(201);
    const principalId = String(again.body.properties?.principalId);
    expect(principalId).not.toBe(identity.principalId);
    allowStorage(world, vault, principalId);
    expect((await arm(local.azure, 'GET', account.id)).body).toEqual(before);
    expect((await patchKey(account, { ...(await keyOf(account)), keyversion: '' })).status).toBe(400);
  });
});

describe('lists of accounts', () => {
  it('come in pages that nextLink leads through', async () => {
    local.azure.world.settings.storageListPageSize = 2;
    for (const name of ['stone', 'sttwo', 'stthree', 'stfour', 'stfive']) add('pinned', name);
    const [, , subscription] = group.id.split('/');
    const names: (string | undefined)[] = [];
    let path: string | undefined = `/subscriptions/${subscription}/providers/Microsoft.Storage/storageAccounts`;
    for (let pages = 0; path !== undefined; pages++) {
      expect(pages).toBeLessThan(3);
      const { body } = await arm(local.azure, 'GET', path);
      names.push(...(body.value ?? []).map(({ name }) => name));
      path = body.nextLink?.replace('https://management.azure.com', '');
    }
    expect(names).toEqual(['stone', 'sttwo', 'stthree', 'stfour', 'stfive']);
  });
});

describe('an encryption scope', () => {
  it('is pinned by a versioned key URI, and follows its key with one that has no version', async () => {
    const account = add('pinned');
    const put = (name: string, keyUri: string) =>
      arm(local.azure, 'PUT', `${account.id}/encryptionScopes/${name}`, {
        body: { properties: { source: 'Microsoft.KeyVault', keyVaultProperties: { keyUri } } },
      });
    expect((await put('pinned', `https://kv.vault.azure.net/keys/key/${first.version}`)).status).toBe(201);
    expect((await put('follows', 'https://kv.vault.azure.net/keys/key')).status).toBe(201);
    const second = addKeyVersion(local.azure.world, vault, 'key');
    local.azure.clock.advance(day);
    const { body } = await arm(local.azure, 'GET', `${account.id}/encryptionScopes`);
    const current = (body.value ?? []).map(({ name, properties }) => [name, properties?.keyVaultProperties]);
    expect(current).toMatchObject([
      ['follows', { currentVersionedKeyIdentifier: expect.stringContaining(second.version) }],
      ['pinned', { currentVersionedKeyIdentifier: expect.stringContaining(first.version) }],
    ]);
  });
});
