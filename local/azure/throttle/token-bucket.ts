/** A token bucket on the caller's clock: `capacity` tokens, refilled evenly. */
export class TokenBucket {
  readonly #capacity: number;
  readonly #perMs: number;
  #tokens: number;
  #atMs: number;

  constructor(capacity: number, refillPerSecond: number, nowMs: number) {
    this.#capacity = capacity;
    this.#perMs = refillPerSecond / 1000;
    this.#tokens = capacity;
    this.#atMs = nowMs;
  }

  /** Whole tokens left. */
  remaining(nowMs: number): number {
    this.#refill(nowMs);
    return Math.floor(this.#tokens + 1e-9);
  }

  /** Milliseconds until a token is available; 0 if one is. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens + 1e-9 >= 1 ? 0 : (1 - this.#tokens) / this.#perMs;
  }

  /** Takes a token. The caller has checked {@link waitMs}. */
  take(nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens -= 1;
  }

  #refill(nowMs: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}
