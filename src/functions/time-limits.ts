import { DeadlineError, withDeadline } from '../azure/deadline.ts';
import { type JobOutcome, type Outcome, toOutcome } from '../work/outcome.ts';

/**
 * Time limits of functions, in milliseconds. Each call has its own deadline (`azure/limits.ts`); these limits cover all
 * calls of a function together. Without them, the host would kill the process after `functionTimeout` of host.json.
 */
export const TIME_LIMITS = {
  /** A key's work: listing its versions, and the accounts of every subscription. */
  keyWork: 10 * 60_000,
  /** Event Grid waits 30 s for an answer ("Event Grid message delivery and retry"), then sends the event again. */
  event: 25_000,
  /** Finding overdue work and sending its messages. */
  sweep: 100_000,
  /** Checking the keys of all Managed HSMs; the function starts no HSM after half of this time. */
  hsmWatch: 4 * 60_000,
  /** A notification: lease, a request of 10 s to the receiver, and outbox entry. */
  notification: 45_000,
  /** Collecting notifications; the next run resumes where this run ended. */
  collect: 50_000,
} as const;

/** Wraps an event handler to fail before Event Grid's timeout, so Event Grid sends the event again. */
export function wrapEventHandler<A extends readonly unknown[]>(
  handle: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  return (...args) => withDeadline(TIME_LIMITS.event, 'The function did not finish', () => handle(...args));
}

/** Runs the work of a message. Its outcome after the time limit is a retry that counts as an attempt. */
export async function runWithTimeLimit<O extends JobOutcome>(ms: number, run: () => Promise<O>): Promise<O | Outcome> {
  try {
    return await withDeadline(ms, 'The function did not finish', run);
  } catch (error) {
    if (error instanceof DeadlineError) return toOutcome(error);
    throw error;
  }
}
