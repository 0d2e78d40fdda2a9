import { describe, expect, it } from 'vitest';
import { createKeyVersion } from '../../../local/azure/key-vault/keys.ts';
import { assignRole } from '../../../local/azure/roles/assign-role.ts';
import { BUILT_IN_ROLES } from '../../../local/azure/roles/built-in-roles.ts';
import { vaultFixture } from './fixture.ts';

describe('access to a vault', () => {
  it.each([
    ['https://vault.azure.net', 200],
    ['https://vault.azure.net/', 200],
    ['cfa8b339-82a2-471a-a3c9-0fc0be7a4093', 200],
    ['https://management.azure.com', 401],
  ])('A vault answers a token for %s with %i', async (audience, status) => {
    const { ask } = vaultFixture();
    const answer = await ask('GET', '/keys', undefined, { audience });
    expect(answer.status).toBe(status);
    expect(answer.headers.has('www-authenticate')).toBe(status === 401);
  });

  it('A vault rejects a caller without a role, and names the action and the resource', async () => {
    const { ask, outsider, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    const { status, body } = await ask('POST', '/keys/k1/rotate', undefined, { as: outsider });
    expect(status).toBe(403);
    expect(body.error).toMatchObject({ code: 'Forbidden', innererror: { code: 'ForbiddenByRbac' } });
    expect(body.error.message).toContain("Action: 'Microsoft.KeyVault/vaults/keys/rotate/action'");
    expect(body.error.message).toContain(`Resource: '${vault.id.toLowerCase()}/keys/k1'`);
    expect(vault.keys.get('k1')?.versions).toHaveLength(1);
  });

  it('A caller with a role on one key reaches that key alone', async () => {
    const { ask, outsider, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    createKeyVersion(world, vault, 'k2');
    const role = BUILT_IN_ROLES['Key Vault Crypto Officer'];
    assignRole(world, { scope: `${vault.id}/keys/k1`, principalId: outsider.objectId, role, settled: true });
    expect((await ask('PATCH', '/keys/k1/', { tags: {} }, { as: outsider })).status).toBe(200);
    expect((await ask('PATCH', '/keys/k2/', { tags: {} }, { as: outsider })).status).toBe(403);
    expect((await ask('GET', '/keys', undefined, { as: outsider })).status).toBe(403);
  });

  it('In a vault with access policies, a policy grants access and a role does not', async () => {
    const { ask, outsider, owner, vault, world } = vaultFixture({}, { enableRbacAuthorization: false });
    vault.properties.accessPolicies = [
      { tenantId: world.tenantId, objectId: outsider.objectId, permissions: { keys: ['Get', 'List', 'UnwrapKey'] } },
    ];
    createKeyVersion(world, vault, 'k1');
    expect((await ask('GET', '/keys/k1/', undefined, { as: outsider })).status).toBe(200);
    const refused = await ask('GET', '/keys/k1/', undefined, { as: owner });
    expect(refused).toMatchObject({ status: 403, body: { error: { innererror: { code: 'AccessDenied' } } } });
    expect(refused.body.error.message).toContain("does not have keys get permission on key vault 'kv-test;");
  });
});

it('A vault rejects the 21st new key in ten seconds, and accepts one more after half a second', async () => {
  const { ask, vault, world } = vaultFixture({ throttle: true });
  const { privateKey } = createKeyVersion(world, vault, 'seed');
  const key = privateKey.export({ format: 'jwk' });

  for (let made = 0; made < 20; made++) expect((await ask('PUT', `/keys/k${made}`, { key })).status).toBe(200);

  const refused = await ask('PUT', '/keys/k20', { key });
  expect(refused).toMatchObject({ status: 429, body: { error: { code: 'Throttled' } } });

  world.clock.advance(600);

  expect((await ask('PUT', '/keys/k20', { key })).status).toBe(200);
});
