import { asObject, asString, type JsonObject } from '../json.ts';
import { accountBody } from '../storage/account-body.ts';
import type { ExtensionResource } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { badRequest } from './errors.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';
import { findViolations, lastName, type Violation } from './policy-rules.ts';

const QUERY_READ = 'Microsoft.PolicyInsights/policyStates/queryResults/read';

/** What Azure Policy last found of each storage account. Evaluates at once: Azure does it once a day, and after a write. */
function queryStates(request: ArmRequest): Response {
  const { world, path, query } = request;
  if (nameAt(request, 0).toLowerCase() !== 'latest') throw badRequest('The local Azure has only the latest states.');

  // A caller needs both actions.
  request.authorizeLinked(QUERY_READ, path.scope);

  const accounts = [...world.storageAccounts.values()].filter(({ id }) => inScope(id, path.scope));
  const filter = query.get('$filter') ?? '';
  const states = accounts
    .flatMap((account) => findViolations(world, accountBody(account)).map((one) => stateOf(account.id, one)))
    .filter((state) => passes(state, filter));
  const { value, nextLink } = page(request, states, 1_000, (state) => state);

  return ok({
    '@odata.context': `https://management.azure.com${path.scope}/providers/Microsoft.PolicyInsights/policyStates/$metadata#latest`,
    '@odata.count': value.length,
    ...(nextLink ? { '@odata.nextLink': nextLink } : {}),
    value,
  });
}

function stateOf(resourceId: string, violation: Violation): JsonObject {
  const { assignment, definition, initiative, effect, isExempt } = violation;

  return {
    '@odata.id': null,
    resourceId: resourceId.toLowerCase(),
    policyAssignmentId: assignment.id.toLowerCase(),
    policyAssignmentName: lastName(assignment.id),
    policyAssignmentScope: assignment.scope,
    policyDefinitionId: definition.id.toLowerCase(),
    policyDefinitionName: lastName(definition.id),
    policyDefinitionAction: effect.toLowerCase(),
    policySetDefinitionId: initiative?.id.toLowerCase() ?? '',
    policyDefinitionReferenceId: initiative?.reference ?? '',
    resourceType: 'Microsoft.Storage/storageAccounts',
    isCompliant: isExempt,
    complianceState: isExempt ? 'Exempt' : 'NonCompliant',
  };
}

/** Knows conditions of equality, joined by `and`, and by `or` for one field. */
function passes(state: JsonObject, filter: string): boolean {
  const wanted = [...filter.matchAll(/(\w+) eq '([^']*)'/g)].map(([, field = '', value = '']) => ({ field, value }));
  return [...Map.groupBy(wanted, ({ field }) => field)].every(([field, of]) =>
    of.some(({ value }) => value === state[field]),
  );
}

/**
 * What Azure Policy denies of a resource that may be written. Assignments of management groups are not evaluated
 * (azure-dev, "Storage account policy check").
 */
function checkRestrictions(request: ArmRequest): Response {
  const { world, path, body } = request;
  const content = asObject(asObject(body.resourceDetails)?.resourceContent);
  if (!content) throw badRequest("The property 'resourceDetails' is required.", 'InvalidCheckRestrictionsRequest');

  const id = asString(content.id) ?? `${path.scope}/providers/${content.type}/${content.name}`;
  const isSeen = ({ scope }: ExtensionResource): boolean => /^\/subscriptions\//i.test(scope);
  const found = findViolations(world, { ...content, id }, isSeen).filter(
    ({ effect, isExempt }) => /^deny$/i.test(effect) && !isExempt,
  );

  return ok({
    fieldRestrictions: [],
    contentEvaluationResult: { policyEvaluations: found.map(evaluationOf) },
  });
}

function evaluationOf({ assignment, definition, initiative, evaluated }: Violation): JsonObject {
  return {
    policyInfo: {
      policyDefinitionId: definition.id,
      policyAssignmentId: assignment.id,
      ...(initiative
        ? { policySetDefinitionId: initiative.id, policyDefinitionReferenceId: initiative.reference }
        : {}),
    },
    evaluationResult: 'NonCompliant',
    evaluationDetails: { evaluatedExpressions: evaluated },
    effectDetails: { policyEffect: 'Deny' },
  };
}

/** Azure Policy Insights: what policies found, and what they would deny. */
export const policyInsightsRoutes: ArmRoutes = {
  'POST microsoft.policyinsights/policystates/{}/queryresults': queryStates,
  'POST microsoft.policyinsights/checkpolicyrestrictions': checkRestrictions,
};
