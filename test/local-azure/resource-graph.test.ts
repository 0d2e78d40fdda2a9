import { ResourceGraphClient } from '@azure/arm-resourcegraph';
import { ClientSecretCredential } from '@azure/identity';
import { beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_IDS, SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID, TENANT_ID } from '../../local/azure/constants.ts';
import { addPrincipal, addRoleAssignment } from '../../local/azure/fleet.ts';
import { evaluate } from '../../local/azure/resource-graph/evaluate.ts';
import { parseQuery } from '../../local/azure/resource-graph/query.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { Principal } from '../../local/azure/world.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm } from './support.ts';

const local = useLocalAzure({ fleet: 'sample' });
beforeEach(() => {
  local.azure.world.settings.throttle = false;
});

function clientOf(principal: Pick<Principal, 'clientId' | 'secret'>): ResourceGraphClient {
  const credential = new ClientSecretCredential(TENANT_ID, principal.clientId, principal.secret);
  return new ResourceGraphClient(credential, { retryOptions: { maxRetries: 0 } });
}

function owner(): ResourceGraphClient {
  return clientOf({ clientId: CLIENT_IDS.owner, secret: local.azure.owner.AZURE_CLIENT_SECRET });
}

/** A reader of the resources under that scope. */
function reader(scope?: string): ResourceGraphClient {
  const principal = addPrincipal(local.azure.world, { displayName: 'reader' });
  const role = BUILT_IN_ROLES.Reader;
  if (scope) addRoleAssignment(local.azure.world, { scope, principalId: principal.objectId, role, settled: true });
  return clientOf(principal);
}

const namesOf = (data: unknown): unknown[] => (data as { name: unknown }[]).map(({ name }) => name);
const accounts = "resources | where type in~ ('Microsoft.Storage/storageAccounts')";

describe('Resource Graph', () => {
  it('Resource Graph returns the resources that the caller may read, and no others', async () => {
    const one = reader(`/subscriptions/${SECOND_SUBSCRIPTION_ID}`);
    expect(namesOf((await one.resources({ query: accounts })).data)).toEqual(['strecords01', 'strecords02']);
    const group = reader(`/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-archive`);
    expect(namesOf((await group.resources({ query: accounts })).data)).toEqual(['starchive01', 'starchive02']);
  });

  it.each<[sentence: string, subscriptions: string[] | undefined, scope: string | undefined]>([
    ['any subscription', undefined, undefined],
    ['the subscription of the query', [SUBSCRIPTION_ID], `/subscriptions/${SECOND_SUBSCRIPTION_ID}`],
  ])('Resource Graph rejects a caller without access to %s', async (_, subscriptions, scope) => {
    const query = { query: accounts, ...(subscriptions ? { subscriptions } : {}) };
    await expect(reader(scope).resources(query)).rejects.toMatchObject({ statusCode: 403 });
  });

  it('Resource Graph reports the remaining quota, and rejects a query over it', async () => {
    local.azure.world.settings.throttle = true;

    const client = reader(`/subscriptions/${SECOND_SUBSCRIPTION_ID}`);
    const left: (string | undefined)[] = [];
    const ask = () =>
      client.resources(
        { query: `${accounts} | limit 1` },
        {
          onResponse: ({ headers }) => {
            left.push(headers.get('x-ms-user-quota-remaining'));
            expect(headers.get('x-ms-user-quota-resets-after')).toMatch(/^00:00:0[1-5]$/);
          },
        },
      );

    for (let n = 0; n < 15; n += 1) await ask();

    await expect(ask()).rejects.toMatchObject({ statusCode: 429, details: { error: { code: 'RateLimiting' } } });
    expect(left).toEqual([...Array.from({ length: 15 }, (_, n) => String(14 - n)), '0']);

    local.azure.clock.advance(5_000);
    await ask();

    expect(left.at(-1)).toBe('14');
  });
});

describe('a query', () => {
  it.each([
    'resourcecontainers | limit 1',
    'resources | summarize count() by type',
    "resources | where name == 'stfiles01'",
    "resources | where type in~ ('a', b)",
    'resources | where type in~ ()',
    'resources | where tostring(properties) contains "unended',
    'resources | where tostring(tags) contains "x"',
    'resources | extend a = 1',
    'resources | project id | order by name asc',
    'resources | project nothing',
    'resources | limit -1',
    '',
  ])("Resource Graph rejects a query that the local Azure does not serve, in Azure's shape: %s", async (query) => {
    await expect(owner().resources({ query })).rejects.toMatchObject({
      statusCode: 400,
      details: { error: { code: 'BadRequest', details: [{ code: 'InvalidQuery' }, { code: 'ParserFailure' }] } },
    });
  });

  const rows = [
    { id: '/1', name: 'b', type: 'x/one', properties: { key: 'A|b' } },
    { id: '/2', name: 'a', type: 'x/two', properties: { key: 'c' } },
  ];
  it.each<[query: string, ids: string[]]>([
    ["resources | where type == 'X/one'", []],
    ["resources | where type =~ 'X/one'", ['/1']],
    ["resources | where type in ('x/one')", ['/1']],
    ['RESOURCES | where tostring(properties) contains "a|B"', ['/1']],
    ['resources | where tostring(properties) contains "none" or tostring(properties) contains "a|B"', ['/1']],
    ['resources | order by name', ['/1', '/2']],
    ['resources | sort by name asc', ['/2', '/1']],
    ['resources | take 1', ['/1']],
    ['resources', ['/1', '/2']],
  ])('Resource Graph evaluates a query as Kusto does: %s', (query, ids) => {
    expect(evaluate(parseQuery(query), rows).map(({ id }) => id)).toEqual(ids);
  });
});

const list = `/subscriptions/${SUBSCRIPTION_ID}/resources?api-version=2021-04-01&$filter=`;

it('The generic list of resources returns the resources that the caller may read, and rejects no caller', async () => {
  const reader = addPrincipal(local.azure.world, { displayName: 'reader' });
  const scope = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-archive`;

  addRoleAssignment(local.azure.world, {
    scope,
    principalId: reader.objectId,
    role: BUILT_IN_ROLES.Reader,
    settled: true,
  });

  const filter = "resourceType eq 'Microsoft.Storage/storageAccounts'";
  const { status, body } = await arm(local.azure, 'GET', `${list}${filter}`, { as: reader });

  expect(status).toBe(200);
  expect(body.value?.map(({ name }) => name)).toEqual(['starchive01', 'starchive02']);
});
