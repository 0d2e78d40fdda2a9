import { beforeEach, describe, expect, it } from 'vitest';
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
import type { ResourceGroup, StorageAccount, UserAssignedIdentity, Vault } from '../../local/azure/world.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm } from './support.ts';

const local = useLocalAzure();

let group: ResourceGroup;
let vault: Vault;
let identity: UserAssignedIdentity;
let account: StorageAccount;

beforeEach(() => {
  const { world } = local.azure;
  for (const map of [world.vaults, world.storageAccounts, world.identities]) map.clear();
  Object.assign(world.settings, { repointFromDisabledKey: true, rolePropagationMs: 0 });
  group = addResourceGroup(world, addSubscription(world), 'rg');
  vault = addVault(world, group, 'kv');
  addKeyVersion(world, vault, 'key');
  identity = addIdentity(world, group, 'id');
  allowStorage(world, vault, identity.principalId);
  account = addAccount(world, group, { name: 'staccount', identity });
});

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
  const past = () => local.azure.clock.nowSeconds() - 60;
  it.each([
    ['the vault has no purge protection', () => void delete vault.properties.enablePurgeProtection, vaultPolicy],
    [
      'the vault has no soft delete',
      () => void Object.assign(vault.properties, { enableSoftDelete: false }),
      vaultPolicy,
    ],
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
    ['the account has no identity', () => void Object.assign(account, { identity: undefined }), noIdentity],
    [
      'the key is disabled',
      () => void Object.assign(vault.keys.get('key')?.versions[0] ?? {}, { enabled: false }),
      noAccess,
    ],
    [
      'the key has expired',
      () => void Object.assign(vault.keys.get('key')?.versions[0] ?? {}, { exp: past() }),
      noAccess,
    ],
    [
      'the key is not active yet',
      () => void Object.assign(vault.keys.get('key')?.versions[0] ?? {}, { nbf: past() + 3600 }),
      noAccess,
    ],
    ['the key does not exist', () => vault.keys.clear(), noKey],
    [
      'the key is an elliptic curve',
      () => void addKeyVersion(local.azure.world, vault, 'key', { kty: 'EC' }),
      wrongKey,
    ],
  ])('is refused when %s', async (_, arrange, refusal) => {
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

  it('is refused with the old version and a new vault, as az sends it', async () => {
    addVault(local.azure.world, group, 'kv2');
    allowStorage(local.azure.world, local.azure.world.vaults.get('kv2') as Vault, identity.principalId);
    const version = vault.keys.get('key')?.versions[0]?.version;
    const { body } = await enable({ keyvaulturi: 'https://kv2.vault.azure.net', keyversion: version });
    expect(body.error?.code).toBe('HttpResourceNotFound');
  });

  it('is refused at creation with a system-assigned identity, which has no role yet', async () => {
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

  it('works by access policy in a vault without RBAC', async () => {
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
    expect((await enable()).status).toBe(200);
    Object.assign(vault.keys.get('key')?.versions[0] ?? {}, { enabled: false });
  });

  it('still takes a PATCH that leaves the key as it is', async () => {
    const { status, body } = await arm(local.azure, 'PATCH', account.id, { body: { tags: { a: 'b' } } });
    expect({ status, tags: body.tags }).toEqual({ status: 200, tags: { a: 'b' } });
  });

  it.each([true, false])('can be moved off it when the setting is %s, and not otherwise', async (allowed) => {
    local.azure.world.settings.repointFromDisabledKey = allowed;
    addKeyVersion(local.azure.world, vault, 'other');
    expect((await enable({ keyname: 'other' })).status).toBe(allowed ? 200 : 403);
    const back = await arm(local.azure, 'PATCH', account.id, {
      body: { properties: { encryption: { keySource: 'Microsoft.Storage' } } },
    });
    expect(back.status).toBe(allowed ? 200 : 403);
  });
});
