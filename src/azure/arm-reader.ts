import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
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
type ArmReader = (path: string, query: Readonly<Record<string, string>>, signal?: AbortSignal) => Promise<unknown>;

export function createArmReader(credential: TokenCredential, cloud: Cloud, limits: CallLimits): ArmReader {
  const send = createSend(credential, cloud, limits);
  return (path, query, signal) => send({ method: 'GET', path, query, ...(signal ? { signal } : {}) });
}

/**
 * One PATCH of a document of Azure Resource Manager, likewise.
 *
 * @throws an error that `describeFailure` reads
 */
type ArmPatch = (path: string, query: Readonly<Record<string, string>>, body: object) => Promise<unknown>;

export function createArmPatch(credential: TokenCredential, cloud: Cloud, limits: CallLimits): ArmPatch {
  const send = createSend(credential, cloud, limits);
  return (path, query, body) => send({ method: 'PATCH', path, query, body });
}

interface Sent {
  readonly method: 'GET' | 'PATCH';
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly signal?: AbortSignal;
}

function createSend(credential: TokenCredential, cloud: Cloud, limits: CallLimits): (sent: Sent) => Promise<unknown> {
  const { httpClient, retryOptions, additionalPolicies } = callOptions(limits);
  const pipeline = createPipelineFromOptions({ retryOptions });
  for (const { policy } of additionalPolicies) pipeline.addPolicy(policy);
  pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes: cloud.resourceManagerScope }));
  return async ({ method, path, query, body, signal }) => {
    const url = new URL(cloud.resourceManager + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const request = createPipelineRequest({
      url: url.href,
      method,
      ...(signal ? { abortSignal: signal } : {}),
      ...(body
        ? { body: JSON.stringify(body), headers: createHttpHeaders({ 'content-type': 'application/json' }) }
        : {}),
    });
    const { status, bodyAsText, headers } = await pipeline.sendRequest(httpClient, request);
    const answer = JSON.parse(bodyAsText || '{}') as { error?: { code?: string; message?: string } };
    if (status === 200) return answer;
    throw Object.assign(new Error(answer.error?.message ?? `ARM answered ${status}.`), {
      statusCode: status,
      code: answer.error?.code,
      response: { status, headers },
    });
  };
}
