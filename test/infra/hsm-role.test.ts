import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { APP_LOCAL_ROLES } from '../../local/azure/app-setup.ts';

const page = readFileSync(new URL('../../docs/how-to/managed-hsm.md', import.meta.url), 'utf8');

it('docs/how-to/managed-hsm.md assigns the app the local roles of the tests, at their scopes', () => {
  const made = [...page.matchAll(/role definition create --hsm-name <hsm> --role-definition '([^']+)'/g)];
  const given = [...page.matchAll(/role assignment create --hsm-name <hsm> --role "([^"]+)" .* --scope (\S+)/g)];
  expect(made.map(([, role = '']) => JSON.parse(role))).toEqual(
    APP_LOCAL_ROLES.map(({ name: _, scope: __, ...role }) => role),
  );
  expect(given.map(([, role, scope]) => [role, scope])).toEqual(
    APP_LOCAL_ROLES.map(({ roleName, scope }) => [roleName, scope]),
  );
});
