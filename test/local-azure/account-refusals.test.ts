import { beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../local/azure/create-world.ts';
import { addIdentity, addKeyVersion, allowStorage } from '../../local/azure/fleet.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { addSite, ownersClients } from './sdk.ts';
import { arm } from './support.ts';

const local = useLocalAzure({ fleet: 'empty' });
let site: ReturnType<typeof addSite>;
let accounts: ReturnType<ReturnType<typeof ownersClients>['storage']>['storageAccounts'];

beforeEach(() => {
  Object.assign(local.azure.world.settings, DEFAULT_SETTINGS, { instantProvisioning: true });
  site = addSite(local.azure);
  accounts = ownersClients(local.azure).storage(site.subscription.subscriptionId).storageAccounts;
});

describe('an account that is on a customer-managed key', () => {
  const change = async (...fields: ('identity' | 'key' | 'version')[]) => {
    const { world } = local.azure;
    const other = addIdentity(world, site.group, 'id-other');

    allowStorage(world, site.vault, other.principalId);
    addKeyVersion(world, site.vault, 'other-key');

    const next = addKeyVersion(world, site.vault, 'key');
    const identity = fields.includes('identity') ? other : site.identity;

    return accounts.update('rg', site.encrypted.name, {
      ...(fields.includes('identity')
        ? { identity: { type: 'UserAssigned', userAssignedIdentities: { [other.id]: {} } } }
        : {}),
      encryption: {
        keySource: 'Microsoft.Keyvault',
        keyVaultProperties: {
          keyVaultUri: site.vault.properties.vaultUri,
          keyName: fields.includes('key') ? 'other-key' : 'key',
          keyVersion: fields.includes('key') ? '' : (fields.includes('version') ? next : site.version).version,
        },
        encryptionIdentity: { encryptionUserAssignedIdentity: identity.id },
      },
    });
  };

  it.each([[['identity', 'key'] as const], [['identity', 'version'] as const]])(
    'An encrypted account rejects a PATCH that changes %j at once, and keeps its encryption',
    async (fields) => {
      const before = structuredClone(site.encrypted.encryption);
      await expect(change(...fields)).rejects.toMatchObject({
        statusCode: 400,
        message:
          "The properties 'encryption.identity, encryption.keyvaultproperties' cannot be updated in a single operation.",
      });
      expect(site.encrypted.encryption).toEqual(before);
    },
  );

  it.each(['identity', 'key', 'version'] as const)(
    'An encrypted account accepts a PATCH that changes its %s alone',
    async (field) => {
      expect(await change(field)).toMatchObject({ encryption: { keySource: 'Microsoft.Keyvault' } });
    },
  );
});

describe('two writes of one account at once', () => {
  const tag = (value: string) => accounts.update('rg', site.account.name, { tags: { value } });

  it('Azure rejects the second of two concurrent writes of an account, and accepts one after them', async () => {
    local.azure.world.settings.accountWriteMs = 500;

    const results = await Promise.allSettled([tag('one'), tag('two')]);

    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    expect(refused).toMatchObject([{ statusCode: 409, code: 'StorageAccountOperationInProgress' }]);
    expect(await tag('three')).toMatchObject({ tags: { value: 'three' } });
  });

  it('A write of one account does not block a write of another', async () => {
    local.azure.world.settings.accountWriteMs = 500;
    const other = accounts.update('rg', site.encrypted.name, { tags: { value: 'other' } });
    expect(await Promise.all([tag('one'), other])).toHaveLength(2);
  });
});

describe('a body of an account', () => {
  const properties = { sku: { name: 'Standard_LRS' }, kind: 'StorageV2', location: 'westeurope' };
  const tags = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`tag${index}`, 'value']));

  it.each([
    ['an unknown SKU', { sku: { name: 'Standard_XRS' } }, 'InvalidValuesForRequestParameters'],
    ['an unknown version of TLS', { minimumTlsVersion: 'TLS1_9' }, 'InvalidValuesForRequestParameters'],
    ['51 tags', { tags: tags(51) }, 'TooManyTags'],
  ])('Azure rejects %s when it creates and when it updates an account', async (_, wrong, code) => {
    const refused = { statusCode: 400, code };
    const create = accounts.create('rg', 'stnew', { ...properties, ...wrong });
    await expect(create.pollUntilDone()).rejects.toMatchObject(refused);
    await expect(accounts.update('rg', site.account.name, wrong)).rejects.toMatchObject(refused);
    expect(local.azure.world.storageAccounts.has('stnew')).toBe(false);
  });

  it('An account accepts 50 tags', async () => {
    expect(Object.keys((await accounts.update('rg', site.account.name, { tags: tags(50) })).tags ?? {})).toHaveLength(
      50,
    );
  });

  it('Azure rejects a PUT with another location than the account has', async () => {
    const create = accounts.create('rg', site.account.name, { ...properties, location: 'northeurope' });
    await expect(create.pollUntilDone()).rejects.toMatchObject({ statusCode: 409, code: 'InvalidResourceLocation' });
    expect(site.account.location).toBe('westeurope');
  });
});

describe('the keys of an account', () => {
  const lock = (level: string) =>
    arm(local.azure, 'PUT', `${site.account.id}/providers/Microsoft.Authorization/locks/lock`, {
      body: { properties: { level } },
    });

  it('A ReadOnly lock prevents the list of account keys', async () => {
    await lock('ReadOnly');
    await expect(accounts.listKeys('rg', site.account.name)).rejects.toMatchObject({
      statusCode: 409,
      code: 'ScopeLocked',
    });
  });

  it('A CanNotDelete lock permits the list of account keys', async () => {
    await lock('CanNotDelete');
    expect((await accounts.listKeys('rg', site.account.name)).keys).toHaveLength(2);
  });
});
