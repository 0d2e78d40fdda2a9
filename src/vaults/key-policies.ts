import type { ManagedVault } from '../keys/managed-vaults.ts';
import { type KeyDemand, keyDemand } from './key-demands.ts';

// Determines what Azure Policy denies for the keys of a vault from assignments, initiatives and exemptions. Ignores an
// assignment if it may not apply, as with resource selectors or overrides.

/** Parameter values by lower-case name: Azure Policy ignores the letter case of names. */
export type PolicyValues = Readonly<Record<string, unknown>>;

export interface PolicyAssignment {
  readonly id: string;
  /** Display name. */
  readonly name: string;
  /** Id of a definition or an initiative. */
  readonly definitionId: string;
  /** False: the assignment only audits. */
  readonly enforced: boolean;
  readonly parameters: PolicyValues;
  /** ARM ids of excluded scopes. */
  readonly notScopes: readonly string[];
  /** Whether the assignment has resource selectors or overrides. */
  readonly narrowed: boolean;
}

export interface PolicyInitiative {
  readonly defaults: PolicyValues;
  readonly members: readonly {
    readonly definitionId: string;
    readonly reference: string;
    /** Values, or `[parameters('…')]` references to the initiative's parameters. */
    readonly parameters: PolicyValues;
  }[];
}

export interface PolicyExemption {
  readonly assignmentId: string;
  /** Exempted members of the initiative; empty: all members. */
  readonly references: readonly string[];
  readonly expiresOn: Date | undefined;
}

type PolicedVault = Pick<ManagedVault, 'id' | 'kind'>;

/** A demand of Azure Policy that denies new keys or key versions in a vault. */
export interface KeyDenial {
  readonly assignment: Pick<PolicyAssignment, 'id' | 'name'>;
  /** The denying member of an initiative. */
  readonly reference: string | undefined;
  readonly demand: KeyDemand;
}

const INITIATIVE =
  /^(\/subscriptions\/[^/?#]+|\/providers\/Microsoft\.Management\/managementGroups\/[^/?#]+)?\/providers\/Microsoft\.Authorization\/policySetDefinitions\/([^/?#]+)$/i;
const MANAGEMENT_GROUP = '/providers/microsoft.management/';

/** Whether an assignment is enforced and certainly applies to the vault. */
export function appliesTo({ enforced, notScopes, narrowed }: PolicyAssignment, vault: PolicedVault): boolean {
  // The app does not read management groups, so an excluded group may contain the vault.
  const leftOut = notScopes.some((one) => isWithin(vault.id, one) || one.toLowerCase().startsWith(MANAGEMENT_GROUP));
  return enforced && !narrowed && !leftOut;
}

/** Scope and name of an initiative. */
export interface InitiativeName {
  /** A subscription or a management group; empty for a built-in initiative. */
  readonly scope: string;
  readonly name: string;
}

/** The assigned initiative; undefined if a single definition is assigned. */
export function initiativeOf({ definitionId }: PolicyAssignment): InitiativeName | undefined {
  const [, scope = '', name] = INITIATIVE.exec(definitionId) ?? [];
  return name === undefined ? undefined : { scope, name };
}

/**
 * The denials of an assignment that applies.
 *
 * @param initiative absent if the assignment names a single definition, or if the initiative could not be read
 */
export function denialsOf(
  assignment: PolicyAssignment,
  initiative: PolicyInitiative | undefined,
  vault: PolicedVault,
): readonly KeyDenial[] {
  const { id, name, definitionId, parameters } = assignment;
  if (initiativeOf(assignment) === undefined) {
    const demand = keyDemand(definitionId, vault.kind, (of) => parameters[of]);
    return demand && isDeny(parameters.effect) ? [{ assignment: { id, name }, reference: undefined, demand }] : [];
  }
  return (initiative?.members ?? []).flatMap((member) => {
    const { reference } = member;
    const value = (of: string): unknown => resolve(member.parameters[of], { ...initiative?.defaults, ...parameters });
    const demand = keyDemand(member.definitionId, vault.kind, value);
    return demand && isDeny(value('effect')) ? [{ assignment: { id, name }, reference, demand }] : [];
  });
}

/** Whether an exemption covers a denial. Resource selectors count as covering, because they may select this vault. */
export function isExempt(
  { assignment, reference }: KeyDenial,
  exemptions: readonly PolicyExemption[],
  now: Date,
): boolean {
  return exemptions.some(
    ({ assignmentId, references, expiresOn }) =>
      same(assignmentId, assignment.id) &&
      (references.length === 0 || references.some((one) => same(one, reference ?? ''))) &&
      !(expiresOn && expiresOn <= now),
  );
}

/** The definitions default to `Audit`. */
function isDeny(effect: unknown): boolean {
  return typeof effect === 'string' && same(effect, 'deny');
}

/** The value of a member's parameter. Null for any expression other than a single known parameter of the initiative. */
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
