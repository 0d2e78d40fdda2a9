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
 * Spreads accounts over time by subscription and region, as fast as the provider takes calls there: an account whose turn
 * comes later stays invisible in the queue until then, and a large region does not stand in the way of the others.
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
    const cell = pacingCell(account);
    const before = this.#dispatched.get(cell) ?? 0;
    this.#dispatched.set(cell, before + 1);
    // One second early, so that a worker that is free never waits for the queue; the pacer sees to the rest.
    const turn = Math.max(0, Math.floor(before / this.#callsPerSecond) - 1);
    await this.#send(account, notBeforeSeconds + turn);
  }
}
