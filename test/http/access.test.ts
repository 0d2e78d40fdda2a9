import { describe, expect, it } from 'vitest';
import { type AccessAsked, type AccessRules, asNarrowed, requireAccess } from '../../src/http/access.ts';
import { HttpProblem } from '../../src/http/problem.ts';
import { ROLES } from '../../src/http/roles.ts';
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
const asked = (act: AccessAsked['act'], key: AccessAsked['key'] = KEY): AccessAsked => ({
  role: act === 'revoke' ? 'CmkKey.Revoke' : act === 'restore' ? 'CmkKey.Restore' : 'CmkKey.Read',
  act,
  key,
});

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

describe('who may do what', () => {
  it.each<[string, Caller, AccessAsked, Partial<AccessRules>, string | undefined]>([
    ['a person with the role may', PERSON, asked('restore'), {}, undefined],
    ['without the role nobody may', { ...PERSON, roles: [] }, asked('restore'), {}, '403 RoleMissing'],
    ['an operator may read', { ...PERSON, roles: ['Cmk.Operate'] }, asked('read'), {}, undefined],
    ['but not revoke', { ...PERSON, roles: ['Cmk.Operate'] }, asked('revoke'), {}, '403 RoleMissing'],
    ['an application may revoke', APPLICATION, asked('revoke'), {}, undefined],
    ['an application may not restore', APPLICATION, asked('restore'), {}, '403 PersonNeeded'],
    [
      'an application on the list may',
      APPLICATION,
      asked('restore'),
      { restoreApplications: [PERSON.appId] },
      undefined,
    ],
    ['a person without the scope may not', { ...PERSON, scopes: ['openid'] }, asked('read'), {}, '403 ScopeMissing'],
    ['a client that is not on the list may not', PERSON, asked('read'), { clients: ['x'] }, '403 ClientNotAllowed'],
    ['a client on the list may', PERSON, asked('read'), { clients: [PERSON.appId] }, undefined],
    ['a step-up is asked for', PERSON, asked('revoke'), { stepUp: 'c1' }, '401 StepUpNeeded'],
    [
      'another context does not do',
      { ...PERSON, authContexts: ['c2'] },
      asked('restore'),
      { stepUp: 'c1' },
      '401 StepUpNeeded',
    ],
    ['the right one does', { ...PERSON, authContexts: ['c2', 'c1'] }, asked('restore'), { stepUp: 'c1' }, undefined],
    ['nobody steps up to read', PERSON, asked('read'), { stepUp: 'c1' }, undefined],
    ['nor does an application', APPLICATION, asked('revoke'), { stepUp: 'c1' }, undefined],
    ['nobody steps up in vain', { ...PERSON, roles: [] }, asked('revoke'), { stepUp: 'c1' }, '403 RoleMissing'],
    ['a narrowed role reaches its key', PERSON, asked('revoke'), narrowed(), undefined],
    [
      'whatever the letter case',
      PERSON,
      asked('revoke', { vault: 'KV-Files', key: 'Files-Key' }),
      narrowed(),
      undefined,
    ],
    ['and every key of its vault', PERSON, asked('revoke', { vault: 'kv-records', key: 'any' }), narrowed(), undefined],
    [
      'and no other',
      PERSON,
      asked('revoke', { vault: 'kv-files', key: 'archive-key' }),
      narrowed(),
      '403 KeyOutOfReach',
    ],
    ['nor the whole fleet', PERSON, { ...asked('read'), key: undefined }, narrowed(), '403 RoleNarrowed'],
    [
      'somebody else is not narrowed',
      PERSON,
      asked('revoke', { vault: 'kv-x', key: 'k' }),
      narrowed('someone'),
      undefined,
    ],
    [
      'an empty list is no key',
      PERSON,
      asked('revoke'),
      { roleScopes: [{ role: 'CmkKey.Revoke', principal: undefined, keys: [] }] },
      '403 KeyOutOfReach',
    ],
    [
      'a second role that is not narrowed is enough',
      PERSON,
      asked('read', { vault: 'kv-x', key: 'k' }),
      { roleScopes: [{ role: 'CmkKey.Read', principal: undefined, keys: [KEY] }] },
      undefined,
    ],
  ])('%s', (_, caller, what, rules, expected) => {
    const problem = problemOf(caller, what, rules);
    expect(problem && `${problem.status} ${problem.reason}`).toBe(expected);
  });

  it('tells a client what to ask Entra ID for, in base64 and base64url alike', () => {
    for (let n = 1; n < 100; n += 1) {
      const problem = problemOf(PERSON, asked('revoke'), { stepUp: `c${n}` });
      const claims = String(problem?.extensions.claims);
      expect(claims).not.toMatch(/[+/]/);
      expect(JSON.parse(Buffer.from(claims, 'base64').toString())).toEqual({
        access_token: { acrs: { essential: true, value: `c${n}` } },
      });
    }
  });

  it('names the role that is missing', () => {
    expect(problemOf({ ...PERSON, roles: ['CmkKey.Read', 'CmkKey.Restore'] }, asked('revoke'))).toMatchObject({
      message: 'This call requires the app role CmkKey.Revoke.',
      extensions: { missingRole: 'CmkKey.Revoke' },
      headers: { 'www-authenticate': expect.stringContaining('error="insufficient_scope"') },
    });
  });

  it('does not tell a narrowed role by another answer which keys there are', () => {
    const unknown = new HttpProblem('KeyNotManaged');
    const other = new HttpProblem('VaultUnreadable');
    const rules = { ...OPEN, ...narrowed() };
    expect(asNarrowed(unknown, PERSON, 'CmkKey.Revoke', rules)).toMatchObject({ status: 403, reason: 'KeyOutOfReach' });
    expect(asNarrowed(other, PERSON, 'CmkKey.Revoke', rules)).toBe(other);
    expect(asNarrowed(unknown, PERSON, 'CmkKey.Revoke', OPEN)).toBe(unknown);
  });
});
