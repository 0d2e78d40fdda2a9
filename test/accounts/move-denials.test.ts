import { describe, expect, it } from 'vitest';
import {
  ASSIGNED_POLICY,
  confirmMoveDenials,
  describeMoveDenial,
  formatExempt,
  listMoveDenials,
  type MoveDenial,
  POLICY_EVALUATION,
  POLICY_STATE,
} from '../../src/accounts/move-denials.ts';
import type { PolicyInsights } from '../../src/accounts/policy-insights-client.ts';
import { confirmDenialsOf, readMoveDenials } from '../../src/accounts/read-move-denials.ts';
import { parseResourceId } from '../../src/azure/resource-id.ts';

const SUBSCRIPTION = '/subscriptions/11111111-1111-1111-1111-111111111111';
const ACCOUNT = `${SUBSCRIPTION}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`;
const MANAGEMENT_GROUP = '/providers/Microsoft.Management/managementGroups/corp';
const DEFINITION = `${SUBSCRIPTION}/providers/Microsoft.Authorization/policyDefinitions/tls`;
const at = (scope: string, name = 'baseline') => `${scope}/providers/Microsoft.Authorization/policyAssignments/${name}`;

/** A state of the account, as Azure answers. */
const state = (change: object = {}) =>
  POLICY_STATE.parse({
    resourceId: ACCOUNT.toLowerCase(),
    policyAssignmentId: at(SUBSCRIPTION).toLowerCase(),
    policyDefinitionId: DEFINITION.toLowerCase(),
    policyDefinitionReferenceId: '',
    policyDefinitionAction: 'deny',
    complianceState: 'NonCompliant',
    ...change,
  });
const assigned = (enforcementMode?: string, displayName?: string) => [
  ASSIGNED_POLICY.parse({ id: at(SUBSCRIPTION), name: 'baseline', properties: { enforcementMode, displayName } }),
];
/** An evaluation of the account as it is now. */
const evaluation = (assignment: string, change: object = {}) =>
  POLICY_EVALUATION.parse({
    policyInfo: { policyDefinitionId: DEFINITION, policyAssignmentId: assignment },
    evaluationResult: 'NonCompliant',
    evaluationDetails: {
      evaluatedExpressions: [
        { expression: 'type' },
        { expression: 'Microsoft.Storage/storageAccounts/minimumTlsVersion' },
        { expression: 'Microsoft.Storage/storageAccounts/minimumTlsVersion' },
        {},
      ],
    },
    effectDetails: { policyEffect: 'Deny' },
    ...change,
  });
const denial = (assignment: string, fields: readonly string[] = []): MoveDenial => ({
  assignment,
  name: 'baseline',
  definition: DEFINITION,
  reference: undefined,
  fields,
});

describe('A state of Azure Policy', () => {
  it.each<[number, string, object]>([
    [1, 'if a policy with the effect deny found the account non-compliant', {}],
    [1, 'in any letter case', { policyDefinitionAction: 'Deny', complianceState: 'noncompliant' }],
    [0, 'if the account is exempt', { complianceState: 'Exempt' }],
    [0, 'if the policy only audits', { policyDefinitionAction: 'audit' }],
    [0, 'if the state omits both', { policyDefinitionAction: null, complianceState: null }],
    [0, 'if the resource is below the account', { resourceId: `${ACCOUNT}/encryptionScopes/scope1` }],
  ])('A state of Azure Policy shows %i denied moves %s', (count, _, change) => {
    expect(listMoveDenials([state(change)], undefined).size).toBe(count);
  });

  it.each([
    ['Default', 1],
    [undefined, 1],
    ['DoNotEnforce', 0],
  ])('A state of Azure Policy denies a move unless the assignment is not enforced: %s', (mode, count) => {
    expect(listMoveDenials([state()], assigned(mode)).get(ACCOUNT.toLowerCase())).toHaveLength(count);
  });

  it('A denial by a state names the assignment and the member of the initiative', () => {
    const of = (...given: Parameters<typeof assigned>) =>
      listMoveDenials([state({ policyDefinitionReferenceId: 'tls12' })], assigned(...given)).get(ACCOUNT.toLowerCase());

    expect(of()).toMatchObject([{ assignment: at(SUBSCRIPTION), name: 'baseline', reference: 'tls12', fields: [] }]);
    expect(of('Default', 'Storage baseline')).toMatchObject([{ name: 'Storage baseline' }]);
    expect(listMoveDenials([state()], undefined).get(ACCOUNT.toLowerCase())).toMatchObject([
      { name: 'baseline', reference: undefined },
    ]);
  });
});

