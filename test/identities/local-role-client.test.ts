import { randomUUID } from 'node:crypto';
import { ClientSecretCredential } from '@azure/identity';
import { describe, expect, it } from 'vitest';
import { findCloud } from '../../src/azure/cloud.ts';
import { ENCRYPTION_USER } from '../../src/identities/key-roles.ts';
import { createLocalRoles } from '../../src/identities/local-role-client.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const HSM = { uri: 'https://hsm-local.managedhsm.azure.net' };
const { id: ROLE, dataActions } = ENCRYPTION_USER.local;
const match = { host: 'hsm-local.*', path: 'roleAssignments' };

function roles() {
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = wire.azure.owner;
  const cloud = findCloud('AzureCloud') as NonNullable<ReturnType<typeof findCloud>>;
  return createLocalRoles(new ClientSecretCredential(tenant, id, secret), cloud);
}
const of = (principalId: string) => (one: { principalId: string }) => one.principalId === principalId;

describe('a local role', () => {
  it('is given once, however often, and is listed with what it allows', async () => {
    const principalId = randomUUID();
    await roles().give(HSM, '/keys', principalId, ROLE);
    await roles().give(HSM, '/keys', principalId, ROLE);
    const found = (await roles().grantsAt(HSM, '/')).filter(of(principalId));
    expect(found).toMatchObject([{ scope: '/keys', conditional: false, dataActions, notDataActions: [] }]);
  });

  it('is not taken to be given by a conflict of another kind', async () => {
    const principalId = randomUUID();
    const body = { error: { code: 'RoleAssignmentLimitExceeded', message: 'No more.' } };
    wire.azure.faults.add([{ match: { ...match, method: 'PUT' }, answer: { status: 409, body } }]);
    await expect(roles().give(HSM, '/keys', principalId, ROLE)).rejects.toThrow('No more.');
  });
});

describe('a list of local roles', () => {
  const answer = (status: number, body: object) => wire.azure.faults.add([{ match, answer: { status, body } }]);

  it('is empty at a key that is not there, and nowhere else', async () => {
    answer(404, { error: { code: 'KeyNotFound', message: 'No such key.' } });
    expect(await roles().grantsAt(HSM, '/keys/none')).toEqual([]);
    await expect(roles().grantsAt(HSM, '/')).rejects.toThrow('No such key.');
    await expect(roles().grantsAt(HSM, '/keys')).rejects.toThrow('No such key.');
  });

  it.each([
    ['another host', 'https://kv-files.vault.azure.net/keys?api-version=7.4'],
    ['itself', `${HSM.uri}///providers/Microsoft.Authorization/roleAssignments?api-version=7.4`],
  ])('that goes on at %s comes to an end', async (_, nextLink) => {
    answer(200, { value: [], nextLink });
    const since = wire.azure.requests.last;
    await expect(roles().grantsAt(HSM, '/')).rejects.toThrow('leads nowhere');
    const hosts = new Set(wire.azure.requests.since(since).map(({ host }) => host));
    expect([...hosts].filter((host) => !host.startsWith('login.'))).toEqual(['hsm-local.managedhsm.azure.net']);
  });

  it('that is none says so', async () => {
    answer(200, { rows: [] });
    await expect(roles().grantsAt(HSM, '/')).rejects.toThrow();
  });
});
