import { DeadlineError, timeBoxed, untilAborted } from './deadline.ts';

/** A reading is given up after so long, and what was read is shown for so long while another one is under way. Milliseconds. */
const READING_MS = 90_000;
const SHOWN_MS = 3 * 60_000;
/** What failed is not asked again within so long. Milliseconds. */
const FAILED_MS = 5_000;

/** What is known of a part now. */
export type PartTaken<T> =
  | { readonly value: T; readonly readOn: Date; readonly ageMs: number }
  | { readonly error: unknown }
  | { readonly reading: true };

/** How a reading ended: what came of it, and when it began and ended. Milliseconds. */
interface Ended<T> {
  readonly outcome: { readonly value: T; readonly readOn: Date } | { readonly error: unknown };
  readonly beganMs: number;
  readonly endedMs: number;
}

/**
 * Something that many look at together with other things, and that must not hold those up: whoever asks waits a moment for
 * it, and then has what was read before, while the reading goes on for all who ask.
 */
export class KeptPart<T> {
  readonly #believedMs: number;
  #last: Ended<T> | undefined;
  #reading: Promise<void> | undefined;

  /** @param believedMs not read again for so long, or for as long as the reading took if that is longer. Milliseconds. */
  constructor(believedMs: number) {
    this.#believedMs = believedMs;
  }

  /** Never throws. @param waitMs for what is not known or believed any more, in milliseconds */
  take(read: () => Promise<T>, now: () => Date, waitMs: number): Promise<PartTaken<T>> {
    return this.begin(read, now)(waitMs);
  }

  /** The same for whoever has something else to wait for first: it is being read meanwhile. */
  begin(read: () => Promise<T>, now: () => Date): (waitMs: number) => Promise<PartTaken<T>> {
    const isBelieved = this.#isBelieved();
    if (!isBelieved) this.#reading ??= this.#read(read, now());
    const reading = isBelieved ? undefined : this.#reading;
    return async (waitMs) => {
      if (reading) await timeBoxed((signal) => untilAborted(reading, signal), waitMs);
      const last = this.#last;
      if (!last) return { reading: true };
      return { ...last.outcome, ageMs: performance.now() - last.beganMs };
    };
  }

  #isBelieved(): boolean {
    if (!this.#last) return false;
    const { outcome, beganMs, endedMs } = this.#last;
    const forMs = 'error' in outcome ? FAILED_MS : Math.max(this.#believedMs, endedMs - beganMs);
    return performance.now() - endedMs < forMs;
  }

  async #read(read: () => Promise<T>, readOn: Date): Promise<void> {
    const beganMs = performance.now();
    const outcome = await outcomeOf(read, readOn);
    const ended = { outcome, beganMs, endedMs: performance.now() };
    this.#last = ended;
    this.#reading = undefined;
    const forget = (): void => {
      if (this.#last === ended) this.#last = undefined;
    };
    setTimeout(forget, SHOWN_MS).unref();
  }
}

async function outcomeOf<T>(read: () => Promise<T>, readOn: Date): Promise<Ended<T>['outcome']> {
  try {
    return await timeBoxed(async (signal) => {
      const reading = read();
      if (await untilAborted(reading, signal)) return { value: await reading, readOn };
      throw new DeadlineError('It could not be read', READING_MS);
    }, READING_MS);
  } catch (error) {
    return { error };
  }
}
