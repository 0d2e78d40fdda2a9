import { describe, expect, it } from 'vitest';
import {
  appliesTo,
  denialsOf,
  initiativeOf,
  isExempt,
  type PolicyAssignment,
  type PolicyExemption,
  type PolicyInitiative,
} from '../../src/vaults/key-policies.ts';

const SUBSCRIPTION = '/subscriptions/11111111-1111-1111-1111-111111111111';
const GROUP = `${SUBSCRIPTION}/resourceGroups/rg-keys`;
const VAULT = {
  id: `${GROUP}/providers/Microsoft.KeyVault/vaults/kv-files`,
  kind: 'vault',
} as const;
const BUILT_IN = '/providers/Microsoft.Authorization';
const SIZE = `${BUILT_IN}/policyDefinitions/82067dbb-e53b-4e06-b631-546d197452d9`;
const NOW = new Date('2026-06-01T12:00:00Z');

const assignment = (change: Partial<PolicyAssignment> = {}): PolicyAssignment => ({
  id: `${SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/rsa`,
  name: 'RSA 3072',
  definitionId: SIZE,
  enforced: true,
  parameters: { effect: 'Deny', minimumrsakeysize: 3072 },
  notScopes: [],
  narrowed: false,
  ...change,
});
const demands = (change: Partial<PolicyAssignment>, initiative?: PolicyInitiative, vault: object = {}) =>
  denialsOf(assignment(change), initiative, { ...VAULT, ...vault }).map(({ demand }) => demand);

describe('an assignment applies', () => {
  it.each<[boolean, string, Partial<PolicyAssignment>]>([
    [true, 'as it is', {}],
    [false, 'not when it is not enforced', { enforced: false }],
    [false, 'not to a group that it leaves out', { notScopes: [GROUP.toUpperCase()] }],
    [true, 'to a group whose name only begins as that which it leaves out', { notScopes: [GROUP.slice(0, -1)] }],
    [
      false,
      'not for certain, where it leaves out a management group',
      { notScopes: ['/providers/Microsoft.Management/managementGroups/mg-files'] },
    ],
    [false, 'not for certain, with selectors or overrides', { narrowed: true }],
  ])('%s: %s', (applies, _, change) => {
    expect(appliesTo(assignment(change), VAULT)).toBe(applies);
  });
});

describe('a definition denies', () => {
  const definition = (name: string, parameters: object = {}, effect: unknown = 'deny') => ({
    definitionId: `${BUILT_IN}/policyDefinitions/${name}`,
    parameters: { effect, ...parameters },
  });

  it.each<[string, Partial<PolicyAssignment>, object]>([
    ['no expiry', definition('152B15F7-8e1f-4c1f-ab71-8c010ba5dbc0'), { kind: 'expiry' }],
    [
      'an early expiry',
      definition('5ff38825-c5d8-47c5-b70e-069a21955146', { minimumdaysbeforeexpiration: 90 }),
      { kind: 'remaining', days: 90 },
    ],
    [
      'a late expiry',
      definition('49a22571-d204-4c91-a7b6-09b1a586fbc9', { maximumvalidityindays: 365 }),
      { kind: 'validity', days: 365 },
    ],
    ['a small key', {}, { kind: 'size', bits: 3072 }],
    [
      'a type',
      definition('75c4f823-d65c-4f29-a733-01d0077fdbcb', { allowedkeytypes: ['RSA-HSM'] }),
      { kind: 'types', allowed: ['RSA-HSM'] },
    ],
    ['keys in software', definition('587c79fe-dd04-4a5e-9d0b-f89598c7261b'), { kind: 'hardware' }],
  ])('%s', (_, change, demand) => {
    expect(demands(change)).toEqual([demand]);
  });

  it.each<[string, Partial<PolicyAssignment>]>([
    ['with the default effect, Audit', { parameters: { minimumrsakeysize: 3072 } }],
    ['when disabled', { parameters: { effect: 'Disabled', minimumrsakeysize: 3072 } }],
    ['without its parameter', { parameters: { effect: 'Deny' } }],
    ['with one that is no number', { parameters: { effect: 'Deny', minimumrsakeysize: '3072' } }],
    ['without its days', definition('49a22571-d204-4c91-a7b6-09b1a586fbc9')],
    ['with types left as they are', definition('75c4f823-d65c-4f29-a733-01d0077fdbcb')],
    ['with types that are no list', definition('75c4f823-d65c-4f29-a733-01d0077fdbcb', { allowedkeytypes: [1] })],
    ['that limits how long keys are active', definition('c26e4b24-cf98-4c67-b48b-5a25c4c69eb9')],
    ['of a Managed HSM', definition('1d478a74-21ba-4b9f-9d8f-8e6fced0eec5')],
    ["of one's own", { definitionId: `${SUBSCRIPTION}${SIZE}` }],
  ])('nothing %s', (_, change) => {
    expect(demands(change)).toEqual([]);
  });

  it('keys of a Managed HSM by definitions of its own', () => {
    const hsm = { kind: 'managedHsm' };
    expect(demands(definition('1d478a74-21ba-4b9f-9d8f-8e6fced0eec5'), undefined, hsm)).toEqual([{ kind: 'expiry' }]);
    // The parameter has a default there.
    const remaining = definition('ad27588c-0198-4c84-81ef-08efd0274653');
    expect(demands(remaining, undefined, hsm)).toEqual([{ kind: 'remaining', days: 90 }]);
    expect(demands({}, undefined, hsm)).toEqual([]);
  });
});

