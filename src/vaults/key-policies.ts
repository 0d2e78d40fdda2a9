import { type KeyDemand, keyDemand } from './key-demands.ts';

// What Azure Policy denies of the keys of a vault, by what its assignments, initiatives and exemptions say. Where it is not
// certain that an assignment applies, nothing is said of it.

/** Values by the names of parameters, in lower case: Azure Policy compares names without regard to it. */
export type PolicyValues = Readonly<Record<string, unknown>>;

/** Narrows an assignment, an override or an exemption (Azure Policy, "Assignment structure"). */
export interface PolicySelector {
  /** `resourceLocation`, `policyDefinitionReferenceId` … */
  readonly kind: string;
  readonly in?: readonly string[] | null | undefined;
  readonly notIn?: readonly string[] | null | undefined;
}

export interface PolicyAssignment {
  readonly id: string;
  /** As people read it. */
  readonly name: string;
  /** Of a definition or of an initiative. */
  readonly definitionId: string;
  /** False: it says what it would do, and does nothing. */
  readonly enforced: boolean;
  readonly parameters: PolicyValues;
  /** ARM ids that are excluded. */
  readonly notScopes: readonly string[];
  /** It applies to resources that match one of these; empty: to all. */
  readonly resourceSelectors: readonly (readonly PolicySelector[])[];
  /** Effects that replace the definition's for resources that match all selectors. */
  readonly overrides: readonly { readonly effect: string; readonly selectors: readonly PolicySelector[] }[];
}

export interface PolicyInitiative {
  readonly defaults: PolicyValues;
  readonly members: readonly {
    readonly definitionId: string;
    readonly reference: string;
    /** Values, or `[parameters('…')]` of the initiative. */
    readonly parameters: PolicyValues;
  }[];
}

export interface PolicyExemption {
  readonly assignmentId: string;
  /** Members of the initiative that it is from; empty: all. */
  readonly references: readonly string[];
  readonly expiresOn: Date | undefined;
  readonly resourceSelectors: readonly (readonly PolicySelector[])[];
}

interface PolicedVault {
  readonly id: string;
  readonly kind: 'vault' | 'managedHsm';
  /** Undefined: not known. */
  readonly location: string | undefined;
}

/** Something that Azure Policy denies of each new key, or version of a key, in a vault. */
export interface KeyDenial {
  readonly assignment: Pick<PolicyAssignment, 'id' | 'name'>;
  /** Which member of an initiative denies it. */
  readonly reference: string | undefined;
  readonly demand: KeyDemand;
}

