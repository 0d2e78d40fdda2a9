import { describeFailure } from './failure.ts';

/** Longest pause before the only retry, in milliseconds: the caller can repeat the whole call. */
const LONGEST_PAUSE_MS = 1_000;

/** Retries a call once, soon after a failure that may pass. */
export async function retryOnce<T>(call: () => Promise<T>, sleep: (ms: number) => Promise<void>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const { kind, retryAfterSeconds } = describeFailure(error);
    if (kind !== 'throttled' && kind !== 'unavailable' && kind !== 'conflict') throw error;
    await sleep(Math.min((retryAfterSeconds ?? 0.2) * 1000, LONGEST_PAUSE_MS));
    return call();
  }
}
