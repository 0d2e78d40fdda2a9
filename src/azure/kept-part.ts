import { DeadlineError, timeBoxed, untilAborted } from './deadline.ts';

/** A reading is given up after so long, and what was read is shown for so long while another one is under way. Milliseconds. */
const READING_MS = 90_000;
const SHOWN_MS = 3 * 60_000;
/** Readings at the same time, when changes come one after the other: the rest is read after those. */
const MOST_READINGS = 2;
/** So many readings begin at once, where each follows a change; from then on, one in half the time for which one is believed. */
const READINGS_AT_ONCE = 5;
/** What failed is not asked again within so long. Milliseconds. */
const FAILED_MS = 5_000;

/** What is known of a part now. */
export type PartTaken<T> =
  | {
      readonly value: T;
      readonly readOn: Date;
      readonly ageMs: number;
      /** It is known to have changed since, and is being read again, or will be by whoever asks when its pace allows it. */
      readonly reading?: true;
    }
  | { readonly error: unknown }
  | { readonly reading: true };

/** When a reading began, in milliseconds, and how often the part had been changed by then. */
interface Begun {
  readonly beganMs: number;
  readonly changes: number;
}

/** How a reading ended: what came of it, and when. Milliseconds. */
interface Ended<T> extends Begun {
  readonly outcome: { readonly value: T; readonly readOn: Date } | { readonly error: unknown };
  readonly endedMs: number;
}

/**
 * Something that many look at together with other things, and that must not hold those up: whoever asks waits a moment for
 * it, and then has what was read before, while the reading goes on for all who ask.
 */
export class KeptPart<T> {
  readonly #believedMs: number;
  #last: Ended<T> | undefined;
  #reading: { readonly begun: Begun; readonly ended: Promise<void> } | undefined;
  #readings = 0;
  #changes = 0;
  /** When all readings that have begun would have, one after the other at their pace. Milliseconds. */
  #pacedMs = Number.NEGATIVE_INFINITY;

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
    // One that began before the last change may be without it, and may hang.
    const isNeeded = !isBelieved && this.#reading?.begun.changes !== this.#changes;
    if (isNeeded && this.#readings < MOST_READINGS && this.#keepsPace()) {
      const begun = { beganMs: performance.now(), changes: this.#changes };
      this.#reading = { begun, ended: this.#read(begun, read, now()) };
    }
    const reading = isBelieved ? undefined : this.#reading?.ended;
    return async (waitMs) => {
      if (reading) await timeBoxed((signal) => untilAborted(reading, signal), waitMs);
      const last = this.#last;
      if (!last) return { reading: true };
      if ('error' in last.outcome) return last.outcome;
      const known = { ...last.outcome, ageMs: performance.now() - last.beganMs };
      return last.changes === this.#changes ? known : { ...known, reading: true };
    };
  }

  /** It has been changed: nothing that began to be read before now is believed. */
  change(): void {
    this.#changes += 1;
  }

  #isBelieved(): boolean {
    if (!this.#last || this.#last.changes !== this.#changes) return false;
    const { outcome, beganMs, endedMs } = this.#last;
    const forMs = 'error' in outcome ? FAILED_MS : Math.max(this.#believedMs, endedMs - beganMs);
    return performance.now() - endedMs < forMs;
  }

  /** What is read takes requests that others need, such as a revocation in the same vault: changes without end cost no more. */
  #keepsPace(): boolean {
    const [nowMs, stepMs] = [performance.now(), this.#believedMs / 2];
    if (this.#pacedMs - nowMs > (READINGS_AT_ONCE - 1) * stepMs) return false;
    this.#pacedMs = Math.max(this.#pacedMs, nowMs) + stepMs;
    return true;
  }

  async #read(begun: Begun, read: () => Promise<T>, readOn: Date): Promise<void> {
    this.#readings += 1;
    const outcome = await outcomeOf(read, readOn);
    this.#readings -= 1;
    if (this.#reading?.begun === begun) this.#reading = undefined;
    // One that began later has ended already.
    if (this.#last && this.#last.changes > begun.changes) return;
    const last = { ...begun, outcome, endedMs: performance.now() };
    this.#last = last;
    const forget = (): void => {
      if (this.#last === last) this.#last = undefined;
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
