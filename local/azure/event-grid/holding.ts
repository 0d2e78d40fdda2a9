import type { Clock } from '../clock.ts';

/** A reordered event waits for another event of its subscription, but no longer than this on the clock. */
const holdMs = 10_000;

/** Holds at most one event for each subscription, so that the next event overtakes it. */
export class Holding {
  readonly #clock: Clock;
  readonly #held = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Holds `send`; false if the subscription already has a held event, which this one then overtakes. */
  hold(subscriptionId: string, send: () => void): boolean {
    if (this.#held.has(subscriptionId)) return false;
    const cancel = this.#clock.schedule(this.#clock.nowMs() + holdMs, () => this.release(subscriptionId));
    this.#held.set(subscriptionId, () => {
      cancel();
      send();
    });
    return true;
  }

  /** Sends the held event of a subscription, since another event of it has arrived. */
  release(subscriptionId: string): void {
    const send = this.#held.get(subscriptionId);
    this.#held.delete(subscriptionId);
    send?.();
  }
}
