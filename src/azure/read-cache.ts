import { abortAfter, untilAborted } from './deadline.ts';

// Handwritten: no npm library both shares a read in flight and rejects a read that started before a known change.

/** Maximum number of cached names; the least recently used are dropped first. */
const MOST_NAMES = 5_000;
/** Age above which a stale value is not served during a refresh, in milliseconds. */
const STALE_MS = 3 * 60_000;
const CLOCK = (): Date => new Date();

interface CachedRead<T> {
  readonly value: T;
  readonly readOn: Date;
}

/** The cached value, a failed read, or a read in progress. */
export type PartTaken<T> =
  | (CachedRead<T> & {
      readonly ageMs: number;
      /** The value was invalidated, and a refresh is in progress. */
      readonly reading?: true;
    })
  | { readonly error: unknown }
  | { readonly reading: true };

interface Entry<T> {
  /** Number of invalidations. */
  changes: number;
  /** `changes` at the start of the last read: a read with a lower number is not shared. */
  begunAt: number;
  beganMs: number;
  endedMs: number | undefined;
  /** Last read, in flight or done; undefined after a failure. */
  reading: Promise<CachedRead<T>> | undefined;
  /** Read that starts after `reading`. */
  next: Promise<CachedRead<T>> | undefined;
  /** Last successful read. */
  last: (CachedRead<T> & { readonly changes: number; readonly beganMs: number }) | undefined;
}

/** A cache with time to live, single flight and stale-while-revalidate. Failures are not cached. */
export class ReadCache<T> {
  readonly #ttlMs: number;
  readonly #entries = new Map<string, Entry<T>>();

  /**
   * @param ttlMs time to live from the end of a read. A slow read is cached for at least its own duration, so reads do
   * not follow each other without a pause
   */
  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** Reads through the cache. @param load loads the value; concurrent callers share the first caller's load */
  read(name: string, load: () => Promise<T>, now: () => Date = CLOCK): Promise<CachedRead<T>> {
    const { reading, begunAt, changes, beganMs, endedMs } = this.#entry(name);
    const isFresh = endedMs === undefined || performance.now() - endedMs < Math.max(this.#ttlMs, endedMs - beganMs);
    if (reading && begunAt === changes && isFresh) return reading;
    return this.readAnew(name, load, now);
  }

  /** Reads with a request that starts after this call; concurrent callers share the next request. */
  readAnew(name: string, load: () => Promise<T>, now: () => Date = CLOCK): Promise<CachedRead<T>> {
    const entry = this.#entry(name);
    if (entry.next) return entry.next;
    if (!entry.reading || entry.endedMs !== undefined) return this.#start(entry, now(), load);
    const later = (): Promise<CachedRead<T>> => {
      entry.next = undefined;
      return this.#start(entry, now(), load);
    };
    entry.next = entry.reading.then(later, later);
    return entry.next;
  }

  /** Returns the value available after at most `waitMs`; the read continues. Never throws. */
  async take(name: string, load: () => Promise<T>, waitMs: number, now: () => Date = CLOCK): Promise<PartTaken<T>> {
    const entry = this.#entry(name);
    const reading = this.read(name, load, now);
    try {
      await abortAfter((signal) => untilAborted(reading, signal), waitMs);
    } catch (error) {
      return { error };
    }
    const { last, changes } = entry;
    const ageMs = last ? performance.now() - last.beganMs : STALE_MS;
    if (!last || ageMs >= STALE_MS) return { reading: true };
    const { value, readOn } = last;
    return { value, readOn, ageMs, ...(last.changes === changes ? {} : { reading: true }) };
  }

  /** Marks the value as changed: later callers do not share a read that started earlier. */
  invalidate(name: string): void {
    this.#entry(name).changes += 1;
  }

  #entry(name: string): Entry<T> {
    const never = { changes: 0, begunAt: 0, beganMs: Number.NEGATIVE_INFINITY, endedMs: undefined };
    const entry = this.#entries.get(name) ?? { ...never, reading: undefined, next: undefined, last: undefined };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MOST_NAMES && oldest !== undefined) this.#entries.delete(oldest);
    return entry;
  }

  #start(entry: Entry<T>, readOn: Date, load: () => Promise<T>): Promise<CachedRead<T>> {
    const [beganMs, { changes }] = [performance.now(), entry];
    Object.assign(entry, { beganMs, begunAt: changes, endedMs: undefined });
    const reading = load().then(
      (value) => {
        const read = { value, readOn };
        entry.last = { ...read, changes, beganMs };
        entry.endedMs = performance.now();
        return read;
      },
      (error: unknown) => {
        entry.reading = undefined;
        throw error;
      },
    );
    entry.reading = reading;
    return reading;
  }
}
