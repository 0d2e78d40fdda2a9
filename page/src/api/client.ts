import { heardServerTime } from '../server-time.ts';
import { type Session, SessionEnded } from '../session.ts';

/** What the API refused, and what to do about it (RFC 9457, with the app's own members). */
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
  /** What the next sign-in has to show on top, as JSON; absent: nothing. */
  readonly claims: string | undefined;

  constructor(problem: Problem, claims?: string) {
    super(problem.detail);
    this.problem = problem;
    this.claims = claims;
  }
}

interface Answer<T> {
  readonly status: number;
  /** Undefined when it is as it was (304). */
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

/** A revocation or a dry run may take so long; whatever takes longer is given up here. Milliseconds. */
const LIMIT_MS = 230_000;

/** Calls the app's API with the token of one person, until another person signs in. */
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

  /** A list, whole. @param heard the number of items so far */
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
        throw new SessionEnded('The API takes the sign-in no more.');
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
      title: 'The answer did not come whole.',
      status: response.status,
      detail: `What came is not what the app answers, or the connection broke.${mayHaveHappened(method)}`,
      reason: 'AnswerUnreadable',
      nextStep:
        method === 'GET'
          ? 'It is asked for again by itself. If it stays, use the command line (cmk).'
          : 'Check the state, here or with the command line (cmk key show), before you repeat it.',
    });
  }
}

/** A write whose answer was lost may have taken effect. */
function mayHaveHappened(method: string): string {
  return method === 'GET' ? '' : ' What was asked for may have been done all the same.';
}

async function problemOf(response: Response, method: string): Promise<Problem> {
  try {
    const body = (await response.json()) as Problem;
    if (typeof body.detail === 'string') return body;
  } catch {
    // not from the app itself, but from something before it
  }

  const unsure = response.status >= 500 ? mayHaveHappened(method) : '';

  return {
    title: 'The app did not answer as it does.',
    status: response.status,
    detail: `Something before it answered with status ${response.status}.${unsure}`,
    reason: `Status${response.status}`,
    nextStep: 'Wait a minute. If it stays, use the command line (cmk), which needs the app for nothing.',
  };
}

function unreached(method: string, tookTooLong: boolean): Problem {
  return {
    title: 'The app cannot be reached.',
    status: 0,
    detail: `${tookTooLong ? 'It did not answer in time.' : 'The network or the app is away.'}${mayHaveHappened(method)}`,
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

/** Any error as a problem that can be shown. */
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
