import { messageOf } from '../errors.ts';

/** How long an answer waits for the queue, in milliseconds. It does not hold up the key. */
const QUEUE_WAIT_MS = 2_000;

/** Runs optional work that must not delay the answer. @returns a warning for work that failed or took too long */
export async function inTime(what: string, run: () => Promise<void>): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${QUEUE_WAIT_MS} ms`)), QUEUE_WAIT_MS);
  });
  const work = run();
  work.catch(() => {}); // after the deadline no caller handles the rejection
  try {
    await Promise.race([work, timeUp]);
    return [];
  } catch (error) {
    return [`${what} (${messageOf(error).split('\n')[0]})`];
  } finally {
    clearTimeout(timer);
  }
}
