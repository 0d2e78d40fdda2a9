import { asArray, asObject, asString, type JsonObject } from '../json.ts';
import { scopeCovers } from '../roles.ts';
import type { ExtensionResource, World } from '../world.ts';
import { ArmError, badRequest } from './errors.ts';

const ASSIGNMENTS = 'Microsoft.Authorization/policyAssignments';
const EXEMPTIONS = 'Microsoft.Authorization/policyExemptions';
const ALIAS = 'microsoft.storage/storageaccounts/';

/** One condition of a rule, as Azure Policy reports that it evaluated it. */
interface EvaluatedExpression {
  readonly result: 'True' | 'False';
  readonly expressionKind: 'Field';
  readonly expression: string;
  readonly path: string;
  readonly expressionValue: unknown;
  readonly targetValue: unknown;
  readonly operator: string;
}

/** A definition that a resource does not comply with, through an assignment. */
export interface Violation {
  readonly assignment: ExtensionResource;
  readonly definition: ExtensionResource;
  /** The initiative and its member; absent if a single definition is assigned. */
  readonly initiative?: { readonly id: string; readonly reference: string };
  /** As written: `Deny`, `deny`, `Audit`. */
  readonly effect: string;
  readonly isEnforced: boolean;
  readonly isExempt: boolean;
  readonly evaluated: readonly EvaluatedExpression[];
}

/**
 * What a storage account, as Azure Resource Manager shows it, violates of the definitions that were written here. Knows
 * `allOf`, `anyOf`, `not`, and fields with `equals`, `notEquals`, `exists`, `in` and `notIn`.
 *
 * @param isSeen whether an assignment counts; absent: each does
 */
export function findViolations(
  world: World,
  resource: JsonObject,
  isSeen: (assignment: ExtensionResource) => boolean = () => true,
): Violation[] {
  const id = asString(resource.id) ?? '';
  const extensions = [...world.extensions.values()];
  const assignments = extensions.filter((one) => one.type === ASSIGNMENTS && appliesTo(one, id) && isSeen(one));

  return assignments.flatMap((assignment) =>
    membersOf(world, assignment).flatMap(({ definition, initiative, given }): Violation[] => {
      const rule = asObject(definition.properties.policyRule) ?? {};
      const values = { ...valuesIn(definition.properties.parameters, 'defaultValue'), ...given };
      const evaluated: EvaluatedExpression[] = [];
      if (!matches(asObject(rule.if) ?? {}, resource, values, evaluated)) return [];

      return [
        {
          assignment,
          definition,
          ...(initiative ? { initiative } : {}),
          effect: String(resolve(asObject(rule.then)?.effect, values)),
          isEnforced: !same(assignment.properties.enforcementMode ?? 'Default', 'DoNotEnforce'),
          isExempt: isExempt(world, extensions, assignment, initiative?.reference, id),
          evaluated,
        },
      ];
    }),
  );
}

/** Throws Azure Resource Manager's answer to a write that a policy denies. */
export function refuseDenied(world: World, resource: JsonObject): void {
  const denied = findViolations(world, resource).filter(
    ({ effect, isEnforced, isExempt: exempt }) => same(effect, 'deny') && isEnforced && !exempt,
  );
  if (denied.length > 0) throw new PolicyError(String(resource.name), denied);
}

class PolicyError extends ArmError {
  readonly #target: string;
  readonly #denied: readonly Violation[];

  constructor(target: string, denied: readonly Violation[]) {
    const identifiers = denied.map(({ assignment, definition }) => ({
      policyAssignment: { name: displayNameOf(assignment), id: assignment.id },
      policyDefinition: { name: displayNameOf(definition), id: definition.id },
    }));
    super(
      403,
      'RequestDisallowedByPolicy',
      `Resource '${target}' was disallowed by policy. Policy identifiers: '${JSON.stringify(identifiers)}'.`,
    );
    this.#target = target;
    this.#denied = denied;
  }

  override toResponse(): Response {
    const additionalInfo = this.#denied.map(({ assignment, definition, evaluated, effect }) => ({
      type: 'PolicyViolation',
      info: {
        policyDefinitionDisplayName: displayNameOf(definition),
        policyDefinitionId: definition.id,
        policyDefinitionName: lastName(definition.id),
        policyDefinitionEffect: effect,
        policyAssignmentId: assignment.id,
        policyAssignmentName: lastName(assignment.id),
        policyAssignmentDisplayName: displayNameOf(assignment),
        policyAssignmentScope: assignment.scope,
        evaluationDetails: { evaluatedExpressions: evaluated },
      },
    }));
    const error = { code: this.code, target: this.#target, message: this.message, additionalInfo };
    return Response.json({ error }, { status: this.status });
  }
}

function displayNameOf({ id, properties }: ExtensionResource): string {
  return asString(properties.displayName) ?? lastName(id);
}

export function lastName(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1);
}

function appliesTo({ scope, properties }: ExtensionResource, id: string): boolean {
  const left = asArray(properties.notScopes) ?? [];
  return scopeCovers(scope, id) && !left.some((one) => scopeCovers(String(one), id));
}

