/** More than these do not wait: held back, they would fill the memory. */
const MOST_WAITING = 3_000;

/**
 * Has what is not urgent wait for what arrives meanwhile. Node reads thousands of requests that have arrived at once before
 * it comes to anything else, such as the next answer that somebody's revocation waits for; were each of them answered at
 * once, that would take seconds. Of what waits here one goes on in each turn of the event loop, in order. Where nothing else
 * is to be done, nothing is lost.
 */
export class GivingWay {
  readonly #waiting: (() => void)[] = [];

  /** Resolves when it is one's turn. */
  async turn(): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(() => this.#callNext());
    });
  }

  #callNext(): void {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(() => this.#callNext());
  }
}
