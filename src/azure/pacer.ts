/** A budget of so many calls in so many milliseconds, of which `burst` may come at once. */
export interface Budget {
  readonly calls: number;
  readonly perMs: number;
  readonly burst: number;
}

/**
 * The Storage resource provider's budget for writes, per subscription and region: 10 a second and 1,200 an hour
 * (Azure Resource Manager, "Understand how Azure Resource Manager throttles requests", storage throttling). Few come at
 * once, so that requests that were held up on the way and arrive together still fit the provider's own count.
 */
export const STORAGE_WRITES: readonly Budget[] = [
  { calls: 10, perMs: 1_000, burst: 4 },
  { calls: 1_200, perMs: 3_600_000, burst: 1_200 },
];

/**
 * Azure Resource Manager's budget for reads, per subscription and principal: 25 a second, and 250 at once (same source).
 * Some are left to the lists of accounts, which are not paced.
 */
export const ARM_READS: Budget = { calls: 25, perMs: 1_000, burst: 240 };

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Hands out turns, so that writes stay within the provider's budgets instead of running into 429. One pacer covers one
 * instance of the app; when several instances write to the same region, the service's own 429 tells them.
 */
export class Pacer {
  readonly #budgets: readonly Budget[];
  readonly #cells = new Map<string, Bucket[]>();

  constructor(budgets: readonly Budget[]) {
    this.#budgets = budgets;
  }

  /** Takes a turn of so many calls in `cell` and returns how long to wait for it, in milliseconds. */
  reserve(cell: string, nowMs: number, calls = 1): number {
    const buckets = this.#cells.get(cell) ?? this.#budgets.map(({ burst }) => ({ tokens: burst, at: nowMs }));
    this.#cells.set(cell, buckets);
    const waits = this.#budgets.map((budget, index) => {
      const bucket = buckets[index] ?? { tokens: 0, at: nowMs };
      const earned = (Math.max(0, nowMs - bucket.at) * budget.calls) / budget.perMs;
      bucket.tokens = Math.min(budget.burst, bucket.tokens + earned) - calls;
      bucket.at = nowMs;
      return bucket.tokens >= 0 ? 0 : Math.ceil((-bucket.tokens * budget.perMs) / budget.calls);
    });
    return Math.max(0, ...waits);
  }

  /** Gives back a turn that was taken and not used. */
  release(cell: string, calls = 1): void {
    for (const bucket of this.#cells.get(cell) ?? []) bucket.tokens += calls;
  }
}
