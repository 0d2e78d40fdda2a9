import { beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../local/azure/create-world.ts';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addResourceGroup,
  addRoleAssignment,
  addSubscription,
  addVault,
  allowStorage,
} from '../../local/azure/fleet.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import { newAccount } from '../../local/azure/storage/new-account.ts';
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
  Object.assign(world.settings, DEFAULT_SETTINGS, { instantProvisioning: true });
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
  it.each(['automatic', 'automaticEmpty'] as const)(
    'An account without a pin (%s) looks for a new key version once a day',
    async (mode) => {
      const account = add(mode);
      const second = addKeyVersion(local.azure.world, vault, 'key');

      expect((await keyOf(account))?.currentVersionedKeyIdentifier).toContain(first.version);

      local.azure.clock.advance(day - 60_000);

      expect((await keyOf(account))?.currentVersionedKeyIdentifier).toContain(first.version);

      local.azure.clock.advance(60_000);

      const key = await keyOf(account);
      expect(key?.currentVersionedKeyIdentifier).toContain(second.version);
      expect(key?.keyversion).toBe(mode === 'automatic' ? undefined : '');
    },
  );

  it('An automatic account stays on its version while the newest one is disabled', async () => {
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
    [false, 'keeps the version until the next daily check'],
  ])('With refreshAutomaticOnPatch %s, a PATCH with an empty version %s', async (refresh) => {
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
  it('A PATCH without a version keeps the pin, and one with an empty version makes the account automatic', async () => {
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

  it('A PATCH without a version drops the pin where a PATCH replaces the encryption', async () => {
    local.azure.world.settings.encryptionPatch = 'replace';
    account = add('pinned');
    const { body } = await enable({ keyversion: undefined });
    expect(body.properties?.encryption?.keyvaultproperties).not.toHaveProperty('keyversion');
  });

  it('A PATCH back to Microsoft-managed keys leaves no key properties', async () => {
    const account = add('pinned');
    const { body } = await arm(local.azure, 'PATCH', account.id, {
      body: { properties: { encryption: { keySource: 'Microsoft.Storage', identity: null } } },
    });
    expect(Object.keys(body.properties?.encryption ?? {}).sort()).toEqual(['keySource', 'services']);
  });
});

describe('an identity that is deleted', () => {
  const apiVersion = '?api-version=2024-11-30';

  it('A deleted identity stays named on its account, which cannot use a new identity of the same name', async () => {
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

it('A list of accounts comes in pages that nextLink connects', async () => {
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

it('An encryption scope is pinned by a versioned key URI, and follows its key by one without a version', async () => {
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

let account: StorageAccount;
/** An account on Microsoft-managed keys. */
function addPlain(): void {
  account = addAccount(local.azure.world, group, { name: 'stplain', identity });
}

/** The PATCH that encrypts the account with a key. */
function enable(key: Record<string, unknown> = {}, encryption: Record<string, unknown> = {}) {
  return arm(local.azure, 'PATCH', account.id, {
    body: {
      properties: {
        encryption: {
          keySource: 'Microsoft.Keyvault',
          identity: { userAssignedIdentity: identity.id },
          keyvaultproperties: { keyvaulturi: vault.properties.vaultUri, keyname: 'key', keyversion: '', ...key },
          ...encryption,
        },
      },
    },
  });
}

const vaultPolicy = { status: 400, code: 'KeyVaultPolicyError', message: 'Keyvault policy recoverable is not set' };
const noAccess = {
  status: 403,
  code: 'KeyVaultAuthenticationFailure',
  message: /^The operation failed because of authentication issue on the keyvault\./,
};
const noKey = {
  status: 404,
  code: 'HttpResourceNotFound',
  message: /^The request url https:\/\/kv\.vault\.azure\.net\/keys\/\S+\?api-version=2016-10-01 is not found\.$/,
};
const noIdentity = {
  status: 400,
  code: 'MissingMsiHeaders',
  message: /^Missing pre-requisites to enable EncryptionAtRest/,
};
const wrongKey = { status: 400, code: 'KeyVaultKeyNotSupported', message: /RSA/ };

describe('encrypting an account with a key', () => {
  beforeEach(addPlain);

  const past = () => local.azure.clock.nowSeconds() - 60;
  it.each([
    ['the vault has no purge protection', () => delete vault.properties.enablePurgeProtection, vaultPolicy],
    ['the vault has no soft delete', () => Object.assign(vault.properties, { enableSoftDelete: false }), vaultPolicy],
    ['the identity has no role', () => local.azure.world.roleAssignments.clear(), noAccess],
    [
      'the role was given a moment ago',
      () => {
        local.azure.world.roleAssignments.clear();
        local.azure.world.settings.rolePropagationMs = 60_000;
        const role = BUILT_IN_ROLES['Key Vault Crypto Service Encryption User'];
        addRoleAssignment(local.azure.world, { scope: vault.id, principalId: identity.principalId, role });
      },
      noAccess,
    ],
    ['the identity was deleted', () => local.azure.world.identities.clear(), noIdentity],
    ['the account has no identity', () => Object.assign(account, { identity: undefined }), noIdentity],
    ['the key is disabled', () => Object.assign(first, { enabled: false }), noAccess],
    ['the key has expired', () => Object.assign(first, { exp: past() }), noAccess],
    ['the key is not active yet', () => Object.assign(first, { nbf: past() + 3600 }), noAccess],
    ['the key does not exist', () => vault.keys.clear(), noKey],
    ['the key is an elliptic curve', () => addKeyVersion(local.azure.world, vault, 'key', { kty: 'EC' }), wrongKey],
  ])('Azure refuses to encrypt an account when %s', async (_, arrange, refusal) => {
    const owners = [...local.azure.world.roleAssignments].filter(([, { scope }]) => scope === '/');

    arrange();
    for (const [id, assignment] of owners) local.azure.world.roleAssignments.set(id, assignment);

    const { status, body } = await enable();
    expect({ status, ...body.error }).toEqual({
      status: refusal.status,
      code: refusal.code,
      message: typeof refusal.message === 'string' ? refusal.message : expect.stringMatching(refusal.message),
    });

    expect(account.encryption.keySource).toBe('Microsoft.Storage'); // nothing was changed
  });

  it('Azure refuses a PATCH with the old version and a new vault, as az sends it', async () => {
    addVault(local.azure.world, group, 'kv2');
    allowStorage(local.azure.world, local.azure.world.vaults.get('kv2') as Vault, identity.principalId);
    const version = first.version;
    const { body } = await enable({ keyvaulturi: 'https://kv2.vault.azure.net', keyversion: version });
    expect(body.error?.code).toBe('HttpResourceNotFound');
  });

  it('Azure refuses to create an encrypted account with a system-assigned identity, which has no role yet', async () => {
    const { status, body } = await arm(
      local.azure,
      'PUT',
      `${group.id}/providers/Microsoft.Storage/storageAccounts/stnew`,
      {
        body: {
          location: 'westeurope',
          kind: 'StorageV2',
          sku: { name: 'Standard_LRS' },
          identity: { type: 'SystemAssigned' },
          properties: {
            encryption: {
              keySource: 'Microsoft.Keyvault',
              keyvaultproperties: { keyvaulturi: vault.properties.vaultUri, keyname: 'key' },
            },
          },
        },
      },
    );

    expect({ status, code: body.error?.code }).toEqual({ status: 400, code: 'MissingMsiHeaders' });
    expect(local.azure.world.storageAccounts.has('stnew')).toBe(false);
  });

  it('An account uses a key by access policy in a vault without RBAC', async () => {
    vault.properties.enableRbacAuthorization = false;
    expect((await enable()).body.error?.code).toBe('KeyVaultAuthenticationFailure');
    vault.properties.accessPolicies = [
      { objectId: identity.principalId, permissions: { keys: ['get', 'wrapKey', 'unwrapKey'] } },
    ];
    expect((await enable()).status).toBe(200);
  });
});

describe('an account whose key was disabled', () => {
  beforeEach(async () => {
    addPlain();
    expect((await enable()).status).toBe(200);
    Object.assign(first, { enabled: false });
  });

  it('An account whose key is disabled accepts a PATCH that does not change the key', async () => {
    const { status, body } = await arm(local.azure, 'PATCH', account.id, { body: { tags: { a: 'b' } } });
    expect({ status, tags: body.tags }).toEqual({ status: 200, tags: { a: 'b' } });
  });

  it.each([true, false])(
    'With repointFromDisabledKey %s, an account whose key is disabled moves to another key only if the setting allows it',
    async (allowed) => {
      local.azure.world.settings.repointFromDisabledKey = allowed;
      addKeyVersion(local.azure.world, vault, 'other');
      expect((await enable({ keyname: 'other' })).status).toBe(allowed ? 200 : 403);
      const back = await arm(local.azure, 'PATCH', account.id, {
        body: { properties: { encryption: { keySource: 'Microsoft.Storage' } } },
      });
      expect(back.status).toBe(allowed ? 200 : 403);
    },
  );
});

describe('an account that lacks a service', () => {
  const service = {
    shares: ['fileServices/default/shares', 'File is not supported for the account.'],
    containers: ['blobServices/default/containers', 'Blob is not supported for the account.'],
  } as const;

  it.each([
    ['shares', 'BlockBlobStorage', 'Premium_LRS'],
    ['shares', 'BlobStorage', 'Standard_LRS'],
    ['shares', 'StorageV2', 'Premium_LRS'],
    ['containers', 'FileStorage', 'Premium_LRS'],
  ] as const)(
    'Azure refuses to list the %s of an account that has none by its kind (%s, %s)',
    async (what, kind, sku) => {
      const [path, message] = service[what];
      const account = newAccount(
        { id: add('pinned').id, name: 'staccount', location: 'westeurope', kind, skuName: sku },
        0,
      );
      local.azure.world.storageAccounts.set(account.name, account);

      const { status, body } = await arm(local.azure, 'GET', `${account.id}/${path}`);
      expect([status, body.error]).toEqual([400, { code: 'FeatureNotSupportedForAccount', message }]);
    },
  );
});
