import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { createArmLister, createArmReader, createJsonSender, createLister } from '../azure/json-sender.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { ASSIGNED_POLICY, POLICY_EVALUATION, POLICY_STATE } from './move-denials.ts';

export type PolicyInsights = ReturnType<typeof createPolicyInsights>;

/** Version in which the account is read for its evaluation; any version whose fields the policies know. */
const ACCOUNT_VERSION = '2023-05-01';

const STATES = z.array(POLICY_STATE);
const STATES_PAGE = z.object({ value: z.array(z.unknown()), '@odata.nextLink': z.string().nullish() });
const RESTRICTIONS = z.object({
  contentEvaluationResult: z.object({ policyEvaluations: z.array(POLICY_EVALUATION).nullish() }).nullish(),
});

/** Asks Azure Policy what it denies of storage accounts. Read its errors with `describeFailure`. */
export function createPolicyInsights(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits = LIMITS.resourceManager,
) {
  const send = createJsonSender(credential, cloud.resourceManagerScope, limits);
  const read = createArmReader(credential, cloud, limits);
  const list = createArmLister(credential, cloud, limits);

  // Each page is requested by POST, and names the next page by OData.
  const query = createLister(async (path, parameters, signal) => {
    const url = cloud.resourceManager + path;
    const page = STATES_PAGE.parse(await send({ method: 'POST', url, query: parameters, signal }));
    return { value: page.value, nextLink: page['@odata.nextLink'] };
  });

  return {
    /** The resources of a subscription that a policy with the effect Deny did not allow when it last evaluated them. */
    async denied(subscriptionId: string, signal?: AbortSignal) {
      const path = `/subscriptions/${subscriptionId}/providers/Microsoft.PolicyInsights/policyStates/latest/queryResults`;
      const $filter =
        "complianceState eq 'NonCompliant' and (policyDefinitionAction eq 'deny' or policyDefinitionAction eq 'Deny')";
      return STATES.parse(await query(path, { 'api-version': '2019-10-01', $filter }, signal));
    },
    /** The assignments at a subscription, and at the scopes above and below it. */
    async assigned(subscriptionId: string, signal?: AbortSignal) {
      const path = `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/policyAssignments`;
      return z.array(ASSIGNED_POLICY).parse(await list(path, { 'api-version': '2022-06-01' }, signal));
    },
    /** Evaluates a write of the account as it is now. */
    async evaluate({ id, subscriptionId, resourceGroup }: ResourceId, signal?: AbortSignal) {
      // Read as a document: a policy may test any field of it.
      const resourceContent = await read(id, { 'api-version': ACCOUNT_VERSION }, signal);
      const group = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`;
      const answer = await send({
        method: 'POST',
        url: `${cloud.resourceManager}${group}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions`,
        query: { 'api-version': '2023-03-01' },
        body: { resourceDetails: { resourceContent, apiVersion: ACCOUNT_VERSION } },
        signal,
      });
      return RESTRICTIONS.parse(answer).contentEvaluationResult?.policyEvaluations ?? [];
    },
  };
}
