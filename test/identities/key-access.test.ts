import { describe, expect, it } from 'vitest';
import {
  checkIdentityAccess,
  findAccessEnd,
  type IdentityState,
  type VaultAccess,
} from '../../src/identities/key-access.ts';
import type { RoleGrant } from '../../src/identities/role-grant.ts';
import type { KeyPolicy } from '../../src/vaults/vault-client.ts';

const VAULT = '/subscriptions/s1/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files';
const IDENTITY = '/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1';
const P1 = '11111111-1111-1111-1111-111111111111';
const KEY = { vaultId: VAULT, name: 'files-key' };
const STORAGE_ROLE = ['keys/read', 'keys/wrap/action', 'keys/unwrap/action'].map(
  (a) => `Microsoft.KeyVault/vaults/${a}`,
);

const account = {
  id: '/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1',
  userAssignedIdentities: [IDENTITY],
  principalIds: { [IDENTITY.toLowerCase()]: P1 },
  systemPrincipalId: undefined,
  encryption: {
    encryptionIdentity: { encryptionUserAssignedIdentity: IDENTITY.replace('resourceGroups', 'resourcegroups') },
  },
};
const none = { userAssignedIdentities: [], principalIds: {}, encryption: {} };
const systemAssigned = { ...account, ...none, systemPrincipalId: P1 };

const ROLE = { principalId: P1, scope: VAULT, dataActions: STORAGE_ROLE, notDataActions: [], conditional: false };
const grant = (change: Partial<RoleGrant> = {}): RoleGrant => ({ ...ROLE, ...change });
const rbac = (...grants: RoleGrant[]): VaultAccess => ({ model: 'rbac', grants });
const policies = (...keyPermissions: string[]): VaultAccess =>
  policed([{ objectId: P1.toUpperCase(), keyPermissions }]);
const P2 = '22222222-2222-2222-2222-222222222222';
const policed = (of: readonly KeyPolicy[], noGroups: readonly string[] = []): VaultAccess => ({
  model: 'accessPolicies',
  policies: of,
  noGroups: new Set(noGroups),
});
const ofOther = (...keyPermissions: string[]): KeyPolicy => ({ objectId: P2, keyPermissions });