function isExempt(
  { clock }: World,
  extensions: readonly ExtensionResource[],
  assignment: ExtensionResource,
  reference: string | undefined,
  id: string,
): boolean {
  return extensions.some(({ type, scope, properties }) => {
    if (type !== EXEMPTIONS || !scopeCovers(scope, id)) return false;

    const ends = asString(properties.expiresOn);
    const members = asArray(properties.policyDefinitionReferenceIds) ?? [];
    const covers = members.length === 0 || members.some((one) => same(one, reference));
    const isOver = ends !== undefined && Date.parse(ends) <= clock.nowMs();

    return same(properties.policyAssignmentId, assignment.id) && covers && !isOver;
  });
}

interface Member {
  readonly definition: ExtensionResource;
  readonly initiative?: { readonly id: string; readonly reference: string };
  readonly given: JsonObject;
}

/** The assigned definition, or those of the assigned initiative, with their parameters. */
function membersOf({ extensions }: World, { properties }: ExtensionResource): Member[] {
  const assigned = extensions.get(String(properties.policyDefinitionId).toLowerCase());
  const given = valuesIn(properties.parameters, 'value');
  if (!assigned) return [];

  const members = asArray(assigned.properties.policyDefinitions);
  if (!members) return [{ definition: assigned, given }];

  const values = { ...valuesIn(assigned.properties.parameters, 'defaultValue'), ...given };

  return members.flatMap((one): Member[] => {
    const member = asObject(one) ?? {};
    const definition = extensions.get(String(member.policyDefinitionId).toLowerCase());
    if (!definition) return [];

    const passed = Object.entries(valuesIn(member.parameters, 'value'));
    const initiative = { id: assigned.id, reference: asString(member.policyDefinitionReferenceId) ?? '' };

    return [
      {
        definition,
        initiative,
        given: Object.fromEntries(passed.map(([name, value]) => [name, resolve(value, values)])),
      },
    ];
  });
}

function valuesIn(parameters: unknown, field: 'value' | 'defaultValue'): JsonObject {
  const entries = Object.entries(asObject(parameters) ?? {});
  return Object.fromEntries(
    entries.flatMap(([name, of]) => {
      const value = asObject(of)?.[field];
      return value === undefined ? [] : [[name.toLowerCase(), value]];
    }),
  );
}

function resolve(value: unknown, values: JsonObject): unknown {
  const [, name] = /^\[parameters\('([^']+)'\)\]$/i.exec(String(value)) ?? [];
  return name === undefined ? value : values[name.toLowerCase()];
}

function matches(
  condition: JsonObject,
  resource: JsonObject,
  values: JsonObject,
  evaluated: EvaluatedExpression[],
): boolean {
  const of = (one: unknown): boolean => matches(asObject(one) ?? {}, resource, values, evaluated);
  if (condition.allOf) return (asArray(condition.allOf) ?? []).every(of);
  if (condition.anyOf) return (asArray(condition.anyOf) ?? []).some(of);
  if (condition.not) return !of(condition.not);

  const field = String(condition.field);
  const [operator = '', target] = Object.entries(condition).find(([name]) => name !== 'field') ?? [];
  const value = fieldOf(resource, field);
  const wanted = resolve(target, values);
  const isMatch = compare(operator, value, wanted);

  evaluated.push({
    result: isMatch ? 'True' : 'False',
    expressionKind: 'Field',
    expression: field,
    path: pathOf(field),
    expressionValue: value,
    targetValue: wanted,
    operator,
  });

  return isMatch;
}

function compare(operator: string, value: unknown, target: unknown): boolean {
  switch (operator) {
    case 'equals':
      return same(value, target);
    case 'notEquals':
      return !same(value, target);
    case 'exists':
      return (value !== undefined) === same(target, 'true');
    case 'in':
      return (asArray(target) ?? []).some((one) => same(value, one));
    case 'notIn':
      return !(asArray(target) ?? []).some((one) => same(value, one));
    default:
      throw badRequest(`The local Azure does not evaluate the condition '${operator}'.`, 'InvalidPolicyRule');
  }
}

/** Path below the resource: aliases name its properties. */
function pathOf(field: string): string {
  if (!field.toLowerCase().startsWith(ALIAS)) return field;

  const path = field.slice(ALIAS.length);
  return path.startsWith('sku.') ? path : `properties.${path}`;
}

function fieldOf(resource: JsonObject, field: string): unknown {
  const [, tag] = /^tags\[?'?([^'\]]+)'?\]?$/.exec(field) ?? [];
  if (tag !== undefined) return asObject(resource.tags)?.[tag.replace(/^\./, '')];

  return pathOf(field)
    .split('.')
    .reduce<unknown>((value, name) => {
      const entry = Object.entries(asObject(value) ?? {}).find(([one]) => same(one, name));
      return entry?.[1];
    }, resource);
}

function same(a: unknown, b: unknown): boolean {
  return String(a).toLowerCase() === String(b).toLowerCase();
}
