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
  const send = createRawSender(credential, scope, limits);
  return async (sent) => {
    const answer = await send(sent);
    if (answer.status !== 202) return answer.body;
    throw Object.assign(new Error(`${new URL(sent.url).hostname} answered 202.`), { statusCode: 202 });
  };
}

/** An answer of success: 200, 201 or 202. */
interface RawAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly header: (name: string) => string | undefined;
}

function createRawSender(
  credential: TokenCredential,
  scope: string,
  limits: CallLimits,
): (sent: Sent) => Promise<RawAnswer> {
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
    if (status === 200 || status === 201 || status === 202) {
      return { status, body: answer, header: (name) => headers.get(name) };
    }

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

/** Seconds between two reads of an operation whose answer names no time. */
const POLL_SECONDS = 10;
/** Most reads of one operation: several hours. */
const MOST_POLLS = 1_000;

/**
 * Returns a function that sends a PATCH to Azure Resource Manager and follows an asynchronous operation to its end.
 * Throws errors that `describeFailure` reads.
 */
export function createArmPatcher(credential: TokenCredential, cloud: Cloud, limits: CallLimits) {
  const send = createRawSender(credential, cloud.resourceManagerScope, limits);

  return async (path: string, query: Query, body: object, sleep: (ms: number) => Promise<void>): Promise<void> => {
    let answer = await send({ method: 'PATCH', url: cloud.resourceManager + path, query, body });
    const status = answer.header('azure-asyncoperation');
    let next = status ?? (answer.status === 202 ? answer.header('location') : undefined);

    for (let polls = 0; next !== undefined; polls++) {
      // An answer must not redirect the token to another host.
      if (new URL(next).origin !== new URL(cloud.resourceManager).origin || polls === MOST_POLLS) {
        throw new TypeError(`The operation cannot be followed: ${next}`);
      }

      const seconds = Number(answer.header('retry-after') ?? POLL_SECONDS);
      await sleep((seconds > 0 ? seconds : POLL_SECONDS) * 1_000);
      answer = await send({ method: 'GET', url: next });

      const shown = OPERATION.safeParse(answer.body).data;
      const hasFailed = /^(failed|canceled)$/i.test(shown?.status ?? '');
      if (hasFailed) {
        const { code, message = 'Azure ended the operation without a reason.' } = shown?.error ?? {};
        throw Object.assign(new Error(message), { statusCode: 400, code });
      }

      const isOver = status === undefined ? answer.status !== 202 : /^succeeded$/i.test(shown?.status ?? '');
      if (isOver) next = undefined;
    }
  };
}

const OPERATION = z.object({
  status: z.string().optional(),
  error: z.object({ code: z.string().optional(), message: z.string().optional() }).nullish(),
});

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
