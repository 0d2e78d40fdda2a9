/** A budget of so many calls in so many milliseconds. */
export interface Budget {
  readonly calls: number;
  readonly perMs: number;
}

/**
 * The Storage resource provider's budget for writes, per subscription and region: 10 a second and 1,200 an hour
 * (Azure Resource Manager, "Understand how Azure Resource Manager throttles requests", storage throttling).
 */
export const STORAGE_WRITES: readonly Budget[] = [
  { calls: 10, perMs: 1_000 },
  { calls: 1_200, perMs: 3_600_000 },
];

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

  /** Takes a turn in `cell` and returns how long to wait for it, in milliseconds. */
  reserve(cell: string, nowMs: number): number {
    const buckets = this.#buckets(cell, nowMs);
    return Math.max(
      ...buckets.map((bucket, index) => {
        const budget = this.#budgets[index] as Budget;
        this.#refill(bucket, budget, nowMs);
        bucket.tokens -= 1;
        return bucket.tokens >= 0 ? 0 : Math.ceil((-bucket.tokens * budget.perMs) / budget.calls);
      }),
    );
  }

  /** Gives back a turn that was taken and not used. */
  release(cell: string): void {
    for (const bucket of this.#cells.get(cell) ?? []) bucket.tokens += 1;
  }

  #buckets(cell: string, nowMs: number): Bucket[] {
    const known = this.#cells.get(cell);
    if (known) return known;
    const fresh = this.#budgets.map((budget) => ({ tokens: budget.calls, at: nowMs }));
    this.#cells.set(cell, fresh);
    return fresh;
  }

  #refill(bucket: Bucket, budget: Budget, nowMs: number): void {
    const elapsed = Math.max(0, nowMs - bucket.at);
    bucket.tokens = Math.min(budget.calls, bucket.tokens + (elapsed * budget.calls) / budget.perMs);
    bucket.at = nowMs;
  }
}
