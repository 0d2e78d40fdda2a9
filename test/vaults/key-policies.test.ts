import { describe, expect, it } from 'vitest';
import {
  getScopeOfInitiative,
  isAppliedTo,
  isExempt,
  KEY_RULES,
  listDenials,
  POLICY_ASSIGNMENT,
  POLICY_EXEMPTION,
  POLICY_INITIATIVE,
  type PolicyAssignment,
  type PolicyInitiative,
} from '../../src/vaults/key-policies.ts';

const SUBSCRIPTION = '/subscriptions/11111111-1111-1111-1111-111111111111';
const GROUP = `${SUBSCRIPTION}/resourceGroups/rg-keys`;
const VAULT = { id: `${GROUP}/providers/Microsoft.KeyVault/vaults/kv-files`, kind: 'vault' } as const;
const HSM = { ...VAULT, kind: 'managedHsm' } as const;
const BUILT_IN = '/providers/Microsoft.Authorization';
const NOW = new Date('2026-06-01T12:00:00Z');
const { expiry, remaining, validity, size, types, hardware } = KEY_RULES;

const definition = (name: string) => `${BUILT_IN}/policyDefinitions/${name}`;
const valued = (parameters: object) =>
  Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, { value }]));
const EXPIRY = '152B15F7-8e1f-4c1f-ab71-8c010ba5dbc0';
const REMAINING = '5ff38825-c5d8-47c5-b70e-069a21955146';
const VALIDITY = '49a22571-d204-4c91-a7b6-09b1a586fbc9';
const SIZE = '82067dbb-e53b-4e06-b631-546d197452d9';
const TYPES = '75c4f823-d65c-4f29-a733-01d0077fdbcb';
const HSM_REMAINING = 'ad27588c-0198-4c84-81ef-08efd0274653';

/** An assignment as Azure lists it. */
const assignment = (policyDefinitionId: string, parameters: object = {}, change: object = {}) =>
  POLICY_ASSIGNMENT.parse({
    id: `${SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/rsa`,
    name: 'RSA 3072',
    properties: { policyDefinitionId, parameters: valued(parameters), ...change },
  });
const denied = (
  of: PolicyAssignment,
  initiative?: PolicyInitiative,
  vault: Parameters<typeof listDenials>[2] = VAULT,
) => listDenials(of, initiative, vault).map(({ rule }) => rule.denied);
const texts = (rules: readonly { readonly denied: string }[]) => rules.map((rule) => rule.denied);

describe('whether an assignment applies', () => {
  it.each<[boolean, string, object]>([
    [true, 'without a restriction', {}],
    [false, 'not enforced', { enforcementMode: 'DoNotEnforce' }],
    [false, 'with the group excluded', { notScopes: [GROUP.toUpperCase()] }],
    [true, 'with another group excluded whose name is a prefix', { notScopes: [GROUP.slice(0, -1)] }],
    [
      false,
      'with a management group excluded',
      { notScopes: ['/providers/Microsoft.Management/managementGroups/mg-files'] },
    ],
    [false, 'with selectors', { resourceSelectors: [{}] }],
    [false, 'with overrides', { overrides: [{}] }],
  ])('isAppliedTo is %s for an assignment %s', (applies, _, change) => {
    expect(isAppliedTo(assignment(definition(SIZE), {}, change), VAULT)).toBe(applies);
  });
});

describe('a definition', () => {
  it.each<[string, string, object, { readonly denied: string }[]]>([
    ['no expiry', EXPIRY, {}, [expiry()]],
    ['an early expiry', REMAINING, { MinimumDaysBeforeExpiration: 90 }, [remaining(90)]],
    ['a late expiry', VALIDITY, { maximumValidityInDays: 365 }, [validity(365)]],
    ['a small key', SIZE, { minimumRSAKeySize: 3072 }, [size(3072)]],
    ['a type', TYPES, { allowedKeyTypes: ['RSA-HSM'] }, [types(['RSA-HSM'])]],
    ['keys in software', '587c79fe-dd04-4a5e-9d0b-f89598c7261b', {}, [hardware()]],
    ['nothing with the default effect, Audit', SIZE, { minimumRSAKeySize: 3072, effect: undefined }, []],
    ['nothing when disabled', SIZE, { minimumRSAKeySize: 3072, effect: 'Disabled' }, []],
    ['nothing without its parameter', SIZE, {}, []],
    ['nothing with a parameter that is no number', SIZE, { minimumRSAKeySize: '3072' }, []],
    ['nothing with the default types', TYPES, {}, []],
    ['nothing with types that are no list of strings', TYPES, { allowedKeyTypes: [1] }, []],
    ['nothing if it limits how long keys are active', 'c26e4b24-cf98-4c67-b48b-5a25c4c69eb9', {}, []],
    ['nothing of a vault if it is for a Managed HSM', '1d478a74-21ba-4b9f-9d8f-8e6fced0eec5', {}, []],
  ])('A built-in definition denies %s', (_, name, parameters, rules) => {
    expect(denied(assignment(definition(name), { effect: 'deny', ...parameters }))).toEqual(texts(rules));
  });

  it('A custom definition yields no known denial', () => {
    const own = assignment(`${SUBSCRIPTION}${definition(EXPIRY)}`, { effect: 'Deny' });
    expect(denied(own)).toEqual([]);
  });

  it('A definition for a Managed HSM has its own default', () => {
    const of = (name: string) => denied(assignment(definition(name), { effect: 'Deny' }), undefined, HSM);
    expect(of('1d478a74-21ba-4b9f-9d8f-8e6fced0eec5')).toEqual(texts([expiry()]));
    expect(of(HSM_REMAINING)).toEqual(texts([remaining(90)]));
    expect(of(SIZE)).toEqual([]);
  });
});

