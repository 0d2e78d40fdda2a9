import { describe, expect, it } from 'vitest';
import {
  type AccessAsked,
  type AccessRules,
  narrowError,
  type RouteKey,
  requireAccess,
} from '../../src/http/access.ts';
import { HttpProblem } from '../../src/http/problem.ts';
import { ROLES, type Role } from '../../src/http/roles.ts';
import type { Caller } from '../../src/http/token-claims.ts';

const PERSON: Caller = {
  objectId: 'bbbbbbbb-0000-0000-0000-000000000001',
  appId: 'aaaaaaaa-0000-0000-0000-000000000001',
  tenantId: '11111111-2222-3333-4444-555555555555',
  kind: 'person',
  roles: ROLES,
  scopes: ['access_as_user'],
  authContexts: [],
  tokenId: undefined,
  name: undefined,
};
const APPLICATION: Caller = { ...PERSON, kind: 'application', scopes: [] };
const OPEN: AccessRules = { clients: [], restoreApplications: [], stepUp: undefined, roleScopes: [] };
const KEY = { vault: 'kv-files', key: 'files-key' };
/** The roles of the acts that do more than read. */
const ROLE_OF: Partial<Record<AccessAsked['act'], AccessAsked['role']>> = {
  revoke: 'CmkKey.Revoke',
  restore: 'CmkKey.Restore',
};
/** `name` as `<vault>/<key>`. */
const asked = (act: AccessAsked['act'], name = 'kv-files/files-key'): AccessAsked => {
  const [vault = '', key = ''] = name.split('/');
  return {
    role: ROLE_OF[act] ?? 'CmkKey.Read',
    act,
    reach: { vault, key },
  };
};
const FLEET: AccessAsked = { role: 'CmkKey.Read', act: 'read', reach: 'fleet' };

/** The refusal; undefined when the caller is let through. */
function problemOf(caller: Caller, what: AccessAsked, rules: Partial<AccessRules> = {}): HttpProblem | undefined {
  try {
    requireAccess(caller, what, { ...OPEN, ...rules });
    return undefined;
  } catch (error) {
    if (error instanceof HttpProblem) return error;
    throw error;
  }
}

const narrowed = (principal?: string): Partial<AccessRules> => ({
  roleScopes: ROLES.map((role) => ({ role, principal, keys: [KEY, { vault: 'kv-records', key: '*' }] })),
});

const only = (role: Role, keys: RouteKey[]): Partial<AccessRules> => ({
  roleScopes: [{ role, principal: undefined, keys }],
});

describe('the access check', () => {
  it.each<[string, Caller, AccessAsked, Partial<AccessRules>]>([
    ['a person with the role', PERSON, asked('restore'), {}],
    ['an operator who reads', { ...PERSON, roles: ['Cmk.Operate'] }, asked('read'), {}],
    ['an application that revokes', APPLICATION, asked('revoke'), {}],
    [
      'an application on the list that restores',
      APPLICATION,
      asked('restore'),
      { restoreApplications: [PERSON.appId] },
    ],
    ['a client on the list', PERSON, asked('read'), { clients: [PERSON.appId] }],
    ['a person with the right context', { ...PERSON, authContexts: ['c2', 'c1'] }, asked('restore'), { stepUp: 'c1' }],
    ['a person who reads, without a step-up', PERSON, asked('read'), { stepUp: 'c1' }],
    ['an application, without a step-up', APPLICATION, asked('revoke'), { stepUp: 'c1' }],
    ['a narrowed role, to its key', PERSON, asked('revoke'), narrowed()],
    ['a narrowed role, whatever the letter case', PERSON, asked('revoke', 'KV-Files/Files-Key'), narrowed()],
    ['a narrowed role, to every key of its vault', PERSON, asked('revoke', 'kv-records/any'), narrowed()],
    ['a role that is narrowed for another', PERSON, asked('revoke', 'kv-x/k'), narrowed('another')],
    ['a second role that is not narrowed', PERSON, asked('read', 'kv-x/k'), only('CmkKey.Read', [KEY])],
  ])('The access check admits %s', (_, caller, what, rules) => expect(problemOf(caller, what, rules)).toBeUndefined());

  it.each<[string, Caller, AccessAsked, Partial<AccessRules>, string]>([
    ['a person without the role', { ...PERSON, roles: [] }, asked('restore'), {}, '403 RoleMissing'],
    ['an operator who revokes', { ...PERSON, roles: ['Cmk.Operate'] }, asked('revoke'), {}, '403 RoleMissing'],
    ['an application that restores', APPLICATION, asked('restore'), {}, '403 PersonNeeded'],
    ['a person without the scope', { ...PERSON, scopes: ['openid'] }, asked('read'), {}, '403 ScopeMissing'],
    ['a client that is not on the list', PERSON, asked('read'), { clients: ['x'] }, '403 ClientNotAllowed'],
    ['a person without a step-up', PERSON, asked('revoke'), { stepUp: 'c1' }, '401 StepUpNeeded'],
    [
      'a step-up of another context',
      { ...PERSON, authContexts: ['c2'] },
      asked('restore'),
      { stepUp: 'c1' },
      '401 StepUpNeeded',
    ],
    [
      'a person without the role, before a step-up',
      { ...PERSON, roles: [] },
      asked('revoke'),
      { stepUp: 'c1' },
      '403 RoleMissing',
    ],
    [
      'a call for another key than the narrowed',
      PERSON,
      asked('revoke', 'kv-files/archive-key'),
      narrowed(),
      '403 KeyOutOfReach',
    ],
    ['a call for the whole fleet, narrowed', PERSON, FLEET, narrowed(), '403 RoleNarrowed'],
    ['a call for any key, by an empty list', PERSON, asked('revoke'), only('CmkKey.Revoke', []), '403 KeyOutOfReach'],
  ])('The access check rejects %s', (_, caller, what, rules, expected) => {
    const problem = problemOf(caller, what, rules);
    expect(`${problem?.status} ${problem?.reason}`).toBe(expected);
  });

  it('The claims challenge of a step-up is encoded as base64url', () => {
    for (let n = 1; n < 100; n += 1) {
      const problem = problemOf(PERSON, asked('revoke'), { stepUp: `c${n}` });
      const claims = String(problem?.extensions.claims);
      expect(claims).not.toMatch(/[+/]/);
      expect(JSON.parse(Buffer.from(claims, 'base64').toString())).toEqual({
        access_token: { acrs: { essential: true, value: `c${n}` } },
      });
    }
  });

  it('The access check names the missing role', () => {
    expect(problemOf({ ...PERSON, roles: ['CmkKey.Read', 'CmkKey.Restore'] }, asked('revoke'))).toMatchObject({
      message: 'This call requires the app role CmkKey.Revoke.',
      extensions: { missingRole: 'CmkKey.Revoke' },
      headers: { 'www-authenticate': expect.stringContaining('error="insufficient_scope"') },
    });
  });

  it('The access check does not reveal to a narrowed role which keys exist', () => {
    const unknown = new HttpProblem('KeyNotManaged');
    const other = new HttpProblem('VaultUnreadable');
    const rules = { ...OPEN, ...narrowed() };
    expect(narrowError(unknown, PERSON, 'CmkKey.Revoke', rules)).toMatchObject({
      status: 403,
      reason: 'KeyOutOfReach',
    });
    expect(narrowError(other, PERSON, 'CmkKey.Revoke', rules)).toBe(other);
    expect(narrowError(unknown, PERSON, 'CmkKey.Revoke', OPEN)).toBe(unknown);
  });
});