describe('An evaluation of the account as it is now', () => {
  const TLS = ['Microsoft.Storage/storageAccounts/minimumTlsVersion'];

  it('An evaluation of the account confirms a denial, with the fields that the policy tested', () => {
    expect(confirmMoveDenials([denial(at(SUBSCRIPTION))], [evaluation(at(SUBSCRIPTION))], undefined)).toEqual([
      denial(at(SUBSCRIPTION), TLS),
    ]);
  });

  it('An evaluation of the account finds a denial that the last state did not have yet', () => {
    expect(confirmMoveDenials([], [evaluation(at(SUBSCRIPTION))], undefined)).toEqual([denial(at(SUBSCRIPTION), TLS)]);
  });

  it.each([
    ['drops a denial of its subscription', at(SUBSCRIPTION), 0],
    ['drops a denial of its group', at(`${SUBSCRIPTION}/resourceGroups/rg-files`), 0],
    ['keeps a denial of a management group, which Azure does not evaluate here', at(MANAGEMENT_GROUP), 1],
    ['keeps a denial of an assignment to the account itself', at(ACCOUNT), 1],
  ])('An evaluation of the account %s that it does not show', (_, assignment, count) => {
    expect(confirmMoveDenials([denial(assignment)], [], undefined)).toHaveLength(count);
  });

  it('An evaluation of the account ignores another effect, another result, and an assignment that is not enforced', () => {
    const evaluations = [
      evaluation(at(SUBSCRIPTION, 'audits'), { effectDetails: { policyEffect: 'Audit' } }),
      evaluation(at(SUBSCRIPTION, 'none'), { effectDetails: null }),
      evaluation(at(SUBSCRIPTION, 'compliant'), { evaluationResult: 'Compliant' }),
      evaluation(at(SUBSCRIPTION)),
    ];
    expect(confirmMoveDenials([], evaluations, assigned('DoNotEnforce'))).toEqual([]);
  });

  it('An evaluation of the account confirms a denial without the details of the evaluation', () => {
    const bare = evaluation(at(MANAGEMENT_GROUP), { evaluationDetails: null });
    expect(confirmMoveDenials([denial(at(MANAGEMENT_GROUP))], [bare], undefined)).toEqual([
      denial(at(MANAGEMENT_GROUP)),
    ]);
  });
});

it('A denial is described with assignment, definition, fields and the exemption to request', () => {
  expect(describeMoveDenial(denial(at(SUBSCRIPTION), ['sku.name', 'kind']))).toBe(
    'The policy assignment "baseline" denies each change of it, and so its move to a new key version, because of sku.name, kind (definition tls).',
  );
  expect(describeMoveDenial(denial(at(SUBSCRIPTION)))).not.toContain('because of');
  expect(formatExempt(ACCOUNT, at(SUBSCRIPTION), 'tls12')).toBe(
    `az policy exemption create --exemption-category Waiver --name cmk-baseline-tls12 --policy-assignment ${at(SUBSCRIPTION)} --policy-definition-reference-ids tls12 --scope ${ACCOUNT}`,
  );
  expect(formatExempt(ACCOUNT, at(SUBSCRIPTION), undefined)).not.toContain('reference');
});

describe('What cannot be read', () => {
  const fail = async () => {
    throw Object.assign(new Error('no'), { statusCode: 403 });
  };
  const policies = (change: Partial<PolicyInsights> = {}): PolicyInsights => ({
    denied: async () => [state()],
    assigned: fail,
    evaluate: fail,
    ...change,
  });
  const account = parseResourceId(ACCOUNT) ?? expect.fail();

  it('A denial has no display name while the assignments cannot be read', async () => {
    const { denials } = await readMoveDenials('s', policies());
    expect(denials.get(ACCOUNT.toLowerCase())).toMatchObject([{ name: 'baseline' }]);
  });

  it('The denials of the last state remain while the evaluation cannot be read', async () => {
    const read = await readMoveDenials('s', policies());
    expect(await confirmDenialsOf(account, read, policies())).toEqual(read.denials.get(ACCOUNT.toLowerCase()));
    expect(await confirmDenialsOf({ ...account, id: `${ACCOUNT}2` }, read, policies())).toEqual([]);
  });

  it('The assignments are not requested if no state denies anything', async () => {
    expect(await readMoveDenials('s', policies({ denied: async () => [] }))).toEqual({
      denials: new Map(),
      assigned: undefined,
    });
  });
});
