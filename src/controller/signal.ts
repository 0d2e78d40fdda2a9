/** Wakes the loops that wait for a change. */
export class Signal {
  #next = Promise.withResolvers<void>();

  raise(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  /** Resolves when the signal is raised the next time. */
  get raised(): Promise<void> {
    return this.#next.promise;
  }
}
