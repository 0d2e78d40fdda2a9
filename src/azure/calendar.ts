import { TakenCalls } from './taken-calls.ts';

/** A token bucket as a service has it: so many calls at once, and so many a second from then on. */
export interface TokenBudget {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * Keeps calls within a token bucket, in whichever order their times are taken: what is put off for long in one region does
 * not hold up another one of the same subscription. Time is cut into spans in which half of a burst comes back, and each
 * takes that many: any two spans together fit the burst, and all further ones what has come back by then.
 */
export class Calendar {
  readonly #spanMs: number;
  readonly #most: number;
  readonly #taken = new Map<string, TakenCalls>();

  constructor({ burst, perSecond }: TokenBudget) {
    this.#most = Math.floor(burst / 2);
    this.#spanMs = (this.#most / perSecond) * 1000;
  }

  /** When so many calls may come, at `fromMs` or later; nothing is taken yet. */
  earliest(place: string, fromMs: number, calls: number): number {
    const taken = this.#of(place);
    let span = taken.part(fromMs);
    while (taken.in(span) + calls > this.#most) span += 1;
    return Math.max(fromMs, span * this.#spanMs);
  }

  /** Takes so many calls at that time. */
  commit(place: string, atMs: number, calls: number): void {
    this.#of(place).take(atMs, calls);
  }

  /** Gives back calls that were taken for that time. Of a span that is over nothing is left to others. */
  release(place: string, atMs: number, calls: number): void {
    this.#of(place).giveBack(atMs, calls);
  }

  /** Forgets what is over. */
  forget(place: string, nowMs: number): void {
    const taken = this.#of(place);
    taken.forget(taken.part(nowMs));
  }

  #of(place: string): TakenCalls {
    const taken = this.#taken.get(place) ?? new TakenCalls(this.#spanMs);
    this.#taken.set(place, taken);
    return taken;
  }
}
