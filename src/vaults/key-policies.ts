import { z } from 'zod';
import type { KeyKind } from '../keys/key-client.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

// Determines what Azure Policy denies for the keys of a vault from assignments, initiatives and exemptions. Ignores an
// assignment if it may not apply, as with resource selectors or overrides.

/** Values by parameter name in lower case: Azure Policy ignores the letter case of names. */
type Values = Readonly<Record<string, unknown>>;

/** Schema of named parameters. `field`: the field that has a parameter's value. */
const valuesIn = (field: 'value' | 'defaultValue') =>
  z
    .record(z.string(), z.looseObject({}))
    .nullish()
    .transform((given): Values => {
      return Object.fromEntries(Object.entries(given ?? {}).map(([name, of]) => [name.toLowerCase(), of[field]]));
    });

/** Azure Policy, "Policy Assignments - List For Resource". */
export const POLICY_ASSIGNMENT = z.object({
  id: z.string(),
  name: z.string(),
  properties: z.object({
    displayName: z.string().nullish(),
    policyDefinitionId: z.string(),
    enforcementMode: z.string().nullish(),
    notScopes: z.array(z.string()).nullish(),
    parameters: valuesIn('value'),
    resourceSelectors: z.array(z.unknown()).nullish(),
    overrides: z.array(z.unknown()).nullish(),
  }),
});
export type PolicyAssignment = z.output<typeof POLICY_ASSIGNMENT>;

/** Azure Policy, "Policy Set Definitions - Get". Parameters of members may refer to parameters of the initiative. */
export const POLICY_INITIATIVE = z.object({
  properties: z.object({
    parameters: valuesIn('defaultValue'),
    policyDefinitions: z.array(
      z.object({
        policyDefinitionId: z.string(),
        policyDefinitionReferenceId: z.string().nullish(),
        parameters: valuesIn('value'),
      }),
    ),
  }),
});
export type PolicyInitiative = z.output<typeof POLICY_INITIATIVE>;

/** Azure Policy, "Policy Exemptions - List For Resource". */
export const POLICY_EXEMPTION = z.object({
  properties: z.object({
    policyAssignmentId: z.string(),
    /** Exempted members of an initiative; empty: all members. */
    policyDefinitionReferenceIds: z.array(z.string()).nullish(),
    expiresOn: z.string().nullish(),
  }),
});
export type PolicyExemption = z.output<typeof POLICY_EXEMPTION>;

/** What a policy denies: by the lifetime or by the material of a version. */
export interface KeyRule {
  /** The denied keys. */
  readonly denied: string;
  /** Denies versions that expire within these days after their creation. */
  readonly within?: number;
  /** Denies versions that live for more days, and versions that never expire. */
  readonly beyond?: number;
  readonly deniesMaterial?: (kind: KeyKind) => boolean;
}

export const KEY_RULES = {
  // Allows every lifetime, as long as the version expires.
  expiry: (): KeyRule => ({ denied: 'keys without an expiry', beyond: Number.MAX_VALUE }),
  remaining: (days: number): KeyRule => {
    return { denied: `keys that expire within ${days} days (minimumDaysBeforeExpiration)`, within: days };
  },
  validity: (days: number): KeyRule => {
    return { denied: `keys that are valid for more than ${days} days (maximumValidityInDays)`, beyond: days };
  },
  size: (bits: number): KeyRule => ({
    denied: `RSA keys of fewer than ${bits} bits (minimumRSAKeySize)`,
    deniesMaterial: ({ type, size }) => /^RSA(-HSM)?$/i.test(type) && size !== undefined && size < bits,
  }),
  types: (allowed: readonly string[]): KeyRule => ({
    denied: `keys of types other than ${allowed.join(', ')} (allowedKeyTypes)`,
    deniesMaterial: ({ type }) => !allowed.some((one) => one.toLowerCase() === type.toLowerCase()),
  }),
  hardware: (): KeyRule => ({
    denied: 'keys without hardware protection',
    deniesMaterial: ({ type }) => !/^(RSA|EC)-HSM$/i.test(type),
  }),
};

