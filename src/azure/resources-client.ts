import {
  bearerTokenAuthenticationPolicy,
  createPipelineFromOptions,
  createPipelineRequest,
} from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from './cloud.ts';
import { callOptions, LIMITS } from './limits.ts';

/** Resources of any type by their names: what ARM shows of them to whoever may read them, in whichever group. */
export interface Resources {
  /**
   * ARM ids of the resources of that type and name in a subscription. It asks once, however many resources there are.
   *
   * @throws an error that `describeFailure` reads
   */
  find(subscriptionId: string, type: string, name: string): Promise<string[]>;
}

export function createResources(credential: TokenCredential, cloud: Cloud): Resources {
  const { httpClient, retryOptions, additionalPolicies } = callOptions(LIMITS.operatorResourceManager);
  const pipeline = createPipelineFromOptions({ retryOptions });
  for (const { policy } of additionalPolicies) pipeline.addPolicy(policy);
  pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes: cloud.resourceManagerScope }));
  return {
    async find(subscriptionId, type, name) {
      const url = new URL(`${cloud.resourceManager}/subscriptions/${subscriptionId}/resources`);
      url.searchParams.set('api-version', '2021-04-01');
      url.searchParams.set('$filter', `resourceType eq '${type}' and name eq '${name}'`);
      const { status, bodyAsText, headers } = await pipeline.sendRequest(
        httpClient,
        createPipelineRequest({ url: url.href }),
      );
      const body = JSON.parse(bodyAsText || '{}') as {
        value?: { id?: string }[];
        error?: { code?: string; message?: string };
      };
      if (status === 200) return (body.value ?? []).flatMap(({ id }) => id ?? []);
      const message = body.error?.message ?? `ARM answered ${status}.`;
      throw Object.assign(new Error(message), {
        statusCode: status,
        code: body.error?.code,
        response: { status, headers },
      });
    },
  };
}
