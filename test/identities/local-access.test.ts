import { describe, expect, it } from 'vitest';
import { checkIdentityAccess, type LocalAccess } from '../../src/identities/key-access.ts';
import { LOCAL_ROLES_READ } from '../../src/identities/local-access-reader.ts';
import type { RoleGrant } from '../../src/identities/role-grant.ts';

const ME = '11111111-1111-1111-1111-111111111111';
const OTHER = '22222222-2222-2222-2222-222222222222';
const KEY = { vaultId: '/subscriptions/s1/…/managedHSMs/hsm-1', name: 'vault-key' };
const account = {
  id: '/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1',
  userAssignedIdentities: [],
  principalIds: {},
  systemPrincipalId: ME,
  encryption: {},
};
const actions = (...names: string[]) => names.map((name) => `Microsoft.KeyVault/managedHsm/keys/${name}/action`);
const STORAGE = actions('read', 'wrap', 'unwrap');

const ROLE = { id: 'a', principalId: ME, scope: '/keys', dataActions: STORAGE, notDataActions: [], conditional: false };
const grant = (change: Partial<RoleGrant> = {}): RoleGrant => ({ ...ROLE, ...change });
const of = (principalId: string, change: Partial<RoleGrant> = {}) => grant({ id: principalId, principalId, ...change });
const access = (grants: RoleGrant[], change: Partial<LocalAccess> = {}): LocalAccess => ({
  model: 'local',
  grants,
  unread: undefined,
  noGroups: new Set(),
  ...change,
});
const UNREAD = { unread: { ...LOCAL_ROLES_READ, resource: KEY.vaultId, kind: 'forbidden', detail: '403' } } as const;
const NO_GROUPS = { noGroups: new Set([OTHER]) };

describe('the local roles of a Managed HSM', () => {
  it.each<[string, LocalAccess]>([
    ['a role at the HSM', access([grant({ scope: '/' })])],
    ['a role at all keys', access([grant()])],
    ['a role at the key, whatever its letter case', access([grant({ scope: '/keys/VAULT-KEY' })])],
    ['a principal in capitals', access([grant({ principalId: ME.toUpperCase() })])],
    ['a custom role with a wildcard', access([grant({ dataActions: ['Microsoft.KeyVault/managedHsm/keys/*'] })])],
    ['two roles that make one', access([grant({ dataActions: STORAGE.slice(0, 1) }), grant({ dataActions: STORAGE })])],
    ['what could be read, where not all could', access([grant()], UNREAD)],
  ])('The local roles of a Managed HSM let an identity use the key by %s', (_, local) => {
    expect(checkIdentityAccess(account, KEY, local)).toMatchObject({ ready: true, missing: [] });
  });

  it.each<[string, LocalAccess, number]>([
    ['there is none', access([]), 3],
    ['it is on another key', access([grant({ scope: '/keys/vault-key2' })]), 3],
    ['it lacks an action', access([grant({ dataActions: actions('read', 'wrap') })]), 1],
    ['it excludes an action', access([grant({ notDataActions: actions('unwrap') })]), 1],
    ['its definition was deleted', access([grant({ dataActions: [] })]), 3],
    [
      'it is one that counts in vaults alone',
      access([grant({ dataActions: ['Microsoft.KeyVault/vaults/keys/*', 'Microsoft.KeyVault/vaults/keys/read'] })]),
      3,
    ],
    ['others who are no groups have one', access([of(OTHER)], NO_GROUPS), 3],
    ['others have one on another key', access([of(OTHER, { scope: '/keys/other' })]), 3],
    ['others have one that does not suffice', access([of(OTHER, { dataActions: actions('read', 'write') })]), 3],
  ])('The local roles of a Managed HSM deny an identity the key where %s', (_, local, lacking) => {
    const found = checkIdentityAccess(account, KEY, local);
    expect(found).toMatchObject({ ready: false, reason: 'IdentityWithoutRole', by: 'local', principalId: ME });
    expect(found.missing).toHaveLength(lacking);
    expect(found.missing[0]).toMatch(
      /^No local role at \/keys\/vault-key or above allows 1111.* Microsoft\.KeyVault\//,
    );
  });

  it.each<[string, LocalAccess, RegExp]>([
    ['they could not be read', access([], UNREAD), /^Not every local role can be read: 403$/],
    ['they could not all be read', access([grant({ dataActions: STORAGE.slice(0, 2) })], UNREAD), /can be read/],
    ['a principal that may be a group has one', access([of(OTHER)]), new RegExp(`\\(${OTHER}\\).*group`)],
    [
      'a group may give what its own role lacks',
      access([grant({ dataActions: STORAGE.slice(0, 2) }), of(OTHER, { dataActions: STORAGE.slice(2) })]),
      /group/,
    ],
    [
      'groups together may give it',
      access(STORAGE.map((action, n) => of(`g-${n}`, { dataActions: [action] }))),
      /\(g-0, g-1, g-2\)/,
    ],
    ['many may be groups', access(['a', 'b', 'c', 'd', 'e'].map((one) => of(one))), /\(a, b, c and 2 more\)/],
  ])('It is unknown whether the local roles of a Managed HSM let an identity use the key where %s', (_, local, why) => {
    const found = checkIdentityAccess(account, KEY, local);
    expect(found).toMatchObject({ ready: 'unknown', reason: undefined, principalId: ME });
    expect(found.missing).toEqual([expect.stringMatching(why)]);
  });
});
