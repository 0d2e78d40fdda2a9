/** The delay after a message was found, in milliseconds. */
const LEAST_MS = 100;

/** The delay until the next read of an empty queue: it grows up to a limit, with some jitter. */
export class PollingDelay {
  readonly #mostMs: number;
  readonly #random: () => number;
  #exponent = 0;
  #currentMs = LEAST_MS;

  constructor(mostMs: number, random: () => number = Math.random) {
    this.#mostMs = mostMs;
    this.#random = random;
  }

  reset(): void {
    this.#exponent = 0;
    this.#currentMs = LEAST_MS;
  }

  /** Milliseconds until the next read. */
  next(): number {
    if (this.#exponent > 0) {
      this.#currentMs += (0.8 + 0.4 * this.#random()) * 2 ** (this.#exponent - 1) * LEAST_MS;
    }
    this.#currentMs = Math.min(this.#currentMs, this.#mostMs);
    if (this.#currentMs < this.#mostMs) this.#exponent += 1;
    return this.#currentMs;
  }
}
