import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../local/azure/create-world.ts';
import { addPrincipal, addRoleAssignment } from '../../local/azure/fleet.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { denyInsecureTransfer } from '../support/policies.ts';
import { addSite } from './sdk.ts';
import { arm } from './support.ts';

const local = useLocalAzure({ fleet: 'empty' });
const FIELD = 'Microsoft.Storage/storageAccounts/supportsHttpsTrafficOnly';
let site: ReturnType<typeof addSite>;
let subscription: string;
let account: string;

beforeEach(() => {
  Object.assign(local.azure.world.settings, DEFAULT_SETTINGS, { instantProvisioning: true });
  local.azure.world.extensions.clear();
  site = addSite(local.azure);
  subscription = `/subscriptions/${site.subscription.subscriptionId}`;
  account = site.encrypted.id;
  site.encrypted.properties.supportsHttpsTrafficOnly = false;
});

const send = async (method: string, path: string, body?: object) => {
  const answer = await arm(local.azure, method, path, { body });
  expect([answer.status, answer.body.error]).toEqual([expect.toSatisfy((status) => status < 300), undefined]);
  return answer.body;
};
const deny = (scope = subscription, properties: object = {}) =>
  denyInsecureTransfer(send, scope, properties, subscription);
const tag = (tags: object, more: object = {}) => arm(local.azure, 'PATCH', account, { body: { tags, ...more } });
const states = async (filter = "complianceState eq 'NonCompliant'") => {
  const path = `${subscription}/providers/Microsoft.PolicyInsights/policyStates/latest/queryResults`;
  const query = `api-version=2019-10-01&$filter=${encodeURIComponent(filter)}`;
  return ((await send('POST', `${path}?${query}`)) as unknown as { value: Record<string, unknown>[] }).value;
};
const evaluate = async () => {
  const { body: resourceContent } = await arm(local.azure, 'GET', account);
  const path = `${subscription}/resourceGroups/rg/providers/Microsoft.PolicyInsights/checkPolicyRestrictions`;
  const found = await send('POST', `${path}?api-version=2023-03-01`, { resourceDetails: { resourceContent } });
  return (found as unknown as { contentEvaluationResult: { policyEvaluations: unknown[] } }).contentEvaluationResult
    .policyEvaluations;
};

describe('a policy with the effect Deny', () => {
  it('A policy with the effect Deny rejects a write that leaves the account non-compliant, and nothing changes', async () => {
    const assignment = await deny();
    const { status, body } = await tag({ a: '1' });
    expect(status).toBe(403);
    expect(body.error).toMatchObject({
      code: 'RequestDisallowedByPolicy',
      target: site.encrypted.name,
      message: expect.stringContaining(`"policyAssignment":{"name":"Storage baseline","id":"${assignment}"}`),
      additionalInfo: [{ type: 'PolicyViolation', info: { policyAssignmentId: assignment } }],
    });
    expect(site.encrypted.tags).not.toMatchObject({ a: '1' });
  });

  it('A policy with the effect Deny allows a write that makes the account compliant', async () => {
    await deny();
    expect((await tag({ a: '1' }, { properties: { supportsHttpsTrafficOnly: true } })).status).toBe(200);
  });

  it.each([
    ['is not enforced', { enforcementMode: 'DoNotEnforce' }],
    ['audits only', { parameters: { effect: { value: 'Audit' } } }],
    ['excludes the group', { notScopes: [] }],
  ])('A policy with the effect Deny rejects nothing if its assignment %s', async (_, properties) => {
    const excluded = 'notScopes' in properties ? { notScopes: [`${subscription}/resourceGroups/rg`] } : properties;
    await deny(subscription, excluded);
    expect((await tag({ a: '1' })).status).toBe(200);
  });

  it('A policy with the effect Deny rejects nothing of an exempt account, whose state is Exempt', async () => {
    const policyAssignmentId = await deny();
    const exemption = `${account}/providers/Microsoft.Authorization/policyExemptions/ours`;
    await send('PUT', exemption, { properties: { policyAssignmentId, exemptionCategory: 'Waiver' } });
    expect((await tag({ a: '1' })).status).toBe(200);
    expect(await states()).toEqual([]);
    expect(await states("complianceState eq 'Exempt'")).toHaveLength(1);
    expect(await evaluate()).toEqual([]);
  });
});

describe('Azure Policy Insights', () => {
  it('Azure Policy Insights answers with the state of each non-compliant account, by filter', async () => {
    const assignment = await deny();
    const state = { resourceId: account.toLowerCase(), policyAssignmentId: assignment.toLowerCase() };
    const denied =
      "complianceState eq 'NonCompliant' and (policyDefinitionAction eq 'deny' or policyDefinitionAction eq 'Deny')";

    expect(await states(denied)).toMatchObject([{ ...state, policyDefinitionAction: 'deny' }]);
    expect(await states("policyDefinitionAction eq 'audit'")).toEqual([]);
  });

  it('Azure Policy Insights evaluates what is assigned at the subscription, and nothing of a management group', async () => {
    const assignment = await deny();
    expect(await evaluate()).toMatchObject([
      {
        policyInfo: { policyAssignmentId: assignment },
        evaluationResult: 'NonCompliant',
        evaluationDetails: { evaluatedExpressions: [{ expression: 'type' }, { expression: FIELD, result: 'False' }] },
        effectDetails: { policyEffect: 'Deny' },
      },
    ]);

    local.azure.world.extensions.delete(assignment.toLowerCase());
    await deny('/providers/Microsoft.Management/managementGroups/corp');
    expect(await evaluate()).toEqual([]);
    expect(await states()).toHaveLength(1);
  });

  it('Azure Policy Insights requires the read and the action of a query, and the read alone of an evaluation', async () => {
    const as = addPrincipal(local.azure.world, { displayName: 'policy-reader' });
    const query = `${subscription}/providers/Microsoft.PolicyInsights/policyStates/latest/queryResults?api-version=2019-10-01`;
    const check = `${subscription}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions?api-version=2023-03-01`;
    const body = { resourceDetails: { resourceContent: { type: 'Microsoft.Storage/storageAccounts', name: 'x' } } };
    const statuses = async () => [
      (await arm(local.azure, 'POST', query, { as })).status,
      (await arm(local.azure, 'POST', check, { as, body })).status,
    ];
    const allow = (...actions: string[]) => {
      const id = `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${randomUUID()}`;
      const nothing = { notActions: [], dataActions: [], notDataActions: [], assignableScopes: [subscription] };
      const role = { id, roleName: id, type: 'CustomRole', actions, ...nothing } as const;
      local.azure.world.roleDefinitions.set(id.toLowerCase(), role);
      addRoleAssignment(local.azure.world, { scope: subscription, principalId: as.objectId, role, settled: true });
    };

    expect(await statuses()).toEqual([403, 403]);
    allow('Microsoft.PolicyInsights/policyStates/queryResults/action');
    allow('Microsoft.PolicyInsights/checkPolicyRestrictions/read');
    expect(await statuses()).toEqual([403, 200]);
    allow('Microsoft.PolicyInsights/policyStates/queryResults/read');
    expect(await statuses()).toEqual([200, 200]);
  });
});
