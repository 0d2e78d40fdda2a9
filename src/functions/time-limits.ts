import { DeadlineError, withDeadline } from '../azure/deadline.ts';
import { type Outcome, outcomeOfFailure } from '../work/outcome.ts';

/**
 * When a function ends itself, in milliseconds. Each call that it makes has a deadline of its own (`azure/limits.ts`); these
 * limit all of its calls together. Otherwise the host kills the process after `functionTimeout` of host.json.
 */
export const TIME_LIMITS = {
  /** A key: its versions, and the lists of accounts of every subscription. */
  keyWork: 10 * 60_000,
  /** Event Grid waits 30 s for an answer ("Event Grid message delivery and retry"), and then sends the event again. */
  event: 25_000,
  /** Finding overdue work, and sending its messages. */
  sweep: 100_000,
  /** The keys of all Managed HSMs; half of it for those that are begun. */
  hsmWatch: 4 * 60_000,
  /** One notification: a lease, a request of 10 s to the receiver, and its entry in the outbox. */
  notification: 45_000,
  /** New notifications; the next collection resumes where this one ended. */
  collect: 50_000,
} as const;

/** An event handler that fails before Event Grid stops waiting, so that Event Grid sends the event again. */
export function eventHandler<A extends readonly unknown[]>(
  handle: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  return (...args) => withDeadline(TIME_LIMITS.event, 'It was not done', () => handle(...args));
}

/** Runs the work of a message. When its time is up the message is requeued, which counts as a try. */
export async function outcomeBy(ms: number, run: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await withDeadline(ms, 'It was not done', run);
  } catch (error) {
    if (error instanceof DeadlineError) return outcomeOfFailure(error);
    throw error;
  }
}
