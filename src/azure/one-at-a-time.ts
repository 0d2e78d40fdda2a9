import { untilAborted } from './deadline.ts';

/** Runs work of the same name one after the other, and of different names concurrently. */
export class OneAtATime {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs the work when it is its turn; when the signal aborts before, at once: it has to see that and end. */
  run<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const running = untilAborted(before, signal).then(() => work());
    // A caller that aborts passes its place in the queue on to the next.
    const over = Promise.allSettled([before, running]).then(() => {
      if (this.#last.get(name) === over) this.#last.delete(name);
    });
    this.#last.set(name, over);
    return running;
  }
}
