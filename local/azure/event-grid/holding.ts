import type { Clock } from '../clock.ts';

/** A reordered event is held back until another one of its subscription has arrived, or for this long on the clock. */
const holdMs = 10_000;

/** Holds events back, at most one a subscription, so that the next one overtakes it. */
export class Holding {
  readonly #clock: Clock;
  readonly #held = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Holds `send` back; false when the subscription has one held already, which this one is to overtake. */
  hold(subscriptionId: string, send: () => void): boolean {
    if (this.#held.has(subscriptionId)) return false;
    const cancel = this.#clock.schedule(this.#clock.nowMs() + holdMs, () => this.release(subscriptionId));
    this.#held.set(subscriptionId, () => {
      cancel();
      send();
    });
    return true;
  }

  /** Lets go of what is held for a subscription: another event of it has arrived. */
  release(subscriptionId: string): void {
    const send = this.#held.get(subscriptionId);
    this.#held.delete(subscriptionId);
    send?.();
  }
}
