/** Names that are kept; those read longest ago go first. */
const MOST_NAMES = 5_000;

/** What was read, and when. */
interface RememberedRead<T> {
  readonly value: T;
  readonly readOn: Date;
}

/**
 * Believes what was read for a while, and lets those who ask meanwhile share one read: for what many look at again and again,
 * and nothing is decided by. A read that fails is not remembered.
 */
export class Remembered<T> {
  readonly #believedMs: number;
  readonly #reads = new Map<string, { readonly startedMs: number; readonly reading: Promise<RememberedRead<T>> }>();

  /** @param believedMs for how long, from the beginning of the read on, in milliseconds */
  constructor(believedMs: number) {
    this.#believedMs = believedMs;
  }

  /** It is known to have changed: the next one who asks reads it anew. */
  forget(name: string): void {
    this.#reads.delete(name);
  }

  read(name: string, now: () => Date, read: () => Promise<T>): Promise<RememberedRead<T>> {
    const startedMs = now().getTime();
    const known = this.#reads.get(name);
    if (known && startedMs - known.startedMs < this.#believedMs) return known.reading;
    const reading = read().then((value) => ({ value, readOn: new Date(startedMs) }));
    this.#reads.delete(name);
    this.#reads.set(name, { startedMs, reading });
    reading.catch(() => {
      if (this.#reads.get(name)?.reading === reading) this.#reads.delete(name);
    });
    const [oldest] = this.#reads.keys();
    if (this.#reads.size > MOST_NAMES && oldest !== undefined) this.#reads.delete(oldest);
    return reading;
  }
}
