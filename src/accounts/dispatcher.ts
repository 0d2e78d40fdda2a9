import { type Account, pacingCell } from './account.ts';

/** Storage writes per second that the provider allows in one subscription and region (see `STORAGE_WRITES`). */
const WRITES_PER_SECOND = 10;

/**
 * Spreads accounts over time by subscription and region, as fast as the provider takes writes there: an account whose turn
 * comes later stays invisible in the queue until then, and a large region does not stand in the way of the others.
 */
export class Dispatcher {
  readonly #send: (account: Account, delaySeconds: number) => Promise<void>;
  readonly #dispatched = new Map<string, number>();

  constructor(send: (account: Account, delaySeconds: number) => Promise<void>) {
    this.#send = send;
  }

  async dispatch(account: Account): Promise<void> {
    const cell = pacingCell(account);
    const before = this.#dispatched.get(cell) ?? 0;
    this.#dispatched.set(cell, before + 1);
    // One second early, so that a worker that is free never waits for the queue; the pacer sees to the rest.
    await this.#send(account, Math.max(0, Math.floor(before / WRITES_PER_SECOND) - 1));
  }
}
