import { DeadlineError, endBy } from '../azure/deadline.ts';
import { type Outcome, outcomeOfFailure } from '../work/outcome.ts';

/**
 * When a function ends itself, in milliseconds. Every call it makes has a deadline of its own (`azure/limits.ts`); these
 * hold for all of them together, so that nothing waits for ever behind a function that does not end, and the host, which
 * ends one after `functionTimeout` of host.json by killing the process, never has to.
 */
export const TIME_LIMITS = {
  /** One account with its scopes: a few reads, and a write of up to a minute each. */
  accountWork: 3 * 60_000,
  /** A key: its versions, and the lists of accounts of every subscription. */
  keyWork: 10 * 60_000,
  /** Event Grid waits 30 s for an answer ("Event Grid message delivery and retry"), and then sends the event again. */
  event: 25_000,
  /** Finding what is overdue, and messaging it. */
  sweep: 100_000,
  /** The keys of all Managed HSMs; half of it for those that are begun. */
  hsmWatch: 4 * 60_000,
  /** One notification: a lease, a request to its receiver of 10 s, and what is noted of it. */
  notification: 45_000,
  /** What there is to be notified of; the next look goes on where this one ended. */
  collect: 50_000,
} as const;

/** A handler of events that ends itself in time for Event Grid to hear that it failed, and to send the event again. */
export function eventHandler<A extends readonly unknown[]>(
  handle: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  return (...args) => endBy(TIME_LIMITS.event, () => handle(...args));
}

/** Runs a piece of work from a queue; when its time is up it goes back there, and that counts as a try. */
export async function outcomeBy(ms: number, run: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await endBy(ms, run);
  } catch (error) {
    if (error instanceof DeadlineError) return outcomeOfFailure(error);
    throw error;
  }
}
