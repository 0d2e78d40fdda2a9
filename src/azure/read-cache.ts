import { abortAfter, untilAborted } from './deadline.ts';

// By hand: no library on npm both joins a read in flight and rejects one that began before a known change.

/** Cached names; the least recently used are dropped first. */
const MOST_NAMES = 5_000;
/** An older value is not served while it is read again. Milliseconds. */
const STALE_MS = 3 * 60_000;
const CLOCK = (): Date => new Date();

interface CachedRead<T> {
  readonly value: T;
  readonly readOn: Date;
}

/** The value known now, a failed read, or a read that takes longer. */
export type PartTaken<T> =
  | (CachedRead<T> & {
      readonly ageMs: number;
      /** Invalidated since, and being read again. */
      readonly reading?: true;
    })
  | { readonly error: unknown }
  | { readonly reading: true };

interface Entry<T> {
  /** Invalidations so far. */
  changes: number;
  /** `changes` when the last read began: a read with fewer is not shared. */
  begunAt: number;
  beganMs: number;
  endedMs: number | undefined;
  /** The last read, in flight or done; undefined after a failure. */
  reading: Promise<CachedRead<T>> | undefined;
  /** The read that begins after `reading`. */
  next: Promise<CachedRead<T>> | undefined;
  /** The last read that succeeded. */
  last: (CachedRead<T> & { readonly changes: number; readonly beganMs: number }) | undefined;
}

/** A cache with time to live, single flight and stale-while-revalidate. Failures are not cached. */
export class ReadCache<T> {
  readonly #ttlMs: number;
  readonly #entries = new Map<string, Entry<T>>();

  /**
   * @param ttlMs from the end of a read. A read that took longer is kept for as long as it took, so that reads do not follow each
   *   other without a pause
   */
  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** Reads by name. @param load callers that share a read get what the first caller's loads */
  read(name: string, load: () => Promise<T>, now: () => Date = CLOCK): Promise<CachedRead<T>> {
    const { reading, begunAt, changes, beganMs, endedMs } = this.#entry(name);
    const isFresh = endedMs === undefined || performance.now() - endedMs < Math.max(this.#ttlMs, endedMs - beganMs);
    if (reading && begunAt === changes && isFresh) return reading;
    return this.readAnew(name, load, now);
  }

  /** Reads by a request that begins after this call; concurrent callers share the next one. */
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

  /** Returns what is known after `waitMs` at most; the read goes on. Never throws. */
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

  /** The value has changed: later callers do not share a read that began before. */
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
