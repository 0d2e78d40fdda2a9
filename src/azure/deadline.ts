import type { HttpClient, PipelineRequest } from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import { createKeptHttp } from './kept-http.ts';

/** The deadline passed before the answer. The request's result is indeterminate. */
export class DeadlineError extends Error {
  override readonly name = 'TimeoutError';

  constructor(what: string, ms: number) {
    super(`${what} within ${ms / 1000} s.`);
  }
}

/** Start of the error message if a write exceeds its deadline. */
export const NOT_ANSWERED = 'A write was not answered';

/** Narrows a signal to the standard type: the SDKs declare a type of their own, but pass on the caller's signal. */
export function asSignal(given: unknown): AbortSignal | undefined {
  return given instanceof AbortSignal ? given : undefined;
}

/**
 * Limits `gather` to some milliseconds (undefined: no limit). After the timeout, or when `outer` aborts, its signal
 * aborts. `gather` then stops its reads and returns its result so far, marked as incomplete.
 */
export async function abortAfter<T>(
  gather: (signal: AbortSignal) => Promise<T>,
  ms: number | undefined,
  outer?: AbortSignal,
): Promise<T> {
  const box = new AbortController();
  const stop = () => box.abort(new DOMException(`The time limit of ${ms} ms has passed.`, 'TimeoutError'));
  const timer = ms === undefined ? undefined : setTimeout(stop, ms);
  try {
    return await gather(outer ? AbortSignal.any([box.signal, outer]) : box.signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs requests of an Azure SDK within a time limit. The timer ends with the requests: `AbortSignal.timeout` would keep
 * each request and its connection in memory until the timeout.
 *
 * @param ms milliseconds for the whole of `run`
 * @param run passes its argument to each request, as part of the options
 */
export function runWithAbortSignal<T>(
  ms: number,
  run: (limit: { readonly abortSignal: AbortSignal }) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  return abortAfter((abortSignal) => run({ abortSignal }), ms, outer);
}

/**
 * Waits for `work` until the signal aborts, even if the work ignores the signal. True: the work is done. False: the
 * signal aborted first, and later errors of the work are ignored.
 */
export async function untilAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<boolean> {
  if (!signal) {
    await work;
    return true;
  }

  let stop = (): void => {};
  const aborted = new Promise<false>((resolve) => {
    stop = () => resolve(false);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });

  try {
    return await Promise.race([work.then(() => true as const), aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => {});
  }
}

/**
 * Waits for `run` until the deadline, even if `run` ignores the signal. Unlike the deadline of a request, it also covers
 * getting a token and repeating the request with a new token.
 *
 * @param ms milliseconds; undefined: without a limit
 * @param what start of the error message: `It was not read`
 * @throws {@link DeadlineError} after the deadline, and any earlier error of `run`
 */
export function withDeadline<T>(
  ms: number | undefined,
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  return abortAfter(
    async (signal) => {
      const running = run(signal);
      try {
        if (await untilAborted(running, signal)) return await running;
      } catch (error) {
        // After the abort, the error of `run` is only its consequence.
        if (!signal.aborted) throw error;
      }
      outer?.throwIfAborted();
      throw new DeadlineError(what, ms ?? 0);
    },
    ms,
    outer,
  );
}

/** Waits for `work` until the deadline. Never rejects, because the caller continues without the work's result. */
export async function waitAtMost(ms: number, work: Promise<unknown>): Promise<void> {
  await abortAfter((signal) => untilAborted(work, signal), ms).catch(() => false);
}

/**
 * Gives every request its own deadline, including every page and poll. The Key Vault SDK drops options and abort
 * signals from a list's second page on. The deadline covers the body unless the caller reads it as a stream.
 *
 * @param msOf milliseconds, since a write may take longer than a read
 * @returns an HTTP client for the `httpClient` option of any Azure SDK; it throws {@link DeadlineError}
 */
export function deadlineHttp(msOf: (request: PipelineRequest) => number, http: HttpClient = DEFAULT_HTTP): HttpClient {
  return {
    async sendRequest(request) {
      const outer = request.abortSignal;
      const send = (signal: AbortSignal) => {
        request.abortSignal = signal;
        return http.sendRequest(request);
      };

      try {
        const what = `${new URL(request.url).hostname} did not answer`;

        // A request can ignore its signal when a compressed answer breaks off, because the SDK waits for the rest.
        return await withDeadline(msOf(request), what, send, asSignal(outer));
      } finally {
        // The outer policies retry or read the request, and need their original signal.
        if (outer) request.abortSignal = outer;
        else delete request.abortSignal;
      }
    },
  };
}

const DEFAULT_HTTP = createKeptHttp();

/** Limits the time of a credential, because the managed-identity endpoint ignores signals and must not hang a call. */
export function withTokenDeadline(credential: TokenCredential, ms: number): TokenCredential {
  return {
    getToken: (scopes, options = {}) => {
      // The SDK refreshes the token that all callers share with the signal of the first caller. If that signal aborted,
      // no caller would get a token.
      const outer = asSignal(options.abortSignal);
      const get = (abortSignal: AbortSignal) => credential.getToken(scopes, { ...options, abortSignal });
      return withDeadline(ms, 'No token arrived', get, outer?.aborted ? undefined : outer);
    },
  };
}
