import { heardServerTime } from '../server-time.ts';
import { type Session, SessionEnded } from '../session.ts';

/** A refusal of the API and its remedy (RFC 9457, with the app's own members). */
export interface Problem {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly reason: string;
  readonly nextStep: string;
  readonly correlationId?: string;
  readonly [extension: string]: unknown;
}

export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;
  /** The claims that the next sign-in has to prove, as JSON; absent if none. */
  readonly claims: string | undefined;

  constructor(problem: Problem, claims?: string) {
    super(problem.detail);
    this.problem = problem;
    this.claims = claims;
  }
}

interface Answer<T> {
  readonly status: number;
  /** Undefined if it has not changed (304). */
  readonly body: T | undefined;
  readonly etag: string | undefined;
}

interface CallOptions {
  readonly body?: unknown;
  readonly etag?: string | undefined;
  readonly signal?: AbortSignal;
  /** Milliseconds. */
  readonly limitMs?: number;
}

/** The longest time of a revocation or a dry run. A longer call is aborted. Milliseconds. */
const LIMIT_MS = 230_000;

/** Calls the app's API with the token of one user, until another user signs in. */
export class Api {
  readonly #session: Session;
  readonly #person: string | undefined;

  /** @param person object id */
  constructor(session: Session, person: string | undefined) {
    this.#session = session;
    this.#person = person;
  }

  get<T>(path: string, options: CallOptions = {}): Promise<Answer<T>> {
    return this.#call<T>('GET', path, options);
  }

  async post<T>(path: string, body?: unknown): Promise<Answer<T>> {
    return this.#call<T>('POST', path, body === undefined ? {} : { body });
  }

  /**
   * The whole list, over all its pages.
   *
   * @param heard gets the number of items so far
   */
  async list<T>(path: string, heard: (items: number) => void): Promise<readonly T[]> {
    const items: T[] = [];
    for (let next: string | undefined = path; next; ) {
      const { body }: Answer<{ readonly value: readonly T[]; readonly nextLink?: string }> = await this.get(next);
      items.push(...(body?.value ?? []));
      heard(items.length);
      next = body?.nextLink;
    }
    return items;
  }

  delete<T>(path: string): Promise<Answer<T>> {
    return this.#call<T>('DELETE', path, {});
  }

  async #call<T>(method: string, path: string, options: CallOptions): Promise<Answer<T>> {
    let response = await this.#send(method, path, options, await this.#session.token(this.#person));
    if (response.status === 401 && claimsAsked(response) === undefined) {
      response = await this.#send(method, path, options, await this.#session.token(this.#person, true));
      if (response.status === 401 && claimsAsked(response) === undefined) {
        this.#session.end();
        throw new SessionEnded('The API no longer accepts this sign-in.');
      }
    }

    if (response.status === 304) return { status: 304, body: undefined, etag: options.etag };

    if (response.ok) {
      const { status, headers } = response;
      return { status, body: await bodyOf<T>(response, method, options), etag: headers.get('etag') ?? undefined };
    }

    throw new ProblemError(await problemOf(response, method), claimsAsked(response));
  }

  /** Calls `listener` after each sign-in. @returns removes the listener */
  whenSignedIn(listener: () => void): () => void {
    return this.#session.listen(({ state }) => state === 'in' && listener());
  }

  async #send(method: string, path: string, options: CallOptions, token: string): Promise<Response> {
    const { body, etag, signal, limitMs = LIMIT_MS } = options;
    const limit = AbortSignal.timeout(limitMs);
    try {
      const response = await fetch(path, {
        method,
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(etag === undefined ? {} : { 'if-none-match': etag }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });

      heardServerTime(response.headers.get('date'));
      return response;
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ProblemError(unreached(method, limit.aborted), undefined);
    }
  }
}

async function bodyOf<T>(response: Response, method: string, { signal }: CallOptions): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ProblemError({
      title: 'The answer is incomplete.',
      status: response.status,
      detail: `The answer is not from the app, or the connection broke.${mayHaveHappened(method)}`,
      reason: 'AnswerUnreadable',
      nextStep:
        method === 'GET'
          ? 'The page tries again by itself. If that does not help, use the command line (cmk).'
          : 'Check the state, here or with the command line (cmk key show), before you repeat it.',
    });
  }
}

/** A write may have taken effect although its answer was lost. */
function mayHaveHappened(method: string): string {
  return method === 'GET' ? '' : ' The action may have taken effect all the same.';
}

async function problemOf(response: Response, method: string): Promise<Problem> {
  try {
    const body = (await response.json()) as Problem;
    if (typeof body.detail === 'string') return body;
  } catch {
    // the answer is from a server in front of the app
  }

  const unsure = response.status >= 500 ? mayHaveHappened(method) : '';

  return {
    title: 'The answer is not from the app.',
    status: response.status,
    detail: `A server in front of it answered with status ${response.status}.${unsure}`,
    reason: `Status${response.status}`,
    nextStep: 'Wait a minute. If that does not help, use the command line (cmk), which works without the app.',
  };
}

function unreached(method: string, tookTooLong: boolean): Problem {
  return {
    title: 'The app cannot be reached.',
    status: 0,
    detail: `${tookTooLong ? 'It did not answer in time.' : 'The network or the app is down.'}${mayHaveHappened(method)}`,
    reason: 'Unreached',
    nextStep: 'Check the network. If the app is down, the command line works without it: cmk key revoke and restore.',
  };
}

/** The claims challenge of an answer (`insufficient_claims`), decoded. */
function claimsAsked(response: Response): string | undefined {
  const header = response.headers.get('www-authenticate') ?? '';
  const encoded = /insufficient_claims/.test(header) ? /claims="([\w+/=-]+)"/.exec(header)?.[1] : undefined;
  return encoded && atob(encoded.replaceAll('-', '+').replaceAll('_', '/'));
}

/** Any error as a problem that the page can show. */
export function toProblem(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return {
    title: error instanceof SessionEnded ? 'Your sign-in has ended.' : 'The page failed.',
    status: 0,
    detail: error instanceof Error ? error.message : String(error),
    reason: error instanceof SessionEnded ? 'SessionEnded' : 'PageFailed',
    nextStep: error instanceof SessionEnded ? 'Sign in again: you come back to this view.' : 'Load the page again.',
  };
}
