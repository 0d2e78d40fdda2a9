import { randomUUID } from 'node:crypto';
import { ClientSecretCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { describe, expect, it } from 'vitest';
import type { Principal } from '../../../local/azure/world.ts';
import { useLocalAzure } from '../../support/local-azure.ts';
import { signIn } from '../support.ts';

const local = useLocalAzure({ fleet: 'sample' });

const HSM = 'https://hsm-local.managedhsm.azure.net';
const CRYPTO_USER =
  'Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/21dbd100-6940-42c2-9190-5d6cb909625b';

const keys = () => {
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = local.azure.owner;
  return new KeyClient(HSM, new ClientSecretCredential(tenant, id, secret), { retryOptions: { maxRetries: 0 } });
};

interface Answer {
  readonly status: number;
  readonly challenge: string | null;
  readonly body: { readonly error?: { code: string; message: string } } & Readonly<Record<string, unknown>>;
}

async function ask(
  method: string,
  path: string,
  {
    as = signIn(local.azure, 'owner'),
    audience = 'https://managedhsm.azure.net',
    body,
  }: { as?: Principal; audience?: string; body?: unknown } = {},
): Promise<Answer> {
  const { token } = local.azure.tokens.issue(as, audience);
  const response = await fetch(`${HSM}${path}${path.includes('?') ? '&' : '?'}api-version=7.6`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

  const text = await response.text();

  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    body: text === '' ? {} : JSON.parse(text),
  };
}

describe('the keys of a Managed HSM', () => {
  it('A key of a Managed HSM rotates only with a policy, which has no notice and waits at least 28 days', async () => {
    await keys().createRsaKey('rotated', { hsm: true });

    await expect(keys().rotateKey('rotated')).rejects.toMatchObject({ statusCode: 400 });

    const rotate = (days: number) => [{ action: 'Rotate' as const, timeAfterCreate: `P${days}D` }];
    await expect(keys().updateKeyRotationPolicy('rotated', { lifetimeActions: rotate(27) })).rejects.toMatchObject({
      statusCode: 400,
    });
    await expect(
      keys().updateKeyRotationPolicy('rotated', { lifetimeActions: [{ action: 'Notify', timeBeforeExpiry: 'P30D' }] }),
    ).rejects.toMatchObject({ statusCode: 400 });

    await keys().updateKeyRotationPolicy('rotated', { lifetimeActions: rotate(28), expiresIn: 'P90D' });

    const rotated = await keys().rotateKey('rotated');
    expect(rotated.properties.expiresOn).toBeInstanceOf(Date);

    // A blank policy is none.
    await keys().updateKeyRotationPolicy('rotated', { lifetimeActions: [] });

    await expect(keys().rotateKey('rotated')).rejects.toMatchObject({ statusCode: 400 });
  });

  it('A Managed HSM accepts only tokens for Managed HSM', async () => {
    const answer = await ask('GET', '/keys', { audience: 'https://vault.azure.net' });
    expect(answer.status).toBe(401);
    expect(answer.challenge).toMatch(/resource="https:\/\/managedhsm\.azure\.net"$/);
  });

  it('A Managed HSM is no vault, and a vault is no Managed HSM', async () => {
    await expect(fetch('https://hsm-local.vault.azure.net/keys?api-version=7.6')).rejects.toThrow();
    await expect(fetch('https://kv-files.managedhsm.azure.net/keys?api-version=7.6')).rejects.toThrow();
  });
});

describe("a Managed HSM's own access control", () => {
  it('A Managed HSM rejects a caller without a local role', async () => {
    const as = signIn(local.azure, 'outsider');
    const refused = await ask('GET', '/keys/vault-key/versions', { as });
    expect(refused).toMatchObject({ status: 403, body: { error: { code: 'AccessDenied' } } });
    expect(refused.body.error?.message).toMatch(
      /^Not authorized to access Microsoft\.KeyVault\/managedHsm\/keys\/read\/action on \/keys\/vault-key \(Activity ID: /,
    );
  });

  it('A Managed HSM lists the role assignments of a scope page by page', async () => {
    const principalId = randomUUID();
    const path = (scope: string) => `/${scope}/providers/Microsoft.Authorization/roleAssignments`;
    const names = new Map(['/', '/keys', '/keys/vault-key'].map((scope) => [scope, randomUUID()]));
    for (const [scope, name] of names) {
      const body = { properties: { roleDefinitionId: CRYPTO_USER, principalId } };
      expect((await ask('PUT', `${path(scope)}/${name}`, { body })).status).toBe(201);
    }

    const shown = async (scope: string, filter = '') => {
      const found = (await ask('GET', `${path(scope)}${filter}`)).body.value as { name: string }[];
      return [...names].filter(([, name]) => found.some((one) => one.name === name)).map(([at]) => at);
    };
    expect(await shown('/')).toEqual(['/', '/keys']);
    expect(await shown('/keys')).toEqual(['/keys']);
    expect(await shown('/keys/vault-key')).toEqual(['/keys/vault-key']);
    expect(await shown('/keys/vault-key', '?$filter=atScope()')).toEqual([...names.keys()]);
    expect(await shown('/keys', `?$filter=principalId%20eq%20'${principalId}'`)).toEqual([...names.keys()]);

    for (let made = 0; made < 30; made += 1) {
      const body = { properties: { roleDefinitionId: CRYPTO_USER, principalId: randomUUID() } };
      await ask('PUT', `${path('/keys/many-roles')}/${randomUUID()}`, { body });
    }

    const first = await ask('GET', path('/keys/many-roles'));
    expect(first.body.value).toHaveLength(25);

    const next = new URL(String(first.body.nextLink));
    const second = await ask('GET', `${next.pathname}${next.search}`);

    expect([(second.body.value as unknown[]).length, second.body.nextLink]).toEqual([5, null]);
  });
});
