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
  readonly #taken = new Map<string, Map<number, number>>();

  constructor({ burst, perSecond }: TokenBudget) {
    this.#most = Math.floor(burst / 2);
    this.#spanMs = (this.#most / perSecond) * 1000;
  }

  /** When so many calls may come, at `fromMs` or later; nothing is taken yet. */
  earliest(place: string, fromMs: number, calls: number): number {
    const taken = this.#of(place);
    let span = Math.floor(fromMs / this.#spanMs);
    while ((taken.get(span) ?? 0) + calls > this.#most) span += 1;
    return Math.max(fromMs, span * this.#spanMs);
  }

  /** Takes so many calls at that time. */
  commit(place: string, atMs: number, calls: number): void {
    const taken = this.#of(place);
    const span = Math.floor(atMs / this.#spanMs);
    taken.set(span, (taken.get(span) ?? 0) + calls);
  }

  /** Gives back calls that were taken for about that time. */
  release(place: string, atMs: number, calls: number): void {
    giveBack(this.#of(place), Math.floor(atMs / this.#spanMs), calls);
  }

  /** Forgets what is over. */
  forget(place: string, nowMs: number): void {
    const now = Math.floor(nowMs / this.#spanMs);
    for (const span of this.#of(place).keys()) if (span < now) this.#taken.get(place)?.delete(span);
  }

  #of(place: string): Map<number, number> {
    const taken = this.#taken.get(place) ?? new Map<number, number>();
    this.#taken.set(place, taken);
    return taken;
  }
}

/** Takes calls out of that span, or out of the one beside it: nobody knows to the millisecond when they were to be. */
export function giveBack(taken: Map<number, number>, span: number, calls: number): void {
  const found = [span, span - 1, span + 1].find((index) => (taken.get(index) ?? 0) >= calls);
  if (found === undefined) return;
  const left = (taken.get(found) ?? 0) - calls;
  if (left > 0) taken.set(found, left);
  else taken.delete(found);
}
