import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
} from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import { type CallLimits, callOptions } from './limits.ts';

interface Sent {
  readonly method: 'GET' | 'PATCH' | 'PUT' | 'DELETE';
  readonly url: string;
  /** Added to the query of the URL. */
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly signal?: AbortSignal;
}

/**
 * Requests a JSON document, which saves an SDK package for a single call.
 *
 * @param scope of the token
 * @returns a function whose errors `describeFailure` reads
 */
export function createJsonSender(
  credential: TokenCredential,
  scope: string,
  limits: CallLimits,
): (sent: Sent) => Promise<unknown> {
  const { httpClient, retryOptions, additionalPolicies } = callOptions(limits);
  const pipeline = createPipelineFromOptions({ retryOptions });
  for (const { policy } of additionalPolicies) pipeline.addPolicy(policy);
  pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes: scope }));
  return async ({ method, url: given, query = {}, body, signal }) => {
    const url = new URL(given);
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
    if (status === 200 || status === 201) return answer;
    throw Object.assign(new Error(answer.error?.message ?? `${url.hostname} answered ${status}.`), {
      statusCode: status,
      code: answer.error?.code,
      response: { status, headers },
    });
  };
}