const days = z.number();
// A value with a leading bracket is an expression.
const keyTypes = z.array(z.string().regex(/^[^[]/));

/** Reads the rule of a definition with these parameters; undefined if its parameter is omitted or invalid. */
type ReadRule = (values: Values) => KeyRule | undefined;

function ruleBy<T>(parameter: string, type: z.ZodType<T>, rule: (value: T) => KeyRule): ReadRule {
  return (values) => {
    const { data } = type.safeParse(values[parameter]);
    return data === undefined ? undefined : rule(data);
  };
}

/**
 * Built-in definitions that may deny a new version, by name (github.com/Azure/azure-policy, built-in-policies, "Key
 * Vault", of April 2026). Definitions about curves are omitted, because Storage supports only RSA keys. "Keys should
 * not be active for longer than the specified number of days" (c26e4b24) never denies a new version. The definition
 * about rotation policies (d8cf8476) only audits. Omitted parameters permit every such key, except where a default is
 * given here.
 */
const DEFINITIONS: Readonly<Record<ManagedVault['kind'], Readonly<Record<string, ReadRule>>>> = {
  vault: {
    '152b15f7-8e1f-4c1f-ab71-8c010ba5dbc0': KEY_RULES.expiry,
    '5ff38825-c5d8-47c5-b70e-069a21955146': ruleBy('minimumdaysbeforeexpiration', days, KEY_RULES.remaining),
    '49a22571-d204-4c91-a7b6-09b1a586fbc9': ruleBy('maximumvalidityindays', days, KEY_RULES.validity),
    '82067dbb-e53b-4e06-b631-546d197452d9': ruleBy('minimumrsakeysize', z.number(), KEY_RULES.size),
    '75c4f823-d65c-4f29-a733-01d0077fdbcb': ruleBy('allowedkeytypes', keyTypes, KEY_RULES.types),
    '587c79fe-dd04-4a5e-9d0b-f89598c7261b': KEY_RULES.hardware,
  },
  managedHsm: {
    '1d478a74-21ba-4b9f-9d8f-8e6fced0eec5': KEY_RULES.expiry,
    'ad27588c-0198-4c84-81ef-08efd0274653': ruleBy(
      'minimumdaysbeforeexpiration',
      // The definition's own default. Null, an expression with an unknown value, yields no rule.
      days.default(90),
      KEY_RULES.remaining,
    ),
    '86810a98-8e91-4a44-8386-ec66d0de5d57': ruleBy('minimumrsakeysize', z.number(), KEY_RULES.size),
    '1fd3b2cc-9904-40fa-b8da-050c02612da9': ruleBy('allowedkeytypes', keyTypes, KEY_RULES.types),
  },
};

type PolicedVault = Pick<ManagedVault, 'id' | 'kind'>;

/** A rule of Azure Policy that denies new keys or key versions in a vault. */
export interface KeyDenial {
  readonly assignment: Pick<PolicyAssignment, 'id' | 'name'>;
  /** The denying member of an initiative. */
  readonly reference: string | undefined;
  readonly rule: KeyRule;
}

const DEFINITION = /^\/providers\/Microsoft\.Authorization\/policyDefinitions\/([^/]+)$/i;
const INITIATIVE =
  /^(\/subscriptions\/[^/?#]+|\/providers\/Microsoft\.Management\/managementGroups\/[^/?#]+)?\/providers\/Microsoft\.Authorization\/policySetDefinitions\/([^/?#]+)$/i;
const MANAGEMENT_GROUP = '/providers/microsoft.management/';

/** Whether an assignment is enforced and certainly applies to the vault. */
export function isAppliedTo({ properties }: PolicyAssignment, vault: PolicedVault): boolean {
  const { enforcementMode, notScopes, resourceSelectors, overrides } = properties;
  // The app does not read management groups, so an excluded group may contain the vault.
  const leftOut = (notScopes ?? []).some(
    (one) => isWithin(vault.id, one) || one.toLowerCase().startsWith(MANAGEMENT_GROUP),
  );
  const narrowed = (resourceSelectors ?? []).length + (overrides ?? []).length > 0;
  return same(enforcementMode ?? 'Default', 'default') && !narrowed && !leftOut;
}

/**
 * The scope of the assigned initiative: a subscription or a management group; empty for a built-in initiative.
 * Undefined if a single definition is assigned.
 */
export function getScopeOfInitiative(id: string): string | undefined {
  const [, scope = '', name] = INITIATIVE.exec(id) ?? [];
  return name === undefined ? undefined : scope;
}

/**
 * The denials of an assignment that applies.
 *
 * @param initiative absent if the assignment names a single definition, or if the initiative could not be read
 */
export function listDenials(
  { id, name, properties: { displayName, policyDefinitionId, parameters } }: PolicyAssignment,
  initiative: PolicyInitiative | undefined,
  { kind }: PolicedVault,
): readonly KeyDenial[] {
  const assignment = { id, name: displayName || name };
  const denialOf = (definition: string, reference: string | undefined, values: Values): KeyDenial[] => {
    const [, definitionName = ''] = DEFINITION.exec(definition) ?? [];
    const rule = DEFINITIONS[kind][definitionName.toLowerCase()]?.(values);
    // The definitions default to `Audit`.
    return rule && same(String(values.effect), 'deny') ? [{ assignment, reference, rule }] : [];
  };
  if (getScopeOfInitiative(policyDefinitionId) === undefined) {
    return denialOf(policyDefinitionId, undefined, parameters);
  }

  const { parameters: defaults, policyDefinitions: members = [] } = initiative?.properties ?? {};
  const given = { ...defaults, ...parameters };

  return members.flatMap((member) => {
    const values = Object.entries(member.parameters).map(([one, value]) => [one, resolve(value, given)]);
    return denialOf(
      member.policyDefinitionId,
      member.policyDefinitionReferenceId ?? '',
      Object.fromEntries(values) as Values,
    );
  });
}

/** Whether an exemption covers a denial. Resource selectors count as covering, because they may select this vault. */
export function isExempt(
  { assignment, reference = '' }: KeyDenial,
  exemptions: readonly PolicyExemption[],
  now: Date,
): boolean {
  return exemptions.some(({ properties: { policyAssignmentId, policyDefinitionReferenceIds, expiresOn } }) => {
    const references = policyDefinitionReferenceIds ?? [];
    const covers = references.length === 0 || references.some((one) => same(one, reference));
    return same(policyAssignmentId, assignment.id) && covers && !(expiresOn && new Date(expiresOn) <= now);
  });
}

/** The value of a member's parameter. Null for any expression other than a single known parameter of the initiative. */
function resolve(value: unknown, values: Values): unknown {
  if (typeof value !== 'string' || !value.startsWith('[')) return value;
  const [, name] = /^\[parameters\('([^']+)'\)\]$/i.exec(value) ?? [];
  return (name === undefined ? undefined : values[name.toLowerCase()]) ?? null;
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function isWithin(id: string, scope: string): boolean {
  return `${id}/`.toLowerCase().startsWith(`${scope.replace(/\/$/, '')}/`.toLowerCase());
}