describe('an initiative', () => {
  const definitionId = `${BUILT_IN}/policySetDefinitions/7a00a7fc-fdf4-4ad8-8fa2-a94acc223e8e`;
  const initiative = (parameters: object, defaults: object = {}): PolicyInitiative => ({
    defaults: { effect: 'Deny', bits: 4096, ...defaults },
    members: [
      { definitionId: `${BUILT_IN}/policyDefinitions/other`, reference: 'other', parameters: { effect: 'Deny' } },
      { definitionId: SIZE, reference: 'rsaSize', parameters: { ...parameters } },
    ],
  });
  const usual = { effect: "[parameters('effect')]", minimumrsakeysize: "[Parameters('BITS')]" };

  it.each<[string, PolicyInitiative, Partial<PolicyAssignment>, object[]]>([
    ['by its defaults', initiative(usual), { parameters: {} }, [{ kind: 'size', bits: 4096 }]],
    ['by what is assigned', initiative(usual), { parameters: { bits: 3072 } }, [{ kind: 'size', bits: 3072 }]],
    [
      'by values of its own',
      initiative({ effect: 'Deny', minimumrsakeysize: 2048 }),
      {},
      [{ kind: 'size', bits: 2048 }],
    ],
    ['nothing, by its default effect', initiative(usual, { effect: 'Audit' }), { parameters: {} }, []],
    ['nothing, when Audit is assigned', initiative(usual), { parameters: { effect: 'Audit' } }, []],
    ['nothing by an effect that it leaves out', initiative({ minimumrsakeysize: 4096 }), {}, []],
    ['nothing by what is more than a parameter', initiative({ ...usual, effect: "[if(true, 'Deny', 'x')]" }), {}, []],
    [
      'nothing by a list with an expression in it',
      {
        defaults: {},
        members: [
          {
            definitionId: `${BUILT_IN}/policyDefinitions/75c4f823-d65c-4f29-a733-01d0077fdbcb`,
            reference: 'types',
            parameters: { effect: 'Deny', allowedkeytypes: ["[parameters('type')]"] },
          },
        ],
      },
      { parameters: { type: 'RSA' } },
      [],
    ],
  ])('denies %s', (_, of, change, expected) => {
    expect(demands({ definitionId, ...change }, of)).toEqual(expected);
  });

  it('of a Managed HSM denies nothing by what may be another number than the default', () => {
    const days = (value: unknown): PolicyInitiative => ({
      defaults: {},
      members: [
        {
          definitionId: `${BUILT_IN}/policyDefinitions/ad27588c-0198-4c84-81ef-08efd0274653`,
          reference: 'days',
          parameters: { effect: 'Deny', ...(value === undefined ? {} : { minimumdaysbeforeexpiration: value }) },
        },
      ],
    });
    const hsm = { kind: 'managedHsm' };
    expect(demands({ definitionId }, days('[add(1, 2)]'), hsm)).toEqual([]);
    expect(demands({ definitionId }, days("[parameters('unknown')]"), hsm)).toEqual([]);
    expect(demands({ definitionId }, days(undefined), hsm)).toEqual([{ kind: 'remaining', days: 90 }]);
  });

  it('denies nothing that is known where it could not be read', () => {
    expect(demands({ definitionId })).toEqual([]);
  });

  it.each<[string, object | undefined]>([
    [definitionId, { scope: '', name: '7a00a7fc-fdf4-4ad8-8fa2-a94acc223e8e' }],
    [`${SUBSCRIPTION}${BUILT_IN}/policySetDefinitions/ours`, { scope: SUBSCRIPTION, name: 'ours' }],
    [
      `/providers/Microsoft.Management/managementGroups/mg${BUILT_IN}/policySetDefinitions/ours`,
      { scope: '/providers/Microsoft.Management/managementGroups/mg', name: 'ours' },
    ],
    [SIZE, undefined],
    [`@elsewhere.example${BUILT_IN}/policySetDefinitions/ours`, undefined],
    [`${BUILT_IN}/policySetDefinitions/ours?x=/`, undefined],
  ])('is named by %s', (id, named) => {
    expect(initiativeOf(assignment({ definitionId: id }))).toEqual(named);
  });
});

describe('an exemption', () => {
  const exemption = (change: Partial<PolicyExemption> = {}): PolicyExemption => ({
    assignmentId: assignment().id.toUpperCase(),
    references: [],
    expiresOn: undefined,
    ...change,
  });

  it.each<[boolean, string, Partial<PolicyExemption>]>([
    [true, 'of the assignment', {}],
    [false, 'of another one', { assignmentId: `${SUBSCRIPTION}/other` }],
    [true, 'that is not over yet', { expiresOn: new Date(NOW.getTime() + 1) }],
    [false, 'that is over', { expiresOn: NOW }],
    [true, 'that ends nobody knows when', { expiresOn: new Date(Number.NaN) }],
    [true, 'of the member', { references: ['x', 'RSASIZE'] }],
    [false, 'of another member', { references: ['x'] }],
  ])('takes it away, %s: %s', (exempt, _, change) => {
    const denial = { assignment: assignment(), reference: 'rsaSize', demand: { kind: 'expiry' } } as const;
    expect(isExempt(denial, [exemption(change)], NOW)).toBe(exempt);
  });

  it('there is none', () => {
    const denial = { assignment: assignment(), reference: undefined, demand: { kind: 'expiry' } } as const;
    expect(isExempt(denial, [], NOW)).toBe(false);
    expect(isExempt(denial, [exemption({ references: ['x'] })], NOW)).toBe(false);
  });
});