describe('an initiative', () => {
  const id = `${BUILT_IN}/policySetDefinitions/7a00a7fc-fdf4-4ad8-8fa2-a94acc223e8e`;

  const initiative = (name: string, parameters: object, defaults: object = {}) =>
    POLICY_INITIATIVE.parse({
      properties: {
        parameters: {
          effect: { defaultValue: 'Deny' },
          bits: { defaultValue: 4096 },
          ...Object.fromEntries(Object.entries(defaults).map(([one, defaultValue]) => [one, { defaultValue }])),
        },
        policyDefinitions: [
          { policyDefinitionId: definition('other'), parameters: valued({ effect: 'Deny' }) },
          {
            policyDefinitionId: definition(name),
            policyDefinitionReferenceId: 'it',
            parameters: valued({ effect: "[parameters('effect')]", ...parameters }),
          },
        ],
      },
    });

  const bits = { minimumRSAKeySize: "[Parameters('BITS')]" };

  it.each<[string, PolicyInitiative, object, { readonly denied: string }[]]>([
    ['by its defaults', initiative(SIZE, bits), {}, [size(4096)]],
    ['by the assigned value', initiative(SIZE, bits), { bits: 3072 }, [size(3072)]],
    ['by values of its own', initiative(SIZE, { effect: 'Deny', minimumRSAKeySize: 2048 }), {}, [size(2048)]],
    ['nothing, by its default effect', initiative(SIZE, bits, { effect: 'Audit' }), {}, []],
    ['nothing, when Audit is assigned', initiative(SIZE, bits), { effect: 'Audit' }, []],
    ['nothing by an effect that it omits', initiative(SIZE, { ...bits, effect: undefined }), {}, []],
    [
      'nothing by an expression beyond a parameter',
      initiative(SIZE, { ...bits, effect: "[if(true, 'Deny', 'x')]" }),
      {},
      [],
    ],
    [
      'nothing by a list that contains an expression',
      initiative(TYPES, { allowedKeyTypes: ["[parameters('type')]"] }),
      { type: 'RSA' },
      [],
    ],
  ])('An initiative denies %s', (_, of, parameters, rules) => {
    expect(denied(assignment(id, parameters), of, VAULT)).toEqual(texts(rules));
  });

  it('An initiative for a Managed HSM denies nothing by a number that may differ from the default', () => {
    const of = (parameters: object) => denied(assignment(id), initiative(HSM_REMAINING, parameters), HSM);
    expect(of({ minimumDaysBeforeExpiration: '[add(1, 2)]' })).toEqual([]);
    expect(of({ minimumDaysBeforeExpiration: "[parameters('unknown')]" })).toEqual([]);
    expect(of({})).toEqual(texts([remaining(90)]));
  });

  it('An unreadable initiative yields no known denial', () => {
    expect(denied(assignment(id))).toEqual([]);
  });

  it.each<[string, string | undefined]>([
    [id, ''],
    [`${SUBSCRIPTION}${BUILT_IN}/policySetDefinitions/ours`, SUBSCRIPTION],
    [
      `/providers/Microsoft.Management/managementGroups/mg${BUILT_IN}/policySetDefinitions/ours`,
      '/providers/Microsoft.Management/managementGroups/mg',
    ],
    [definition(SIZE), undefined],
    [`@elsewhere.example${BUILT_IN}/policySetDefinitions/ours`, undefined],
    [`${BUILT_IN}/policySetDefinitions/ours?x=/`, undefined],
  ])('The id %s leads to the scope of its initiative, or to none', (name, scope) => {
    expect(getScopeOfInitiative(name)).toBe(scope);
  });
});

it.each<[boolean, string, object]>([
  [true, 'of the assignment', {}],
  [false, 'of another one', { policyAssignmentId: `${SUBSCRIPTION}/other` }],
  [true, 'that has not ended', { expiresOn: new Date(NOW.getTime() + 1).toISOString() }],
  [false, 'that has ended', { expiresOn: NOW.toISOString() }],
  [true, 'that ends at an unreadable time', { expiresOn: 'then' }],
  [true, 'of the member', { policyDefinitionReferenceIds: ['x', 'RSASIZE'] }],
  [false, 'of another member', { policyDefinitionReferenceIds: ['x'] }],
])('isExempt is %s by an exemption %s', (exempt, _, change) => {
  const denial = { assignment: assignment(definition(SIZE)), reference: 'rsaSize', rule: expiry() };
  const properties = { policyAssignmentId: denial.assignment.id.toUpperCase(), ...change };
  expect(isExempt(denial, [POLICY_EXEMPTION.parse({ properties })], NOW)).toBe(exempt);
  expect(isExempt(denial, [], NOW)).toBe(false);
});
