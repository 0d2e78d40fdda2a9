import { z } from 'zod';
import type { TokenCredential } from '../../azure/credential.ts';
import { abortAfter } from '../../azure/deadline.ts';
import { OPERATOR_TOKEN_MS } from '../../azure/limits.ts';
import { parseJson } from '../../azure/parse-json.ts';
import { CmkError } from '../../errors/errors.ts';
import type { Reason } from '../../errors/reasons.ts';

/** Client of the app's API. */
export interface App {
  /**
   * @param path below the address of the API, for example `/rotations`
   * @param shape schema of the answer; the result keeps fields beyond it
   * @throws {@link CmkError} with the app's message: `NoDriftReport`, `SignInNeeded`, `MissingPermission`, else
   *   `ServiceUnavailable`, also for an answer of another shape
   */
  get<T>(path: string, shape: z.ZodType<T>): Promise<T>;
  post<T>(path: string, body: object, shape: z.ZodType<T>): Promise<T>;
}
export type AppApi = Pick<App, 'get'>;

/** The app gave no answer of its API: it is unreachable, too slow or fails, or something else answers for it. */
export class UnansweredError extends CmkError {
  constructor(message: string, nextStep: string, options?: ErrorOptions) {
    super('ServiceUnavailable', message, nextStep, options);
  }
}

const REASON_OF: Readonly<Record<number, Reason>> = { 401: 'SignInNeeded', 403: 'MissingPermission' };

/** Fields of an error answer; a field of another type is ignored. */
const REFUSAL = z.looseObject({
  reason: z.string().optional().catch(undefined),
  detail: z.string().optional().catch(undefined),
  nextStep: z.string().optional().catch(undefined),
});

/**
 * @param address ends in `/api`
 * @param audience of its tokens, as in the app's setting: `api://<client id>`, the client id, or both
 * @throws {@link CmkError} `ArgumentInvalid` for an address that must not receive a token
 */
export function createAppApi(address: string, audience: string, credential: TokenCredential): App {
  requireSafeAddress(address);
  return {
    get: (path, shape) => call(path, undefined, shape),
    post: (path, body, shape) => call(path, body, shape),
  };

  async function call<T>(path: string, sent: object | undefined, shape: z.ZodType<T>): Promise<T> {
    const token = await credential.getToken(`${resourceOf(audience)}/.default`);
    const { status, text } = await abortAfter(async (signal) => {
      const accepting = { authorization: `Bearer ${token?.token}`, accept: 'application/json' };
      const headers = { ...accepting, ...(sent ? { 'content-type': 'application/json' } : {}) };
      const request = sent ? { method: 'POST', body: JSON.stringify(sent) } : {};
      const answer = await reach(urlOf(address, path), { ...request, headers, signal, redirect: 'manual' });
      return { status: answer.status, text: await answer.text() };
    }, OPERATOR_TOKEN_MS).catch((error: unknown) => {
      const isLate = error instanceof DOMException && error.name === 'TimeoutError';
      throw isLate
        ? new UnansweredError(`${address} does not answer in time.`, CHECK_ADDRESS, { cause: error })
        : error;
    });

    const body = parseJson(text);
    const refusal = REFUSAL.safeParse(body);
    if (!refusal.success) {
      throw new UnansweredError(`${address} answers ${status}, but not in the format of the app's API.`, CHECK_ADDRESS);
    }

    if (status < 300) return checkAnswer(body, shape, `${address}${path}`);

    const { reason: because, detail, nextStep = '' } = refusal.data;
    const reason =
      because === 'NoDriftReport' || because === 'NotContested' ? because : (REASON_OF[status] ?? 'ServiceUnavailable');

    const message = `The app answers ${status}${detail === undefined ? '.' : `: ${detail}`}`;
    if (status >= 500) throw new UnansweredError(message, nextStep);

    throw new CmkError(reason, message, nextStep);
  }
}

/** Reads every page of a list. @throws {@link CmkError} with the app's message */
export async function* readPages<T extends { readonly nextLink?: string | undefined }>(
  app: AppApi,
  first: string,
  shape: z.ZodType<T>,
): AsyncGenerator<T> {
  for (let path: string | undefined = first; path !== undefined; ) {
    const page: T = await app.get(path, shape);
    yield page;
    path = page.nextLink?.replace(/^\/api/, '');
  }
}

/** Ensures that no token is sent in clear text. @throws {@link CmkError} `ArgumentInvalid` */
function requireSafeAddress(address: string): void {
  const { protocol, hostname } = URL.canParse(address) ? new URL(address) : { protocol: '', hostname: '' };
  const isLoopback = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/.test(hostname);
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback)) return;
  throw new CmkError(
    'ArgumentInvalid',
    `CMK_API is '${address}': cmk sends a token only over https, or to this machine. It was not sent.`,
    'Set CMK_API to the address of the API of the app: https://<app>.azurewebsites.net/api.',
  );
}

/**
 * @param path may come from an answer of the app; must not lead to another host @throws {@link CmkError}
 *   `ServiceUnavailable`
 */
function urlOf(address: string, path: string): string {
  if (/^\/(?!\/)/.test(path)) return `${address.replace(/\/$/, '')}${path}`;
  throw new CmkError(
    'ServiceUnavailable',
    `${address} links to a next page at another address: ${path}.`,
    CHECK_ADDRESS,
  );
}

/** @throws {@link CmkError} `ServiceUnavailable` for an answer of another shape */
export function checkAnswer<T>(body: unknown, shape: z.ZodType<T>, url: string): T {
  const result = shape.safeParse(body);

  // Returns the original, not the parsed copy: `--output json` also prints fields that this version does not know.
  if (result.success) return body as T;

  const [issue] = result.error.issues;
  const where = issue?.path.map(String).join('.') || 'all of it';
  throw new CmkError(
    'ServiceUnavailable',
    `${url} answers in a format that this version of cmk cannot read (${where}: ${issue?.message}).`,
    'Use the cmk version of the app (`cmk --version` prints yours), and check CMK_API.',
  );
}

const CHECK_ADDRESS = 'Check CMK_API: it is the address of the app, ending in /api.';

/** Prefers the URI among several audiences: Entra ID issues tokens for that name. */
function resourceOf(audience: string): string {
  const names = audience.split(/[\s,]+/).filter(Boolean);
  return names.find((name) => name.includes('://')) ?? names[0] ?? '';
}

async function reach(address: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    const { code, message } = ((cause as Error).cause ?? cause) as NodeJS.ErrnoException;
    throw new UnansweredError(`${address.split('?')[0]} cannot be reached: ${code ?? message}.`, CHECK_ADDRESS, {
      cause,
    });
  }
}
