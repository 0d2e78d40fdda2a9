/** Limits repeated reports in this instance: each at most once per interval. */
export class AtMostEvery {
  readonly #ms: number;
  readonly #lastMs = new Map<string, number>();

  /** @param ms milliseconds */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Returns whether a report is due, and counts it as sent. */
  due(what: string, nowMs: number): boolean {
    const last = this.#lastMs.get(what);
    if (last !== undefined && nowMs - last < this.#ms) return false;
    this.#lastMs.set(what, nowMs);
    return true;
  }
}
