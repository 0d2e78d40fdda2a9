import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
} from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from './cloud.ts';
import { type CallLimits, callOptions } from './limits.ts';

interface Sent {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  /** Added to the query of the URL. */
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly signal?: AbortSignal | undefined;
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

type Query = Readonly<Record<string, string>>;

/** Reads a JSON document, or a page of a list. Throws errors that `describeFailure` reads. */
type ReadJson = (path: string, query: Query, signal?: AbortSignal) => Promise<unknown>;

/** Returns a reader of single documents of Azure Resource Manager. */
export function createArmReader(credential: TokenCredential, cloud: Cloud, limits: CallLimits): ReadJson {
  const send = createJsonSender(credential, cloud.resourceManagerScope, limits);
  return (path, query, signal) => send({ method: 'GET', url: cloud.resourceManager + path, query, signal });
}

const PAGE = z.object({ value: z.array(z.unknown()), nextLink: z.string().nullish() });
/** More than any list that the app reads: Azure allows, for instance, 1,000 policy exemptions per scope. */
const MOST_PAGES = 100;

/** Returns a reader of whole lists of Azure Resource Manager. */
export function createArmLister(credential: TokenCredential, cloud: Cloud, limits: CallLimits) {
  return createLister(createArmReader(credential, cloud, limits));
}

/**
 * Returns a reader of every page of a list, for services whose pages have the form of Azure Resource Manager's. An empty
 * page may have a next page. The reader throws the errors of `read`, and a TypeError for an endless list.
 */
export function createLister(read: ReadJson) {
  return async (path: string, query: Query, signal?: AbortSignal): Promise<unknown[]> => {
    const found: unknown[] = [];
    let next: Query | undefined = query;
    for (let pages = 0; next && pages < MOST_PAGES; pages++) {
      const { value, nextLink } = PAGE.parse(await read(path, next, signal));
      found.push(...value);

      // Uses only the query of the link, so no answer can redirect the token to another host.
      next = nextLink ? Object.fromEntries(new URL(nextLink).searchParams) : undefined;
    }

    if (next) throw new TypeError(`Azure answered with more than ${MOST_PAGES} pages.`);

    return found;
  };
}
