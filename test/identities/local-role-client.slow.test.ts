import { randomUUID } from 'node:crypto';
import { ClientSecretCredential } from '@azure/identity';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { findCloud } from '../../src/azure/cloud.ts';
import { ENCRYPTION_USER } from '../../src/identities/key-roles.ts';
import { createLocalRoles } from '../../src/identities/local-role-client.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const HSM = { uri: 'https://hsm-local.managedhsm.azure.net' };
const { id: ROLE, dataActions } = ENCRYPTION_USER.local;
const ODD = { principalId: randomUUID(), roleDefinitionId: ROLE };
const match = { host: 'hsm-local.*', path: 'roleAssignments' };

function roles() {
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = wire.azure.owner;
  const cloud = findCloud('AzureCloud') as NonNullable<ReturnType<typeof findCloud>>;
  return createLocalRoles(new ClientSecretCredential(tenant, id, secret), cloud);
}
const of = (principalId: string) => (one: { principalId: string }) => one.principalId === principalId;

describe('a local role', () => {
  it('A local role is assigned once, however often it is requested, and listed with its permissions', async () => {
    const principalId = randomUUID();
    await roles().give(HSM, '/keys', principalId, ROLE);
    await roles().give(HSM, '/keys', principalId, ROLE);
    const found = (await roles().grantsAt(HSM, '/')).filter(of(principalId));
    expect(found).toMatchObject([{ scope: '/keys', conditional: false, dataActions, notDataActions: [] }]);
  });

  it('A local role is assigned once by two simultaneous requests, and if an answer is lost', async () => {
    const principalId = randomUUID();
    await Promise.all([roles().give(HSM, '/keys', principalId, ROLE), roles().give(HSM, '/keys', principalId, ROLE)]);
    const other = randomUUID();
    wire.azure.faults.add([{ match: { ...match, method: 'PUT' }, times: 1, resetAfter: true }]);
    await expect(roles().give(HSM, '/keys', other, ROLE)).rejects.toThrow();
    await roles().give(HSM, '/keys', other, ROLE);
    const found = await roles().grantsAt(HSM, '/keys');
    expect([found.filter(of(principalId)).length, found.filter(of(other)).length]).toEqual([1, 1]);
  });

  it('A local role does not count as assigned after a conflict of another kind', async () => {
    const principalId = randomUUID();
    const body = { error: { code: 'RoleAssignmentLimitExceeded', message: 'No more.' } };
    wire.azure.faults.add([{ match: { ...match, method: 'PUT' }, answer: { status: 409, body } }]);
    await expect(roles().give(HSM, '/keys', principalId, ROLE)).rejects.toThrow('No more.');
    // Nor by who may give roles, and not look.
    wire.azure.faults.add([{ match: { ...match, method: 'GET' }, answer: { status: 403, body: { error: {} } } }]);
    await expect(roles().give(HSM, '/keys', principalId, ROLE)).rejects.toThrow('No more.');
  });
});

describe('a list of local roles', () => {
  const answer = (status: number, body: object) => wire.azure.faults.add([{ match, answer: { status, body } }]);

  it('A list of local roles is empty at a key that does not exist, and fails for a missing key elsewhere', async () => {
    answer(404, { error: { code: 'KeyNotFound', message: 'No such key.' } });
    expect(await roles().grantsAt(HSM, '/keys/none')).toEqual([]);
    await expect(roles().grantsAt(HSM, '/')).rejects.toThrow('No such key.');
    await expect(roles().grantsAt(HSM, '/keys')).rejects.toThrow('No such key.');
  });

  it.each([
    ['an empty list of definitions', 'roleDefinitions', { value: [] }],
    ['an assignment that is nowhere', 'roleAssignments', { value: [{ name: 'a', properties: { ...ODD, scope: '' } }] }],
    ['a list of another form', 'roleAssignments', { value: [ODD] }],
  ])('A list of local roles is rejected with %s', async (_, path, body) => {
    wire.azure.faults.add([{ match: { ...match, path }, answer: { status: 200, body } }]);
    await expect(roles().grantsAt(HSM, '/')).rejects.toThrow(z.ZodError);
  });
});
