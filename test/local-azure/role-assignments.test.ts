import { randomUUID } from 'node:crypto';
import { AuthorizationManagementClient } from '@azure/arm-authorization';
import { EnvironmentCredential } from '@azure/identity';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addPrincipal } from '../../local/azure/fleet.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { Principal } from '../../local/azure/world.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm, signIn } from './support.ts';

const local = useLocalAzure({ fleet: 'sample' });
const managementGroup = 'providers/Microsoft.Management/managementGroups/mg-landing-zones';
const subscription = `subscriptions/${SUBSCRIPTION_ID}`;
const vault = `${subscription}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files`;
const roleDefinitionId = BUILT_IN_ROLES.Reader.id;
let roles: AuthorizationManagementClient['roleAssignments'];
let reader: Principal;

beforeAll(() => {
  Object.assign(process.env, local.azure.owner);
  roles = new AuthorizationManagementClient(new EnvironmentCredential(), SUBSCRIPTION_ID).roleAssignments;
});
beforeEach(() => {
  reader = addPrincipal(local.azure.world, { displayName: 'reader' });
});

describe('an assignment at a management group', () => {
  const give = () => roles.create(managementGroup, randomUUID(), { roleDefinitionId, principalId: reader.objectId });

  it('A role assignment at a management group applies to each subscription', async () => {
    const read = async (path: string) => (await arm(local.azure, 'GET', `/${path}`, { as: reader })).status;
    expect(await read(vault)).toBe(403);

    await give();

    expect(await read(vault)).toBe(200);
    const { body } = await arm(local.azure, 'GET', '/subscriptions', { as: reader });
    expect(body.value).toHaveLength(local.azure.world.subscriptions.size);
  });

  it.each([
    ['a subscription', subscription],
    ['a vault', vault],
    ['a key', `${vault}/keys/files-key`],
    ['the management group itself', managementGroup],
  ])('The role assignments of %s include one at a management group, with its own scope', async (_, scope) => {
    const { id } = await give();

    const scopes: (string | undefined)[] = [];
    for await (const one of roles.listForScope(scope, { filter: 'atScope()' })) {
      if (one.id === id) scopes.push(one.scope);
    }
    expect(scopes).toEqual([`/${managementGroup}`]);
  });
});

describe('the principal of an assignment', () => {
  const give = (principalId: string, principalType?: 'User' | 'ServicePrincipal' | 'Group') =>
    roles.create(vault, randomUUID(), { roleDefinitionId, principalId, ...(principalType ? { principalType } : {}) });
  const unknown = randomUUID();

  it.each([
    ['it is not in the directory', unknown, undefined, 'PrincipalNotFound'],
    ['it is not in the directory and its type is given', unknown, 'ServicePrincipal', 'PrincipalNotFound'],
    ['its id is no GUID', 'id-app', undefined, 'InvalidPrincipalId'],
  ] as const)('Azure rejects the principal of a role assignment if %s', async (_, principalId, principalType, code) => {
    await expect(give(principalId, principalType)).rejects.toMatchObject({ statusCode: 400, code });
  });

  it.each(['User', 'Group'] as const)(
    'Azure rejects a role assignment that names an application as a %s',
    async (type) => {
      await expect(give(reader.objectId, type)).rejects.toMatchObject({
        statusCode: 400,
        code: 'UnmatchedPrincipalType',
        message: `The PrincipalId '${reader.objectId.replaceAll('-', '')}' has type 'ServicePrincipal' , which is different from specified PrinciaplType '${type}'.`,
      });
    },
  );

  it('Azure finds the principal type of a user that a role assignment names', async () => {
    const user = signIn(local.azure, 'outsider');
    expect(await give(user.objectId)).toMatchObject({ principalId: user.objectId, principalType: 'User' });
  });

  it('A role assignment may name the system-assigned identity of an account', async () => {
    const account = `/${subscription}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`;
    const { body } = await arm(local.azure, 'PATCH', account, {
      body: { identity: { type: 'SystemAssigned,UserAssigned' } },
    });
    const principalId = body.identity?.principalId ?? '';
    expect(await give(principalId, 'ServicePrincipal')).toMatchObject({ principalId });
  });
});
