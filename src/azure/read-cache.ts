import { cacheRecent } from './cache-recent.ts';
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

interface Reading<T> {
  readonly promise: Promise<CachedRead<T>>;
  /** Number of invalidations at its start: a read with a lower number than the entry's is not shared. */
  readonly changes: number;
  readonly beganMs: number;
  endedMs?: number;
}

interface Entry<T> {
  /** Number of invalidations. */
  changes: number;
  /** Last read, in flight or done; undefined after a failure. */
  reading?: Reading<T> | undefined;
  /** Read that starts after `reading`. */
  next?: Promise<CachedRead<T>> | undefined;
  /** Last successful read. */
  last?: CachedRead<T> & { readonly changes: number; readonly beganMs: number };
}

/** A cache with time to live, single flight and stale-while-revalidate. Failures are not cached. */
export class ReadCache<T> {
  readonly #ttlMs: number;
  readonly #entry = cacheRecent<Entry<T>>(() => ({ changes: 0 }), MOST_NAMES);

  /**
   * @param ttlMs time to live from the end of a read. A slow read is cached for at least its own duration, so reads do
   * not follow each other without a pause
   */
  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /**
   * Reads through the cache. Concurrent callers share a read. Callers after an invalidation share the next read, which
   * starts when the read in flight has ended.
   */
  read(name: string, load: () => Promise<T>, now: () => Date = CLOCK): Promise<CachedRead<T>> {
    const entry = this.#entry(name);
    const { reading } = entry;
    if (reading?.changes === entry.changes && this.#isFresh(reading)) return reading.promise;
    if (entry.next) return entry.next;

    const start = (): Promise<CachedRead<T>> => {
      entry.next = undefined;
      return startRead(entry, now(), load);
    };
    if (!reading || reading.endedMs !== undefined) return start();

    entry.next = reading.promise.then(start, start);

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

  #isFresh({ beganMs, endedMs }: Reading<T>): boolean {
    return endedMs === undefined || performance.now() - endedMs < Math.max(this.#ttlMs, endedMs - beganMs);
  }
}

function startRead<T>(entry: Entry<T>, readOn: Date, load: () => Promise<T>): Promise<CachedRead<T>> {
  const began = { changes: entry.changes, beganMs: performance.now() };
  const promise = load().then(
    (value) => {
      reading.endedMs = performance.now();
      entry.last = { value, readOn, ...began };
      return { value, readOn };
    },
    (error: unknown) => {
      entry.reading = undefined;
      throw error;
    },
  );

  const reading: Reading<T> = { ...began, promise };
  entry.reading = reading;

  return promise;
}
