import type { ManagedVault } from '../keys/managed-vaults.ts';
import { type KeyDemand, keyDemand } from './key-demands.ts';

// What Azure Policy denies of the keys of a vault, by what its assignments, initiatives and exemptions say. Where it is not
// certain that an assignment applies, nothing is said of it. An assignment with resource selectors or overrides is not certain.

/** Values by the names of parameters, in lower case: Azure Policy compares names without regard to it. */
export type PolicyValues = Readonly<Record<string, unknown>>;

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
  /** It has resource selectors or overrides of its effect. */
  readonly narrowed: boolean;
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
}

type PolicedVault = Pick<ManagedVault, 'id' | 'kind'>;

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
export function appliesTo({ enforced, notScopes, narrowed }: PolicyAssignment, vault: PolicedVault): boolean {
  // Which management groups a vault is in is not read: one that is left out may be among them.
  const leftOut = notScopes.some((one) => isWithin(vault.id, one) || one.toLowerCase().startsWith(MANAGEMENT_GROUP));
  return enforced && !narrowed && !leftOut;
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
    return demand && isDeny(parameters.effect) ? [{ assignment: { id, name }, reference: undefined, demand }] : [];
  }
  return (initiative?.members ?? []).flatMap((member) => {
    const { reference } = member;
    const value = (of: string): unknown => resolve(member.parameters[of], { ...initiative?.defaults, ...parameters });
    const demand = keyDemand(member.definitionId, vault.kind, value);
    return demand && isDeny(value('effect')) ? [{ assignment: { id, name }, reference, demand }] : [];
  });
}

/** Whether an exemption takes a denial away. One with resource selectors does too: it may be of this vault. */
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

/** Each of the definitions has `Audit` by default. */
function isDeny(effect: unknown): boolean {
  return typeof effect === 'string' && same(effect, 'deny');
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