describe('checkIdentityAccess', () => {
  it.each<[string, VaultAccess]>([
    ['a role at the vault', rbac(grant())],
    ['a role at the key alone', rbac(grant({ scope: `${VAULT}/keys/FILES-KEY` }))],
    ['a role at the resource group', rbac(grant({ scope: '/subscriptions/s1/resourceGroups/RG-KEYS' }))],
    ['a role at the root', rbac(grant({ scope: '/' }))],
    ['a role at a management group', rbac(grant({ scope: '/providers/Microsoft.Management/managementGroups/corp' }))],
    ['one wildcard for everything', rbac(grant({ dataActions: ['*'] }))],
    ['two roles that make one', rbac(...STORAGE_ROLE.map((action) => grant({ dataActions: [action] })))],
    [
      'a role that gives what another one excludes',
      rbac(
        grant({ dataActions: ['*'], notDataActions: ['*/unwrap/action'] }),
        grant({ dataActions: ['*/unwrap/action'] }),
      ),
    ],
    ['an access policy', policies('get', 'wrapkey', 'UnwrapKey')],
    ['an access policy with all permissions', policies('all')],
  ])('An identity is ready to use a key by %s', (_, access) => {
    expect(checkIdentityAccess(account, KEY, access)).toMatchObject({ account: account.id, ready: true, missing: [] });
    expect(checkIdentityAccess(systemAssigned, KEY, access).ready).toBe(true);
  });

  it.each<[string, VaultAccess, RegExp]>([
    ['no role', rbac(), /vaults\/keys\/read/],
    ["another principal's role", rbac(grant({ principalId: VAULT })), /keys\/read/],
    ['a role at another key', rbac(grant({ scope: `${VAULT}/keys/files-key2` })), /keys\/read/],
    ['a role at another vault', rbac(grant({ scope: `${VAULT}2` })), /keys\/read/],
    [
      'a role that excludes one',
      rbac(grant({ dataActions: ['*'], notDataActions: ['*/wrap/action'] })),
      /wrap\/action/,
    ],
    ['a role that lacks one', rbac(grant({ dataActions: STORAGE_ROLE.slice(0, 2) })), /unwrap\/action/],
    ['an access policy that lacks one', policies('get', 'wrapKey'), /unwrapKey/],
    ["another's access policy that lacks it too", policed([ofOther('get', 'wrapKey')]), /unwrapKey/],
    ['the access policy of another who is no group', policed([ofOther('all')], [P2]), /unwrapKey/],
  ])('An identity is not ready to use a key with %s, and the answer names what is missing', (_, access, missing) => {
    const found = checkIdentityAccess(account, KEY, access);
    expect(found).toMatchObject({ ready: false, reason: 'IdentityWithoutRole', principalId: P1 });
    expect(found.missing.join('\n')).toMatch(missing);
  });

  it.each([
    ['no identity at all', { ...systemAssigned, systemPrincipalId: undefined }, /no system-assigned identity/],
    ['an identity that is not attached', { ...account, userAssignedIdentities: [] }, /not attached/],
    ['an identity whose principal the account does not show', { ...account, principalIds: {} }, /no principal/],
  ])('An identity is reported as missing: %s', (_, changed, missing) => {
    const found = checkIdentityAccess(changed, KEY, rbac(grant()));
    expect(found).toMatchObject({ ready: false, reason: 'IdentityMissing', principalId: undefined });
    expect(found.missing.join()).toMatch(missing);
  });

  const there = { is: 'there', principalId: P1.toUpperCase() } as const;
  const another = { is: 'there', principalId: VAULT } as const;
  const unread = { is: 'unknown', why: 'It cannot be read.' } as const;

  it.each<[string, object, IdentityState, RegExp]>([
    ['is deleted', {}, { is: 'deleted' }, /id1 was deleted/],
    ['is deleted, and the account shows no principal', { principalIds: {} }, { is: 'deleted' }, /id1 was deleted/],
    ['was made again under its name', {}, another, /created again under the same name/],
  ])('An identity that %s is reported as deleted, whatever its roles are', (_, change, state, missing) => {
    for (const access of [rbac(grant()), rbac(), { model: 'unknown', why: 'x' } as const]) {
      const found = checkIdentityAccess({ ...account, ...change }, KEY, access, state);
      expect(found).toMatchObject({ ready: false, reason: 'IdentityDeleted', principalId: undefined });
      expect(found.missing.join()).toMatch(missing);
    }
  });

  it('An identity that exists is ready to use a key, and one that cannot be read is unknown', () => {
    expect(checkIdentityAccess(account, KEY, rbac(grant()), there)).toMatchObject({ ready: true, missing: [] });
    expect(checkIdentityAccess(account, KEY, rbac(grant()), unread)).toMatchObject({
      ready: 'unknown',
      reason: undefined,
      missing: ['It cannot be read.'],
    });
    // A role that is certainly missing is not hidden by it.
    expect(checkIdentityAccess(account, KEY, rbac(), unread)).toMatchObject({
      ready: false,
      reason: 'IdentityWithoutRole',
    });
  });

  it.each<[string, typeof account.encryption & { encryptionIdentity: object }, VaultAccess]>([
    [
      'the key is in another tenant',
      {
        encryptionIdentity: { ...account.encryption.encryptionIdentity, encryptionFederatedIdentityClientId: P1 },
      } as never,
      rbac(grant()),
    ],
    ['the roles cannot be read', account.encryption, { model: 'unknown', why: 'It could not be read.' }],
    ['the role holds under a condition', account.encryption, rbac(grant({ conditional: true }))],
    ['an access policy may be that of its group', account.encryption, policed([ofOther('all')])],
    [
      'an access policy of its group may give what its own lacks',
      account.encryption,
      policed([{ objectId: P1, keyPermissions: ['Get'] }, ofOther('wrapKey'), ofOther('unwrapkey')]),
    ],
  ])('It is unknown whether an identity may use a key when %s', (_, encryption, access) => {
    const found = checkIdentityAccess({ ...account, encryption }, KEY, access);
    expect(found).toMatchObject({ ready: 'unknown', reason: undefined });
    expect(found.missing).toHaveLength(1);
  });
});

describe('findAccessEnd', () => {
  const key = { vaultId: VAULT, name: 'files-key' };
  const at = (days: number) => new Date(Date.UTC(2026, 5, days));
  const ends = new Map([
    ['/a', at(10)],
    ['/b', at(20)],
  ]);
  const a = grant({ id: '/A' });
  const b = grant({ id: '/b' });

  it.each<[string, RoleGrant[], Date | undefined]>([
    ['one role for a time', [a], at(10)],
    ['the later of two', [b, a], at(20)],
    ['a role for good beside it', [a, grant({ id: '/c' })], undefined],
    ['a role for good', [grant({})], undefined],
    ['half of it by a role for good', [a, grant({ id: '/c', dataActions: STORAGE_ROLE.slice(0, 1) })], at(10)],
  ])('findAccessEnd returns the end of %s', (_, grants, until) => {
    expect(findAccessEnd(P1, key, grants, ends)).toEqual(until);
  });
});
