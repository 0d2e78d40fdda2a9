interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** `setTimeout` on the simulation's clock (milliseconds), so that the product's own deadlines come due in it. */
export class VirtualTimers {
  readonly #timers = new Map<number, Timer>();
  readonly #now: () => number;
  #ids = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes the place of the machine's timers, until what is returned is called. */
  install(): () => void {
    const { setTimeout, clearTimeout } = globalThis;

    const set = (run: () => void, ms = 0): number => {
      this.#ids += 1;
      this.#timers.set(this.#ids, { at: this.#now() + ms, run });
      return this.#ids;
    };

    const clear = (id?: number): void => {
      if (id !== undefined) this.#timers.delete(id);
    };
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });

    return () => {
      Object.assign(globalThis, { setTimeout, clearTimeout });
    };
  }

  /** When the next one comes due. */
  next(): number {
    return Math.min(...[...this.#timers.values()].map(({ at }) => at));
  }

  /** Runs those that are due, in their order. */
  pass(): void {
    const due = [...this.#timers].filter(([, { at }]) => at <= this.#now()).sort(([, a], [, b]) => a.at - b.at);
    for (const [id, { run }] of due) {
      if (this.#timers.delete(id)) run();
    }
  }
}
