/**
 * Runs what it is given, at most `concurrency` at a time, in the order in which it was given.
 *
 * @param signal once it aborts, nothing more is begun, and what waits is rejected with its reason: thousands of requests that
 * are begun only to be given up hold up everybody else for seconds
 */
export function limited(concurrency: number, signal?: AbortSignal): <T>(run: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (run) => {
    if (running >= concurrency) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      signal?.throwIfAborted();
      return await run();
    } finally {
      // The turn goes straight to the next one, if there is one.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
