import { ARM_READS } from '../azure/pacer.ts';
import { type Account, pacingCell } from './account.ts';

/** Storage writes per second that the provider allows in one subscription and region (see `STORAGE_WRITES`). */
export const WRITES_PER_SECOND = 10;
/**
 * Lists per second that the provider allows in one subscription and region: 100 in five minutes (Azure Resource Manager,
 * "Understand how Azure Resource Manager throttles requests"). Whether a list of encryption scopes counts as one is not
 * documented, so it is taken to.
 */
export const LISTS_PER_SECOND = 100 / 300;

/**
 * Reads of Azure Resource Manager that an account costs: the account itself, once more right before it is written, and the
 * list of its encryption scopes.
 */
export const READS_PER_ACCOUNT = 3;

/**
 * Spreads accounts over time by subscription and region, as fast as the provider takes calls there, and by subscription,
 * as fast as Azure Resource Manager takes reads: an account whose turn comes later stays invisible in the queue until
 * then, and a large region does not stand in the way of the others.
 */
export class Dispatcher<A extends Pick<Account, 'subscriptionId' | 'location'> = Account> {
  readonly #callsPerSecond: number;
  readonly #send: (account: A, delaySeconds: number) => Promise<void>;
  readonly #dispatched = new Map<string, number>();

  constructor(callsPerSecond: number, send: (account: A, delaySeconds: number) => Promise<void>) {
    this.#callsPerSecond = callsPerSecond;
    this.#send = send;
  }

  /** @param notBeforeSeconds no earlier than in so many seconds */
  async dispatch(account: A, notBeforeSeconds = 0): Promise<void> {
    const callSeconds = this.#take(pacingCell(account)) / this.#callsPerSecond;
    const reads = this.#take(account.subscriptionId) * READS_PER_ACCOUNT;
    const readSeconds = ((reads - ARM_READS.burst) * ARM_READS.perMs) / ARM_READS.calls / 1000;
    // One second early, so that a worker that is free never waits for the queue; the pacers see to the rest.
    const turn = Math.max(0, Math.floor(Math.max(callSeconds, readSeconds)) - 1);
    await this.#send(account, notBeforeSeconds + turn);
  }

  /** How many were dispatched there before. */
  #take(where: string): number {
    const before = this.#dispatched.get(where) ?? 0;
    this.#dispatched.set(where, before + 1);
    return before;
  }
}
