/**
 * Gives `gather` so many milliseconds. When they are up, or `outer` aborts, its signal aborts: it stops what is under way
 * and returns what it has by then, marked as incomplete.
 */
export async function timeBoxed<T>(
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
  return timeBoxed((abortSignal) => run({ abortSignal }), ms, outer);
}

/**
 * Waits for `work`, but no longer than until the signal aborts, whether or not the work heeds it. True when the work is
 * done; false when time is up first, and then nobody hears of its errors.
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
