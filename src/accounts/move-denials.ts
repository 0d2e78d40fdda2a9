import { z } from 'zod';
import { getLastName, isSameResource, parseStorageAccountId } from '../azure/resource-id.ts';
import { createShellCommand, type ShellCommand } from '../azure/shell-command.ts';

// What Azure Policy would deny of the app's PATCH of an account. Azure evaluates the whole account at each write, so a
// policy denies a move because of any field of it, not only because of the key.

const IDS = {
  policyAssignmentId: z.string(),
  policyDefinitionId: z.string(),
  policyDefinitionReferenceId: z.string().nullish(),
};

/** Policy Insights, "Policy States - List Query Results For Subscription". */
export const POLICY_STATE = z.object({
  ...IDS,
  resourceId: z.string(),
  policyDefinitionAction: z.string().nullish(),
  complianceState: z.string().nullish(),
});
export type PolicyState = z.output<typeof POLICY_STATE>;

/** Policy Insights, "Policy Restrictions - Check At Resource Group Scope", `contentEvaluationResult`. */
export const POLICY_EVALUATION = z.object({
  policyInfo: z.object(IDS),
  evaluationResult: z.string().nullish(),
  effectDetails: z.object({ policyEffect: z.string().nullish() }).nullish(),
  evaluationDetails: z
    .object({
      evaluatedExpressions: z
        .array(z.object({ result: z.string().nullish(), expression: z.string().nullish() }))
        .nullish(),
    })
    .nullish(),
});
export type PolicyEvaluation = z.output<typeof POLICY_EVALUATION>;

/** Azure Policy, "Policy Assignments - List": what the names and the enforcement of assignments need. */
export const ASSIGNED_POLICY = z.object({
  id: z.string(),
  name: z.string(),
  properties: z.object({ displayName: z.string().nullish(), enforcementMode: z.string().nullish() }),
});
export type AssignedPolicy = z.output<typeof ASSIGNED_POLICY>;

/** A policy that would deny a change of an account. */
export interface MoveDenial {
  /** ARM id of the assignment. */
  readonly assignment: string;
  /** Display name of the assignment, or the name in its id. */
  readonly name: string;
  /** ARM id of the definition. */
  readonly definition: string;
  /** The denying member of an initiative. */
  readonly reference: string | undefined;
  /** Fields of the account that the definition tested; empty if unknown. */
  readonly fields: readonly string[];
}

/** The denials of each account, by its ARM id in lower case. */
export type MoveDenials = ReadonlyMap<string, readonly MoveDenial[]>;

/**
 * Lists what the last evaluation of Azure Policy denies of each storage account.
 *
 * @param assigned the assignments of the subscription; undefined if they could not be read
 */
export function listMoveDenials(
  states: readonly PolicyState[],
  assigned: readonly AssignedPolicy[] | undefined,
): MoveDenials {
  const denied = states.filter(
    ({ resourceId, complianceState, policyDefinitionAction }) =>
      isSameText(complianceState, 'NonCompliant') &&
      isSameText(policyDefinitionAction, 'Deny') &&
      isAccount(resourceId),
  );
  const found = Map.groupBy(denied, ({ resourceId }) => resourceId.toLowerCase());

  return new Map([...found].map(([id, of]) => [id, of.flatMap((state) => toDenial(state, assigned, []))]));
}

/**
 * Compares the denials of an account with Azure's evaluation of the account as it is now. Azure evaluates only the
 * assignments of its subscription and group (azure-dev, "Storage account policy check"), so a denial of any other
 * assignment stays although the evaluation does not show it.
 */
export function confirmMoveDenials(
  denials: readonly MoveDenial[],
  evaluations: readonly PolicyEvaluation[],
  assigned: readonly AssignedPolicy[] | undefined,
): readonly MoveDenial[] {
  const now = evaluations
    .filter(
      ({ evaluationResult, effectDetails }) =>
        isSameText(evaluationResult, 'NonCompliant') && isSameText(effectDetails?.policyEffect, 'Deny'),
    )
    .flatMap(({ policyInfo, evaluationDetails }) => {
      const tested = (evaluationDetails?.evaluatedExpressions ?? []).flatMap(({ expression }) => expression ?? []);
      const fields = [...new Set(tested)].filter((field) => field.toLowerCase() !== 'type');
      return toDenial(policyInfo, assigned, fields);
    });
  const unevaluated = denials.filter((one) => !isEvaluated(one) && !now.some((other) => isSameDenial(one, other)));

  return [...now, ...unevaluated];
}

/** Assignments at a subscription or a resource group. */
const EVALUATED = /^\/subscriptions\/[^/]+(?:\/resourcegroups\/[^/]+)?\/providers\/microsoft\.authorization\//i;

function isEvaluated({ assignment }: MoveDenial): boolean {
  return EVALUATED.test(assignment);
}

function isSameDenial(a: MoveDenial, b: MoveDenial): boolean {
  return isSameResource(a.assignment, b.assignment) && isSameResource(a.definition, b.definition);
}

/** Empty for an assignment that is not enforced. */
function toDenial(
  { policyAssignmentId, policyDefinitionId, policyDefinitionReferenceId }: PolicyEvaluation['policyInfo'],
  assigned: readonly AssignedPolicy[] | undefined,
  fields: readonly string[],
): MoveDenial[] {
  const assignment = assigned?.find(({ id }) => isSameResource(id, policyAssignmentId));
  if (isSameText(assignment?.properties.enforcementMode, 'DoNotEnforce')) return [];

  return [
    {
      assignment: assignment?.id ?? policyAssignmentId,
      name: assignment?.properties.displayName || assignment?.name || getLastName(policyAssignmentId),
      definition: policyDefinitionId,
      reference: policyDefinitionReferenceId || undefined,
      fields,
    },
  ];
}

/** Describes a denial: `The policy assignment "Baseline" denies each change of it, and so its move …`. */
export function describeMoveDenial({ name, definition, fields }: MoveDenial): string {
  const why = fields.length === 0 ? '' : `, because of ${fields.join(', ')}`;
  return `The policy assignment "${name}" denies each change of it, and so its move to a new key version${why} (definition ${getLastName(definition)}).`;
}

/**
 * The command with which the owner of a policy exempts a resource. Names of exemptions have at most 64 characters.
 *
 * @param scope ARM id of the resource
 * @param assignment ARM id of the assignment
 * @param reference the member of an initiative
 */
export function formatExempt(scope: string, assignment: string, reference: string | undefined): ShellCommand {
  return createShellCommand('az policy exemption create --exemption-category Waiver', [
    ['--name', `cmk-${getLastName(assignment)}${reference ? `-${reference}` : ''}`.slice(0, 64)],
    ['--policy-assignment', assignment],
    ...(reference ? ([['--policy-definition-reference-ids', reference]] as const) : []),
    ['--scope', scope],
  ]);
}

function isAccount(id: string): boolean {
  return parseStorageAccountId(id) !== undefined;
}

function isSameText(text: string | null | undefined, other: string): boolean {
  return text?.toLowerCase() === other.toLowerCase();
}
