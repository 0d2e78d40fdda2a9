import {
  bearerTokenAuthenticationPolicy,
  createPipelineFromOptions,
  createPipelineRequest,
} from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from './cloud.ts';
import { type CallLimits, callOptions } from './limits.ts';

/**
 * Reads one document of Azure Resource Manager, where an SDK for a single call would be a package more.
 *
 * @throws an error that `describeFailure` reads
 */
export type ArmReader = (
  path: string,
  query: Readonly<Record<string, string>>,
  signal?: AbortSignal,
) => Promise<unknown>;

export function createArmReader(credential: TokenCredential, cloud: Cloud, limits: CallLimits): ArmReader {
  const { httpClient, retryOptions, additionalPolicies } = callOptions(limits);
  const pipeline = createPipelineFromOptions({ retryOptions });
  for (const { policy } of additionalPolicies) pipeline.addPolicy(policy);
  pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes: cloud.resourceManagerScope }));
  return async (path, query, signal) => {
    const url = new URL(cloud.resourceManager + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const request = createPipelineRequest({ url: url.href, ...(signal ? { abortSignal: signal } : {}) });
    const { status, bodyAsText, headers } = await pipeline.sendRequest(httpClient, request);
    const body = JSON.parse(bodyAsText || '{}') as { error?: { code?: string; message?: string } };
    if (status === 200) return body;
    throw Object.assign(new Error(body.error?.message ?? `ARM answered ${status}.`), {
      statusCode: status,
      code: body.error?.code,
      response: { status, headers },
    });
  };
}
