/** A value and the start of its read, in milliseconds. */
export interface FreshRead<T> {
  readonly value: T;
  readonly begunAt: number;
}

/** A cache that reads again if the last read is older than its time to live or than the request. Single flight. */
export class FreshReads<K extends { readonly id: string }, T> {
  readonly #ttlMs: number;
  readonly #read: (key: K) => Promise<T>;
  readonly #now: () => Date;
  readonly #reads = new Map<string, { readonly begunAt: number; readonly reading: Promise<FreshRead<T>> }>();
  /** The successful read that began last, by key. */
  readonly #known = new Map<string, FreshRead<T> & { readonly order: number }>();
  #begun = 0;

  constructor(ttlMs: number, read: (key: K) => Promise<T>, now: () => Date) {
    this.#ttlMs = ttlMs;
    this.#read = read;
    this.#now = now;
  }

  /** Throws the read's error. @param since start of the request */
  read(key: K, since: Date): Promise<FreshRead<T>> {
    const name = key.id;
    const begunAt = this.#now().getTime();
    const last = this.#reads.get(name);
    const ageMs = last ? begunAt - last.begunAt : Number.POSITIVE_INFINITY;

    // After a clock correction the age is negative, and `since` no longer shows which reads are newer.
    if (last && ageMs >= 0 && ageMs < this.#ttlMs && last.begunAt >= since.getTime()) return last.reading;

    this.#begun += 1;

    const order = this.#begun;
    const reading = this.#read(key).then((value) => {
      const read = { value, begunAt, order };
      if ((this.#known.get(name)?.order ?? 0) < order) this.#known.set(name, read);
      return read;
    });

    reading.catch(() => {});
    this.#reads.set(name, { begunAt, reading });

    return reading;
  }

  /** Returns the newest value, although a later read may have failed. */
  known(key: K): FreshRead<T> | undefined {
    return this.#known.get(key.id);
  }
}
