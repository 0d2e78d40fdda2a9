import { describeFailure } from './failure.ts';

/** Longest pause before the one retry of a call, in milliseconds: the caller can repeat the whole. */
const LONGEST_PAUSE_MS = 1_000;

/** Calls once more after a failure that may pass, soon. */
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
