/** Of so many that wait one goes on in each turn, of twice as many two: held back for longer, they would fill the memory. */
const WAITING_FOR_ONE = 500;

/**
 * Has what is not urgent wait for what arrives meanwhile. Node reads thousands of requests that have arrived at once before
 * it comes to anything else, such as the next answer that somebody's revocation waits for; were each of them answered at
 * once, that would take seconds. Of what waits here a few go on in each turn of the event loop, in order. Where nothing else
 * is to be done, nothing is lost.
 */
export class GivingWay {
  readonly #waiting: (() => void)[] = [];

  /** Resolves when it is one's turn. */
  async turn(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(() => this.#callNext());
    });
  }

  #callNext(): void {
    const many = Math.ceil(this.#waiting.length / WAITING_FOR_ONE);
    for (const goOn of this.#waiting.splice(0, many)) goOn();
    if (this.#waiting.length > 0) setImmediate(() => this.#callNext());
  }
}
