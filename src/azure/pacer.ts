import type { TokenBudget } from './calendar.ts';
import { TakenCalls } from './taken-calls.ts';

/** A budget of so many calls in so many milliseconds. */
export interface Budget {
  readonly calls: number;
  readonly perMs: number;
  /**
   * How many may come at once, where a budget is a rate that comes back bit by bit. Left out: it is counted in windows, and
   * `calls` is the most in any span of that length, wherever the service begins to count.
   */
  readonly burst?: number;
}

/**
 * What Azure takes. The figures of the Storage resource provider hold for a subscription and region and are shared with
 * everybody who calls it there; its refusals name an "observation window". Those of Azure Resource Manager hold for a
 * subscription and the app's own identity, and are token buckets. Source of all: Azure Resource Manager, "Understand how
 * Azure Resource Manager throttles requests" (storage throttling; subscription and tenant limits).
 */
export const DOCUMENTED = {
  storageReads: { calls: 800, perMs: 300_000 },
  storageWritesASecond: { calls: 10, perMs: 1_000, burst: 10 },
  storageWritesAnHour: { calls: 1_200, perMs: 3_600_000 },
  /** Whether a list of encryption scopes counts as one is not documented, so it is taken to. */
  storageLists: { calls: 100, perMs: 300_000 },
  armReads: { burst: 250, perSecond: 25 },
  armWrites: { burst: 200, perSecond: 10 },
} as const satisfies Record<string, Budget | TokenBudget>;

/** The share of a budget that is the app's; the rest is left to others who call there. */
export function shareOf(budget: Budget, share: number): Budget {
  return { ...budget, calls: Math.max(1, Math.floor(budget.calls * share)) };
}

/** A window is kept in so many parts; what lies in the oldest one still counts. */
const PARTS = 60;
/** A rate is kept in parts of this length: what is laid out for an hour from now does not hold up who comes meanwhile. Milliseconds. */
const RATE_PART_MS = 10_000;
/** After a 429 calls come so many times further apart, at most so many times, and half of that is over after so long (ms). */
const SLOWER = 1.5;
const SLOWEST = 8;
const RECOVERS_MS = 10_000;

/** What was granted in one place (a subscription and region, or a subscription). */
interface Place {
  /** For each rate, in each of its parts: when the next call would come if all came evenly (the generic cell rate algorithm). Milliseconds. */
  readonly due: Map<number, number>[];
  /** For each window. */
  readonly windows: { readonly window: Budget; readonly taken: TakenCalls }[];
  closedUntil: number;
  slowness: number;
  slowedAt: number;
}

/**
 * Hands out times for calls, so that they stay within budgets instead of running into 429. Of a window, times are taken in
 * any order: what was handed out for later does not hold up who comes meanwhile. What the service refuses all the same closes the place for as long as it asked, and slows it down for a while: others call
 * there too, further instances of the app among them, and nobody tells them of each other.
 */
export class Pacer {
  readonly #rates: readonly Budget[];
  readonly #windows: readonly Budget[];
  readonly #places = new Map<string, Place>();

  constructor(budgets: readonly Budget[]) {
    this.#rates = budgets.filter(({ burst }) => burst !== undefined);
    this.#windows = budgets.filter(({ burst }) => burst === undefined);
  }

  /**
   * When so many calls may come, at `fromMs` or later; nothing is taken yet.
   *
   * @param isSlipped beside what is laid out for later: that slips as well. If it did not, who misses a turn would be the
   *   last of all, and the hour lost what they leave.
   */
  earliest(place: string, fromMs: number, calls = 1, isSlipped = false): number {
    const { due, windows, closedUntil } = this.#of(place);
    const slowness = this.#slowness(place, fromMs);
    let atMs = Math.max(fromMs, closedUntil);
    // What one of them puts off may come at a time at which another one has no room.
    for (let before = -1; before !== atMs; ) {
      before = atMs;
      for (const { window, taken } of windows) atMs = whenFree(window, taken, atMs, calls, isSlipped);
      for (const [index, rate] of this.#rates.entries()) {
        const early = slowness > 1 ? 0 : ((rate.burst ?? 1) - calls) * spacing(rate);
        atMs = whenDue(due[index] ?? new Map(), atMs, Math.max(0, early));
      }
    }
    return atMs;
  }

