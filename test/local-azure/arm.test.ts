import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addPrincipal } from '../../local/azure/fleet.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm, signIn } from './support.ts';

const local = useLocalAzure({ fleet: 'sample', settings: { instantProvisioning: false } });
const subscription = `/subscriptions/${SUBSCRIPTION_ID}`;
const vaults = `${subscription}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults`;

describe('a resource that does not exist', () => {
  it.each([
    [
      '/subscriptions/5ab50000-0000-4000-8000-0000000000ff/resourcegroups',
      404,
      'SubscriptionNotFound',
      "The subscription '5ab50000-0000-4000-8000-0000000000ff' could not be found.",
    ],
    [
      `${subscription}/resourceGroups/nosuch/providers/Microsoft.KeyVault/vaults/kv`,
      404,
      'ResourceGroupNotFound',
      "Resource group 'nosuch' could not be found.",
    ],
    [
      `${vaults}/nosuch`,
      404,
      'ResourceNotFound',
      "The Resource 'Microsoft.KeyVault/vaults/nosuch' under resource group 'rg-keys' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    ],
    // The account is in another group: its name alone does not find it.
    [
      `${subscription}/resourceGroups/rg-keys/providers/Microsoft.Storage/storageAccounts/stfiles01`,
      404,
      'ResourceNotFound',
      "The Resource 'Microsoft.Storage/storageAccounts/stfiles01' under resource group 'rg-keys' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    ],
    [
      `${subscription}/providers/Microsoft.Storage/nosuch?api-version=2025-08-01`,
      404,
      'InvalidResourceType',
      "The resource type 'nosuch' could not be found in the namespace 'microsoft.storage' for api version '2025-08-01'.",
    ],
    [
      `${subscription}/providers/Microsoft.Nosuch/things`,
      404,
      'InvalidResourceNamespace',
      "The resource namespace 'microsoft.nosuch' is invalid.",
    ],
  ])('ARM answers GET %s with %i %s', async (path, status, code, message) => {
    const answer = await arm(local.azure, 'GET', path);
    expect({ status: answer.status, error: answer.body.error }).toEqual({ status, error: { code, message } });
  });

  it('ARM rejects a request without an api-version', async () => {
    const { token } = local.azure.tokens.issue(signIn(local.azure, 'owner'), 'https://management.azure.com');
    const response = await fetch(`https://management.azure.com${subscription}`, {
      headers: { authorization: `Bearer ${token}` },
    });

    expect([response.status, await response.json()]).toEqual([
      400,
      {
        error: {
          code: 'MissingApiVersionParameter',
          message: 'The api-version query parameter (?api-version=) is required for all requests.',
        },
      },
    ]);
  });
});

describe('authorization', () => {
  it.each([
    ['without a token', undefined, 'AuthenticationFailed'],
    ['with a malformed token', 'Bearer nonsense', 'InvalidAuthenticationToken'],
  ])('ARM rejects a request %s', async (_, authorization, code) => {
    const response = await fetch(`https://management.azure.com${subscription}?api-version=2022-12-01`, {
      headers: authorization ? { authorization } : {},
    });
    expect([response.status, await response.json()]).toMatchObject([401, { error: { code } }]);
    expect(response.headers.get('www-authenticate')).toContain('authorization_uri=');
  });

  it("ARM rejects a token for another resource, and a token that the tenant's keys did not sign", async () => {
    const ask = async (token: string) => {
      const response = await fetch(`https://management.azure.com${subscription}?api-version=2022-12-01`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return ((await response.json()) as { error: { code: string } }).error.code;
    };

    const owner = signIn(local.azure, 'owner');
    expect(await ask(local.azure.tokens.issue(owner, 'https://vault.azure.net').token)).toBe(
      'InvalidAuthenticationTokenAudience',
    );

    const { token } = local.azure.tokens.issue(owner, 'https://management.azure.com');
    expect(await ask(`${token.slice(0, -8)}AAAAAAAA`)).toBe('InvalidAuthenticationToken');
  });

  it('The app may change an account, and may not delete it', async () => {
    const app = signIn(local.azure, 'app');
    const account = `${subscription}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`;
    expect((await arm(local.azure, 'PATCH', account, { as: app, body: { tags: { seen: 'yes' } } })).status).toBe(200);
    const refused = await arm(local.azure, 'DELETE', account, { as: app });
    expect([refused.status, refused.body.error?.code]).toEqual([403, 'AuthorizationFailed']);
    expect(refused.body.error?.message).toContain("perform action 'microsoft.storage/storageaccounts/delete'");
  });
});

describe('role assignments', () => {
  it('A role assignment applies to its scope and below, after it has propagated', async () => {
    const reader = addPrincipal(local.azure.world, { displayName: 'reader' });

    local.azure.world.settings.rolePropagationMs = 60_000;

    const assignment = { roleDefinitionId: BUILT_IN_ROLES.Reader.id, principalId: reader.objectId };

    await arm(
      local.azure,
      'PUT',
      `${subscription}/resourceGroups/rg-keys/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`,
      { body: { properties: assignment } },
    );

    const read = async (path: string) => (await arm(local.azure, 'GET', path, { as: reader })).status;
    expect(await read(`${vaults}/kv-files`)).toBe(403);

    local.azure.clock.advance(60_000);

    expect(await read(`${vaults}/kv-files`)).toBe(200);
    expect(await read(`${subscription}/resourceGroups/rg-files`)).toBe(403);
  });

  afterEach(() => {
    local.azure.world.settings.rolePropagationMs = 0;
  });
});

describe('vaults', () => {
  it.each([
    [{ enablePurgeProtection: false }, 'enablePurgeProtection'],
    [{ enableSoftDelete: false }, 'enableSoftDelete'],
    [{ softDeleteRetentionInDays: 30 }, 'softDeleteRetentionInDays'],
  ])('A vault does not accept %j once the protection is on', async (properties, named) => {
    const { status, body: answer } = await arm(local.azure, 'PATCH', `${vaults}/kv-files`, { body: { properties } });
    expect(status).toBe(400);
    expect(answer.error?.message).toContain(`"${named}"`);
    expect(local.azure.world.vaults.get('kv-files')?.properties).toMatchObject({
      enablePurgeProtection: true,
      enableSoftDelete: true,
      softDeleteRetentionInDays: 90,
    });
  });
});

describe('event subscriptions', () => {
  const id = `${vaults}/kv-files/providers/Microsoft.EventGrid/eventSubscriptions/es-test`;
  const functionId = `${subscription}/resourceGroups/rg-cmk/providers/Microsoft.Web/sites/func-cmk/functions/keyExpired`;
  const destination = { endpointType: 'AzureFunction', properties: { resourceId: functionId } };

  it.each([
    ['no destination', {}],
    [
      'a destination that is no function',
      { destination: { endpointType: 'AzureFunction', properties: { resourceId: '/subscriptions/x' } } },
    ],
    ['too many attempts', { destination, retryPolicy: { maxDeliveryAttempts: 31 } }],
    [
      'a function whose code is not deployed',
      { destination: { endpointType: 'AzureFunction', properties: { resourceId: `${functionId}Twice` } } },
    ],
    [
      'an unknown operator',
      { destination, filter: { advancedFilters: [{ operatorType: 'StringLike', key: 'Subject', values: ['a'] }] } },
    ],
  ])('Event Grid rejects an event subscription with %s', async (_, properties) => {
    const { status, body } = await arm(local.azure, 'PUT', id, { body: { properties } });
    expect([status, body.error?.code]).toEqual([400, 'InvalidRequest']);
  });
});

it('The gateway rejects a request to another host, and logs it', async () => {
  const since = local.azure.requests.last;
  await expect(fetch('https://example.com/')).rejects.toThrow();
  expect(local.azure.requests.since(since)).toMatchObject([
    { host: 'example.com', method: 'CONNECT', status: 403, refused: true },
  ]);
});