const INITIATIVE =
  /^(\/subscriptions\/[^/?#]+|\/providers\/Microsoft\.Management\/managementGroups\/[^/?#]+)?\/providers\/Microsoft\.Authorization\/policySetDefinitions\/([^/?#]+)$/i;
const MANAGEMENT_GROUP = '/providers/microsoft.management/';

/** Whether an assignment has to be looked into: it is enforced, and applies to the vault for certain. */
export function appliesTo(assignment: PolicyAssignment, vault: PolicedVault): boolean {
  const { enforced, notScopes, resourceSelectors } = assignment;
  // Which management groups a vault is in is not read: one that is left out may be among them.
  const leftOut = notScopes.some((one) => isWithin(vault.id, one) || one.toLowerCase().startsWith(MANAGEMENT_GROUP));
  return enforced && !leftOut && anyFulfilled(resourceSelectors, vault) === 'yes';
}

/** Where an initiative is defined, and its name there. */
export interface InitiativeName {
  /** A subscription or a management group; empty: it is built in. */
  readonly scope: string;
  readonly name: string;
}

/** The initiative that is assigned; undefined for a single definition. */
export function initiativeOf({ definitionId }: PolicyAssignment): InitiativeName | undefined {
  const [, scope = '', name] = INITIATIVE.exec(definitionId) ?? [];
  return name === undefined ? undefined : { scope, name };
}

/**
 * What an assignment that applies denies of keys.
 *
 * @param initiative absent: a single definition is assigned, or its initiative could not be read
 */
export function denialsOf(
  assignment: PolicyAssignment,
  initiative: PolicyInitiative | undefined,
  vault: PolicedVault,
): readonly KeyDenial[] {
  const { id, name, definitionId, parameters } = assignment;
  if (initiativeOf(assignment) === undefined) {
    const demand = keyDemand(definitionId, vault.kind, (of) => parameters[of]);
    return demand && isDenied(parameters.effect, undefined, assignment, vault)
      ? [{ assignment: { id, name }, reference: undefined, demand }]
      : [];
  }
  return (initiative?.members ?? []).flatMap((member) => {
    const { reference } = member;
    const value = (of: string): unknown => resolve(member.parameters[of], { ...initiative?.defaults, ...parameters });
    const demand = keyDemand(member.definitionId, vault.kind, value);
    return demand && isDenied(value('effect'), reference, assignment, vault)
      ? [{ assignment: { id, name }, reference, demand }]
      : [];
  });
}

/** Whether an exemption takes a denial away. In doubt it does. */
export function isExempt(
  { assignment, reference }: KeyDenial,
  exemptions: readonly PolicyExemption[],
  vault: PolicedVault,
  now: Date,
): boolean {
  return exemptions.some(
    ({ assignmentId, references, expiresOn, resourceSelectors }) =>
      same(assignmentId, assignment.id) &&
      (references.length === 0 || references.some((one) => same(one, reference ?? ''))) &&
      !(expiresOn && expiresOn <= now) &&
      anyFulfilled(resourceSelectors, vault) !== 'no',
  );
}

/** Whether the effect is `Deny`, whichever of the overrides may count. Each of the definitions has `Audit` by default. */
function isDenied(
  effect: unknown,
  reference: string | undefined,
  { overrides }: PolicyAssignment,
  vault: PolicedVault,
): boolean {
  const isDeny = (one: unknown): boolean => typeof one === 'string' && same(one, 'deny');
  const counted = overrides.map((one) => ({ ...one, counts: allFulfilled(one.selectors, vault, reference) }));
  const overridden = counted.some(({ counts }) => counts === 'yes');
  return (overridden || isDeny(effect)) && counted.every((one) => one.counts === 'no' || isDeny(one.effect));
}

type Fulfilled = 'yes' | 'no' | 'unknown';

/** What fulfils one of several sets of selectors is selected (Azure Policy, "Assignment structure"). */
function anyFulfilled(sets: readonly (readonly PolicySelector[])[], vault: PolicedVault): Fulfilled {
  const found = sets.map((selectors) => allFulfilled(selectors, vault, undefined));
  if (found.length === 0 || found.includes('yes')) return 'yes';
  return found.includes('unknown') ? 'unknown' : 'no';
}

function allFulfilled(selectors: readonly PolicySelector[], vault: PolicedVault, reference?: string): Fulfilled {
  const found = selectors.map((selector) => fulfilled(selector, vault, reference));
  if (found.includes('no')) return 'no';
  return found.includes('unknown') ? 'unknown' : 'yes';
}

/** Which resource type a key of a vault counts as is not documented: that kind of selector is not known to be fulfilled. */
function fulfilled(selector: PolicySelector, { location }: PolicedVault, reference: string | undefined): Fulfilled {
  const value = same(selector.kind, 'resourceLocation')
    ? location
    : same(selector.kind, 'policyDefinitionReferenceId')
      ? reference
      : undefined;
  if (value === undefined) return 'unknown';
  const has = (list: readonly string[]): boolean => list.some((one) => same(compact(one), compact(value)));
  return (selector.in ? has(selector.in) : !has(selector.notIn ?? [])) ? 'yes' : 'no';
}

/** A region is written `West Europe` as well as `westeurope`. */
function compact(text: string): string {
  return text.replaceAll(' ', '');
}

/** The value of a member's parameter; null for an expression that is more than one known parameter of the initiative. */
function resolve(value: unknown, values: PolicyValues): unknown {
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