  /** Takes so many calls at that time. */
  commit(place: string, atMs: number, calls = 1): void {
    const { due, windows } = this.#of(place);
    const slowness = this.#slowness(place, atMs);
    for (const [index, rate] of this.#rates.entries()) {
      const ofRate = due[index] ?? new Map<number, number>();
      ofRate.set(ratePart(atMs), Math.max(dueIn(ofRate, ratePart(atMs)), atMs) + spacing(rate) * calls * slowness);
    }
    for (const { taken } of windows) taken.take(atMs, calls);
  }

  /**
   * Gives back to the windows a turn that was taken for that time and not used. A rate is back by itself by the time
   * that this is known; with what was not used before as well, it would be exceeded.
   */
  release(place: string, atMs: number, calls = 1): void {
    for (const { taken } of this.#of(place).windows) taken.giveBack(atMs, calls);
  }

  /** Forgets what does not count any more. */
  forget(place: string, nowMs: number): void {
    const { due, windows } = this.#of(place);
    for (const ofRate of due) for (const part of ofRate.keys()) if (part < ratePart(nowMs) - 1) ofRate.delete(part);
    for (const { taken } of windows) taken.forget(taken.part(nowMs) - PARTS);
  }

  /** The service said 429: nobody of this instance calls there until then, and for a while they come more slowly. */
  refused(place: string, nowMs: number, untilMs: number): void {
    const kept = this.#of(place);
    // Refusals of calls that were on their way together are one.
    if (nowMs >= kept.closedUntil) {
      kept.slowness = Math.min(this.#slowness(place, nowMs) * SLOWER, SLOWEST);
      kept.slowedAt = untilMs;
    }
    kept.closedUntil = Math.max(kept.closedUntil, untilMs);
  }

  /** Until when a place is closed by what the service said; of one that is not, a time that is over. */
  closedUntil(place: string): number {
    return this.#of(place).closedUntil;
  }

  #slowness(place: string, atMs: number): number {
    const { slowness, slowedAt } = this.#of(place);
    const left = 1 + (slowness - 1) / 2 ** (Math.max(0, atMs - slowedAt) / RECOVERS_MS);
    return left < 1.05 ? 1 : left;
  }

  #of(place: string): Place {
    const kept = this.#places.get(place) ?? {
      due: this.#rates.map(() => new Map()),
      windows: this.#windows.map((window) => ({ window, taken: new TakenCalls(partMs(window)) })),
      closedUntil: 0,
      slowness: 1,
      slowedAt: 0,
    };
    this.#places.set(place, kept);
    return kept;
  }
}

const spacing = ({ perMs, calls }: Budget): number => perMs / calls;
const partMs = ({ perMs }: Budget): number => perMs / PARTS;

const ratePart = (atMs: number): number => Math.floor(atMs / RATE_PART_MS);

/** When the next call of a part is due, as those before it and the part before have it. */
function dueIn(due: ReadonlyMap<number, number>, part: number): number {
  return Math.max(due.get(part - 1) ?? 0, due.get(part) ?? 0);
}

/** When a rate has room for a call that may come so much before it is due. */
function whenDue(due: ReadonlyMap<number, number>, fromMs: number, earlyMs: number): number {
  let atMs = fromMs;
  for (;;) {
    const part = ratePart(atMs);
    const dueMs = Math.max(atMs, dueIn(due, part) - earlyMs);
    if (ratePart(dueMs) === part) return dueMs;
    // That part is full; a later one may have room before all that is due.
    atMs = (part + 1) * RATE_PART_MS;
  }
}

/** When a window has room for so many calls more. A span of its length may lie in one part more than it has. */
function whenFree(window: Budget, taken: TakenCalls, fromMs: number, calls: number, isSlipped: boolean): number {
  // More than fit into it at all would wait for ever.
  const most = window.calls - Math.min(calls, window.calls);
  let atMs = fromMs;
  for (;;) {
    const part = taken.part(atMs);
    const full = lastFullSpan(taken, part, isSlipped ? part - PARTS : part, most);
    if (full === undefined) return atMs;
    atMs = (full + PARTS + 1) * partMs(window);
  }
}

/** The first part of the latest span around a part, that begins no later than in `latest`, with more calls than that. */
function lastFullSpan(taken: TakenCalls, part: number, latest: number, most: number): number | undefined {
  let used = 0;
  for (let index = latest; index <= latest + PARTS; index += 1) used += taken.in(index);
  for (let first = latest; first >= part - PARTS; first -= 1) {
    if (used > most) return first;
    used += taken.in(first - 1) - taken.in(first + PARTS);
  }
  return undefined;
}
