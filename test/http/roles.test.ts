import { describe, expect, it } from 'vitest';
import { requireRole } from '../../src/http/access.ts';
import { HttpProblem } from '../../src/http/problem.ts';
import { hasRole, ROLES, type Role } from '../../src/http/roles.ts';

describe('roles', () => {
  it.each<[Role, readonly Role[]]>([
    ['CmkKey.Read', ['CmkKey.Read', 'Cmk.Operate']],
    ['CmkKey.Revoke', ['CmkKey.Revoke']],
    ['CmkKey.Restore', ['CmkKey.Restore']],
    ['Cmk.Operate', ['Cmk.Operate']],
  ])('%s is granted by %j and by no other role', (role, enough) => {
    for (const held of ROLES) expect(hasRole({ roles: [held] }, role)).toBe(enough.includes(held));
    expect(hasRole({ roles: [] }, role)).toBe(false);
  });

  it('a missing role is a 403 that names it', () => {
    expect(() => requireRole({ roles: ['CmkKey.Read'] }, 'CmkKey.Read')).not.toThrow();
    try {
      requireRole({ roles: ['CmkKey.Read', 'CmkKey.Restore'] }, 'CmkKey.Revoke');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(HttpProblem);
      expect(error).toMatchObject({
        status: 403,
        reason: 'RoleMissing',
        message: 'This call requires the app role CmkKey.Revoke.',
        extensions: { missingRole: 'CmkKey.Revoke' },
        headers: { 'www-authenticate': expect.stringContaining('error="insufficient_scope"') },
      });
    }
  });
});
