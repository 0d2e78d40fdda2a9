/** Budget of calls per time span, in milliseconds. */
interface Budget {
  readonly calls: number;
  readonly perMs: number;
}

/**
 * Azure's windows for a subscription and region. Source of all budgets: Azure Resource Manager, "Understand how Azure
 * Resource Manager throttles requests".
 */
const READS = { calls: 800, perMs: 300_000 };
const LISTS = { calls: 100, perMs: 300_000 };
const WRITES = { calls: 1_200, perMs: 3_600_000 };
const WRITES_PER_SECOND = 10;
/** Share of these windows that the app uses; other clients can use the other fifth. */
export const BUDGET_SHARE = 0.8;
/** Share of a one-second rate that the app uses, so delayed calls still fit. */
const PART_OF_A_SECOND = 0.98;
const WRITE_BURST = 5;
/** Calls to Azure Resource Manager that are reserved for other parts of the app. */
const ARM_RESERVE = 10;
/** Share of the windows for retries and for lists of scopes; the rest is reserved for first attempts. */
const RETRY_PART = 1 / 4;
const SCOPE_LIST_PART = 7 / 8;
/** Wait in seconds after a 429 without `Retry-After`. */
export const DEFAULT_RETRY_AFTER_SECONDS = 15;
/** After a 429 the rate is halved, then grows back to full over this time, in milliseconds. */
const RECOVERY_MS = 60_000;
const BUCKETS = 60;

/** The app's share of Azure's write budgets in one subscription and region. */
export const WRITE_BUDGETS: readonly Budget[] = [
  { calls: WRITES_PER_SECOND, perMs: 1_000 },
  { ...WRITES, calls: WRITES.calls * BUDGET_SHARE },
];

/** Calls for an account in a region. `retry`: not the first attempt, or not urgent; `scopes`: lists that are not urgent. */
export interface Calls {
  readonly reads?: number;
  readonly writes?: number;
  readonly lists?: number;
  readonly purpose?: 'retry' | 'scopes' | undefined;
}

/**
 * Usage of the budgets by name, stored with the lease. A window stores [bucket number, calls]; a token bucket stores
 * [milliseconds since the epoch, missing tokens].
 */
export type Usage = Readonly<Record<string, readonly (readonly [bucket: number, calls: number])[]>>;

/** Sliding window of at most `calls` in any `perMs`, counted in 60 buckets. */
class SlidingWindow {
  readonly #calls: number;
  readonly #bucketMs: number;
  readonly #taken: Map<number, number>;

  constructor({ calls, perMs }: Budget, taken: Usage[string] = []) {
    this.#calls = Math.floor(calls * BUDGET_SHARE);
    this.#bucketMs = perMs / BUCKETS;
    this.#taken = new Map(taken);
  }

