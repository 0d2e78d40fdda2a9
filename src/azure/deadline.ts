import type { HttpClient, PipelineResponse } from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import { createKeptHttp } from './kept-http.ts';

/** Time was up before the answer came. Whether the request took effect is not known. */
export class DeadlineError extends Error {
  override readonly name = 'TimeoutError';

  constructor(what: string, ms: number) {
    super(`${what} within ${ms / 1000} s.`);
  }
}

/**
 * Gives `gather` so many milliseconds. When they are up, or `outer` aborts, its signal aborts: it stops what is under way
 * and returns what it has by then, marked as incomplete.
 */
export async function abortAfter<T>(
  gather: (signal: AbortSignal) => Promise<T>,
  ms: number,
  outer?: AbortSignal,
): Promise<T> {
  const box = new AbortController();
  const timer = setTimeout(() => box.abort(new DOMException(`${ms} ms are up.`, 'TimeoutError')), ms);
  try {
    return await gather(outer ? AbortSignal.any([box.signal, outer]) : box.signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs requests of an Azure SDK within a time limit. The limit ends with them: `AbortSignal.timeout` would keep each
 * request and its connection in memory until its time is up.
 *
 * @param ms milliseconds for all that `run` does
 * @param run hands what it is given to each request, as part of its options
 */
export function withinTime<T>(
  ms: number,
  run: (limit: { readonly abortSignal: AbortSignal }) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  return abortAfter((abortSignal) => run({ abortSignal }), ms, outer);
}

/**
 * Runs a whole write with a deadline: it also covers getting a token, and a repetition with a new token, which the deadline of
 * a request does not.
 *
 * @param ms milliseconds; undefined: without a limit
 * @param outer aborts when the caller has less time
 * @throws {@link DeadlineError}
 */
export function wholeWrite<T>(
  ms: number | undefined,
  run: (limit: { readonly abortSignal?: AbortSignal }) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  if (ms === undefined) return run({});
  return withDeadline(ms, 'A write was not answered', (abortSignal) => run({ abortSignal }), outer);
}

/**
 * Waits for `work`, but no longer than until the signal aborts, whether or not the work heeds it. True when the work is
 * done; false when time is up first, and then its errors are ignored.
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
 * Waits for `run` no longer than so many milliseconds, whether or not it heeds the signal.
 *
 * @param what words the error: `It was not read`
 * @throws {@link DeadlineError} when time is up, and what `run` throws before that
 */
export function withDeadline<T>(
  ms: number,
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  return abortAfter(
    async (signal) => {
      const running = run(signal);
      if (await untilAborted(running, signal)) return running;
      outer?.throwIfAborted();
      throw new DeadlineError(what, ms);
    },
    ms,
    outer,
  );
}

/** Waits for `work` no longer than so many milliseconds. Never rejects: it is not needed for what goes on behind it. */
export async function triedFor(ms: number, work: Promise<unknown>): Promise<void> {
  await abortAfter((signal) => untilAborted(work, signal), ms).catch(() => false);
}

/**
 * Gives every single request so many milliseconds, and so every page of every list and every poll: from the second page
 * on the Key Vault SDK hands on no options, and an abort signal that a list was given is lost there. The body counts, but
 * where it is read as a stream.
 *
 * @param msOf milliseconds by HTTP method: a write may take longer than a read
 * @returns an HTTP client for the `httpClient` option of any Azure SDK; it throws {@link DeadlineError}
 */
export function deadlineHttp(msOf: (method: string) => number, http: HttpClient = DEFAULT_HTTP): HttpClient {
  return {
    async sendRequest(request) {
      const ms = msOf(request.method);
      const outer = request.abortSignal;
      const box = new AbortController();
      const giveUp = (): void => box.abort();
      const timer = setTimeout(giveUp, ms);
      if (outer?.aborted) giveUp();
      outer?.addEventListener('abort', giveUp);
      request.abortSignal = box.signal;
      let response: PipelineResponse | undefined;
      try {
        const asking = http.sendRequest(request);
        // It does not end by itself when a compressed answer breaks off: the SDK waits for the rest of it.
        if (!(await untilAborted(asking, box.signal))) throw new DOMException('The request was aborted.', 'AbortError');
        response = await asking;
        return response;
      } catch (error) {
        if (!box.signal.aborted || outer?.aborted) throw error;
        throw new DeadlineError(`${new URL(request.url).hostname} did not answer`, ms);
      } finally {
        clearTimeout(timer);
        // The outer policies send the request again, or read it: they need the signal that they know.
        if (outer) request.abortSignal = outer;
        else delete request.abortSignal;
        const letGo = (): void => outer?.removeEventListener('abort', giveUp);
        // Who reads a stream can still give it up.
        if (response?.readableStreamBody) response.readableStreamBody.once('close', letGo);
        else letGo();
      }
    },
  };
}

const DEFAULT_HTTP = createKeptHttp();

/**
 * A credential that gives up after so many milliseconds: a managed-identity endpoint that hangs must not hang a call, and
 * it heeds no signal.
 */
export function withTokenDeadline(credential: TokenCredential, ms: number): TokenCredential {
  return {
    getToken: (scopes, options = {}) => {
      // All callers share one token, which the SDK refreshes with the signal of the first caller: if that has aborted, no
      // caller would get a token.
      const asked = options.abortSignal;
      const outer = asked instanceof AbortSignal && !asked.aborted ? asked : undefined;
      const get = (abortSignal: AbortSignal) => credential.getToken(scopes, { ...options, abortSignal });
      return withDeadline(ms, 'There was no token to be had', get, outer);
    },
  };
}
