/** Decides what has to be said again: the same thing no more than once in so long, in this instance. */
export class AtMostEvery {
  readonly #ms: number;
  readonly #lastMs = new Map<string, number>();

  /** @param ms milliseconds */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Whether `what` is due now; it counts as said then. */
  due(what: string, nowMs: number): boolean {
    const last = this.#lastMs.get(what);
    if (last !== undefined && nowMs - last < this.#ms) return false;
    this.#lastMs.set(what, nowMs);
    return true;
  }
}