  /** Milliseconds until the calls fit; 0: now. */
  waitMs(nowMs: number, calls: number): number {
    const now = this.#bucket(nowMs);

    // A bucket in the future was counted by a fast clock or is forged.
    for (const bucket of this.#taken.keys()) {
      if (bucket < now - BUCKETS || bucket > now + 1) this.#taken.delete(bucket);
    }

    let total = [...this.#taken.values()].reduce((sum, taken) => sum + taken, 0);

    for (const bucket of [...this.#taken.keys()].sort((a, b) => a - b)) {
      if (total + calls <= this.#calls) break;
      total -= this.#taken.get(bucket) ?? 0;
      if (total + calls <= this.#calls) return Math.max(1, (bucket + BUCKETS + 1) * this.#bucketMs - nowMs);
    }

    return 0;
  }

  take(nowMs: number, calls: number): void {
    const bucket = this.#bucket(nowMs);
    this.#taken.set(bucket, (this.#taken.get(bucket) ?? 0) + calls);
  }

  usage(): Usage[string] {
    return [...this.#taken];
  }

  #bucket(nowMs: number): number {
    return Math.floor(nowMs / this.#bucketMs);
  }
}

/** Token bucket: a burst, then a steady rate per second. */
class TokenBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #atMs: number;

  constructor(burst: number, perSecond: number, [[atMs, missing] = [0, 0]]: Usage[string] = []) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#tokens = Math.max(0, burst - missing);
    this.#atMs = atMs;
  }

  /** @param speed share of the rate at which tokens are refilled */
  waitMs(nowMs: number, calls: number, speed: number): number {
    if (this.#atMs > 0) {
      const back = Math.max(0, nowMs - this.#atMs) * this.#perMs * speed;
      this.#tokens = Math.min(this.#burst, this.#tokens + back);
    }
    this.#atMs = nowMs;
    const missing = Math.min(calls, this.#burst) - this.#tokens;
    return missing <= 1e-9 ? 0 : Math.max(1, Math.ceil(missing / (this.#perMs * speed)));
  }

  take(_nowMs: number, calls: number): void {
    this.#tokens -= calls;
  }

  usage(): Usage[string] {
    const missing = Math.ceil(this.#burst - this.#tokens);
    return missing > 0 ? [[this.#atMs, missing]] : [];
  }
}

const windowOf =
  (budget: Budget, part = 1) =>
  (taken: Usage[string] | undefined) =>
    new SlidingWindow({ ...budget, calls: budget.calls * part }, taken);
const bucketOf = (burst: number, perSecond: number) => (taken: Usage[string] | undefined) =>
  new TokenBucket(burst, perSecond, taken);

/** Budgets of Azure Resource Manager by subscription and identity, then those by subscription and region. */
const BUDGETS = {
  armReads: bucketOf(250 - ARM_RESERVE, 25),
  armWrites: bucketOf(200 - ARM_RESERVE, 10),
  writesPerSecond: bucketOf(WRITE_BURST, WRITES_PER_SECOND * PART_OF_A_SECOND),
  reads: windowOf(READS),
  writes: windowOf(WRITES),
  lists: windowOf(LISTS),
  retryReads: windowOf(READS, RETRY_PART),
  retryWrites: windowOf(WRITES, RETRY_PART),
  scopeLists: windowOf(LISTS, SCOPE_LIST_PART),
};

/**
 * Limits a worker's calls for a subscription to Azure's budgets. Usage is exact, since only a single worker at a time
 * calls for a subscription. Grants permits only for immediate use, so no reservation has to be returned.
 */
export class Limiter {
  readonly #stored: Usage;
  readonly #budgets = new Map<string, SlidingWindow | TokenBucket>();
  /** Times until which a 429 forbids calls, by `subscription`, or region and kind of call. */
  readonly #closedUntil = new Map<string, number>();

  /** @param usage usage by earlier holders of the lease */
  constructor(usage: Usage = {}) {
    this.#stored = usage;
  }

  /**
   * Takes permits for calls in a region, if all budgets allow them.
   *
   * @param nowMs milliseconds since the epoch
   * @returns 0: permits taken; otherwise the milliseconds until a retry may succeed, and no permit is taken
   */
  take(regionName: string, calls: Calls, nowMs: number): number {
    const region = regionName.toLowerCase();
    const { reads = 0, writes = 0, lists = 0, purpose } = calls;
    const isRetry = purpose === 'retry';
    const needed = [
      [this.#budget('armReads'), reads + lists],
      [this.#budget('armWrites'), writes],
      [this.#budget('writesPerSecond', region), writes],
      [this.#budget('reads', region), reads],
      [this.#budget('writes', region), writes],
      [this.#budget('lists', region), lists],
      [this.#budget('retryReads', region), isRetry ? reads : 0],
      [this.#budget('retryWrites', region), isRetry ? writes : 0],
      [this.#budget('scopeLists', region), purpose === 'scopes' ? lists : 0],
    ] as const;

    const counted = needed.filter(([, count]) => count > 0);
    const accountsClosedUntil = this.#closed(`${region} account`);
    const speed = Math.min(1, 0.5 + Math.max(0, nowMs - accountsClosedUntil) / (2 * RECOVERY_MS));
    const waitMs = Math.max(
      0,
      this.#closed('subscription') - nowMs,
      reads + writes > 0 ? accountsClosedUntil - nowMs : 0,
      lists > 0 ? this.#closed(`${region} list`) - nowMs : 0,
      ...counted.map(([budget, count]) => budget.waitMs(nowMs, count, speed)),
    );
    if (waitMs === 0) {
      for (const [budget, count] of counted) budget.take(nowMs, count);
    }

    return waitMs;
  }

  /** After a 429, blocks this kind of call in the region, or every call of the subscription, until `Retry-After`. */
  close(region: string, what: 'account' | 'list' | 'subscription', nowMs: number, retryAfterSeconds?: number): void {
    const closed = what === 'subscription' ? what : `${region.toLowerCase()} ${what}`;
    const untilMs = nowMs + (retryAfterSeconds ?? DEFAULT_RETRY_AFTER_SECONDS) * 1000;
    this.#closedUntil.set(closed, Math.max(this.#closed(closed), untilMs));
  }

  usage(): Usage {
    return { ...this.#stored, ...Object.fromEntries([...this.#budgets].map(([name, of]) => [name, of.usage()])) };
  }

  #closed(what: string): number {
    return this.#closedUntil.get(what) ?? 0;
  }

  #budget(kind: keyof typeof BUDGETS, region?: string): SlidingWindow | TokenBucket {
    const name = region === undefined ? kind : `${region} ${kind}`;
    const budget = this.#budgets.get(name) ?? BUDGETS[kind](this.#stored[name]);
    this.#budgets.set(name, budget);
    return budget;
  }
}
