import { z } from 'zod';
import type { TokenCredential } from '../azure/credential.ts';
import { abortAfter } from '../azure/deadline.ts';
import { OPERATOR_TOKEN_MS } from '../azure/limits.ts';
import { CmkError } from '../errors.ts';
import type { Reason } from '../reasons.ts';
import { parseJson } from '../text.ts';

export interface AppApi {
  /**
   * @param path below the address of the API, `/rotations` say
   * @param shape what the answer is checked against; what it has beside that is kept
   * @throws {@link CmkError} with what the app says: `NoDriftReport`, `SignInNeeded`, `MissingPermission`, else `ServiceUnavailable`,
   * also for an answer of another shape
   */
  get<T>(path: string, shape: z.ZodType<T>): Promise<T>;
}

/** The app by its API. */
export interface App extends AppApi {
  /** The same with a body. */
  post<T>(path: string, body: object, shape: z.ZodType<T>): Promise<T>;
}

const REASON_OF: Readonly<Record<number, Reason>> = { 401: 'SignInNeeded', 403: 'MissingPermission' };

/** What is read of an error: a field of another type is ignored. */
const REFUSAL = z.looseObject({
  reason: z.string().optional().catch(undefined),
  detail: z.string().optional().catch(undefined),
  nextStep: z.string().optional().catch(undefined),
});

/**
 * @param address with `/api` behind it
 * @param audience of its tokens, as the app's own setting has it: `api://<client id>`, the client id, or both
 * @throws {@link CmkError} `ArgumentInvalid` where a token may not be sent
 */
export function appApi(address: string, audience: string, credential: TokenCredential): App {
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
    }, OPERATOR_TOKEN_MS);
    const body = parseJson(text);
    const refusal = REFUSAL.safeParse(body);
    if (!refusal.success) {
      throw new CmkError(
        'ServiceUnavailable',
        `${address} answers ${status}, and not as the API of the app does.`,
        LOOK,
      );
    }
    if (status < 300) return checkAnswer(body, shape, `${address}${path}`);
    const { reason: because, detail, nextStep = '' } = refusal.data;
    const reason =
      because === 'NoDriftReport' || because === 'NotContested' ? because : (REASON_OF[status] ?? 'ServiceUnavailable');
    throw new CmkError(reason, `The app answers ${status}${detail === undefined ? '.' : `: ${detail}`}`, nextStep);
  }
}

/** The pages of a list, from the first to the last. @throws {@link CmkError} with what the app says */
export async function* pagesOf<T extends { readonly nextLink?: string | undefined }>(
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

/** Keeps a token from being sent in clear text. @throws {@link CmkError} `ArgumentInvalid` */
function requireSafeAddress(address: string): void {
  const { protocol, hostname } = URL.canParse(address) ? new URL(address) : { protocol: '', hostname: '' };
  const isLoopback = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/.test(hostname);
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback)) return;
  throw new CmkError(
    'ArgumentInvalid',
    `CMK_API is '${address}': a token is sent over https alone, or to this machine. It was not sent.`,
    'Set CMK_API to the address of the API of the app: https://<app>.azurewebsites.net/api.',
  );
}

/** @param path may come from an answer of the app, and must not lead to another host @throws {@link CmkError} `ServiceUnavailable` */
function urlOf(address: string, path: string): string {
  if (/^\/(?!\/)/.test(path)) return `${address.replace(/\/$/, '')}${path}`;
  throw new CmkError('ServiceUnavailable', `${address} names a next page that is none of its own: ${path}.`, LOOK);
}

/** @throws {@link CmkError} `ServiceUnavailable` for an answer of another shape */
export function checkAnswer<T>(body: unknown, shape: z.ZodType<T>, url: string): T {
  const result = shape.safeParse(body);
  // Not the parsed copy: fields that this version does not know belong to `--output json` too.
  if (result.success) return body as T;
  const [issue] = result.error.issues;
  const where = issue?.path.map(String).join('.') || 'all of it';
  throw new CmkError(
    'ServiceUnavailable',
    `${url} answers in another form than this version of cmk reads (${where}: ${issue?.message}).`,
    'Use a cmk of the version of the app; `cmk --version` says which this is. Check CMK_API too.',
  );
}

const LOOK = 'Check CMK_API: it is the address of the app, with /api behind it.';

/** Of several it is the URI, which Entra ID gives a token for by that name. */
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
    throw new CmkError('ServiceUnavailable', `${address} cannot be reached: ${code ?? message}.`, LOOK, { cause });
  }
}
