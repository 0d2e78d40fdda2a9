/**
 * Azure's budgets for a subscription, and their usage. Usage is exact, since only a single worker at a time calls for a
 * subscription. Sources: Azure Resource Manager, "Understand how Azure Resource Manager throttles requests" (storage
 * throttling by subscription and region; Resource Manager's token buckets by subscription and identity).
 */
const DOCUMENTED = {
  reads: { calls: 800, perMs: 300_000 },
  lists: { calls: 100, perMs: 300_000 },
  writes: { calls: 1_200, perMs: 3_600_000 },
  writesPerSecond: 10,
  armReads: { burst: 250, perSecond: 25 },
  armWrites: { burst: 200, perSecond: 10 },
} as const;

/** Budget of calls per time span, in milliseconds. */
export interface Budget {
  readonly calls: number;
  readonly perMs: number;
  /** Burst size of a token bucket. Absent: the budget is a window. */
  readonly burst?: number;
}

/** Share of the Storage resource provider's windows that the app uses; other clients can use the other fifth. */
export const BUDGET_SHARE = 0.8;

/** The app's share of Azure's write budgets in one subscription and region. */
export function writesOf(share = BUDGET_SHARE): readonly Budget[] {
  const { writes, writesPerSecond } = DOCUMENTED;
  return [
    { calls: writesPerSecond, perMs: 1_000, burst: writesPerSecond },
    { ...writes, calls: Math.max(1, Math.floor(writes.calls * share)) },
  ];
}

/** Key of a region limiter, since the Storage resource provider's budgets are per subscription and region. */
export function regionCell({
  subscriptionId,
  location,
}: {
  readonly subscriptionId: string;
  readonly location: string;
}): string {
  return `${subscriptionId}/${location}`.toLowerCase();
}

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

/** Calls for an account in a region. `retry`: not the first attempt; `scopes`: lists that are not urgent. */
export interface Calls {
  readonly reads?: number;
  readonly writes?: number;
  readonly lists?: number;
  readonly purpose?: 'retry' | 'scopes';
}

/**
 * Usage of the budgets, stored with the lease by window name. A window stores [bucket number, calls]; a token bucket
 * stores [milliseconds since the epoch, missing tokens].
 */
export type Usage = Readonly<Record<string, readonly (readonly [bucket: number, calls: number])[]>>;

/** Sliding window of at most `calls` in any `perMs`, counted in 60 buckets. */
class SlidingWindow {
  readonly #calls: number;
  readonly #bucketMs: number;
  readonly #taken: Map<number, number>;

  constructor(calls: number, perMs: number, taken: Usage[string] = []) {
    this.#calls = Math.max(1, Math.floor(calls));
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
  #atMs = 0;

  constructor(burst: number, perSecond: number, [stored]: Usage[string] = []) {
    const [atMs, missing] = stored ?? [0, 0];
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#tokens = Math.max(0, burst - missing);
    this.#atMs = atMs;
  }

  /** @param speed share of the rate at which tokens are refilled */
  waitMs(nowMs: number, calls: number, speed = 1): number {
    if (this.#atMs > 0) {
      const back = Math.max(0, nowMs - this.#atMs) * this.#perMs * speed;
      this.#tokens = Math.min(this.#burst, this.#tokens + back);
    }
    this.#atMs = nowMs;
    const missing = Math.min(calls, this.#burst) - this.#tokens;
    return missing <= 1e-9 ? 0 : Math.max(1, Math.ceil(missing / (this.#perMs * speed)));
  }

  take(calls: number): void {
    this.#tokens -= calls;
  }

  empty(): void {
    this.#tokens = 0;
  }

  usage(): Usage[string] {
    const missing = Math.ceil(this.#burst - this.#tokens);
    return missing > 0 ? [[this.#atMs, missing]] : [];
  }
}

class Region {
  readonly windows: Readonly<
    Record<'reads' | 'writes' | 'lists' | 'retryReads' | 'retryWrites' | 'scopeLists', SlidingWindow>
  >;
  readonly writesPerSecond = new TokenBucket(WRITE_BURST, DOCUMENTED.writesPerSecond * PART_OF_A_SECOND);
  /** Times until which Azure's `Retry-After` forbids calls, by kind of call. */
  readonly closedUntil = { account: 0, list: 0 };

  constructor(region: string, share: number, usage: Usage) {
    const { reads, writes, lists } = DOCUMENTED;
    const window = (name: string, calls: number, perMs: number) =>
      new SlidingWindow(calls * share, perMs, usage[`${region} ${name}`]);
    this.windows = {
      reads: window('reads', reads.calls, reads.perMs),
      writes: window('writes', writes.calls, writes.perMs),
      lists: window('lists', lists.calls, lists.perMs),
      retryReads: window('retryReads', reads.calls * RETRY_PART, reads.perMs),
      retryWrites: window('retryWrites', writes.calls * RETRY_PART, writes.perMs),
      scopeLists: window('scopeLists', lists.calls * SCOPE_LIST_PART, lists.perMs),
    };
  }
}

/**
 * Limits a worker's calls for a subscription to Azure's budgets. Grants permits only for immediate use, so no
 * reservation has to be returned.
 */
export class Limiter {
  readonly #share: number;
  readonly #stored: Usage;
  readonly #regions = new Map<string, Region>();
  readonly #armReads: TokenBucket;
  readonly #armWrites: TokenBucket;
  #subscriptionClosedUntil = 0;

  /**
   * @param share share of the Storage resource provider's windows to use, above 0, at most 1
   * @param usage usage by earlier holders of the lease
   */
  constructor(share: number, usage: Usage = {}) {
    const bucket = ({ burst, perSecond }: { burst: number; perSecond: number }, taken: Usage[string] | undefined) =>
      new TokenBucket(burst - ARM_RESERVE, perSecond, taken);
    this.#share = share;
    this.#stored = usage;
    this.#armReads = bucket(DOCUMENTED.armReads, usage.armReads);
    this.#armWrites = bucket(DOCUMENTED.armWrites, usage.armWrites);
  }

  /**
   * Takes permits for calls in a region, if all budgets allow them.
   *
   * @param nowMs milliseconds since the epoch
   * @returns 0: permits taken; otherwise the milliseconds until a retry may succeed, and no permit is taken
   */
  take(region: string, calls: Calls, nowMs: number): number {
    const waitMs = this.waitMs(region, calls, nowMs);
    if (waitMs > 0) return waitMs;
    const { reads = 0, writes = 0, lists = 0 } = calls;
    const of = this.#region(region);
    for (const [window, count] of this.#windows(of, calls)) window.take(nowMs, count);
    of.writesPerSecond.take(writes);
    this.#armReads.take(reads + lists);
    this.#armWrites.take(writes);
    return 0;
  }

  /** Milliseconds until the calls would be admitted, by current usage; 0: now. Takes no permit. */
  waitMs(region: string, calls: Calls, nowMs: number): number {
    const { reads = 0, writes = 0, lists = 0 } = calls;
    const of = this.#region(region);
    const closedUntil = Math.max(
      this.#subscriptionClosedUntil,
      reads + writes > 0 ? of.closedUntil.account : 0,
      lists > 0 ? of.closedUntil.list : 0,
    );
    const speed = Math.min(1, 0.5 + Math.max(0, nowMs - of.closedUntil.account) / (2 * RECOVERY_MS));
    return Math.max(
      0,
      closedUntil - nowMs,
      ...this.#windows(of, calls).map(([window, count]) => window.waitMs(nowMs, count)),
      writes > 0 ? of.writesPerSecond.waitMs(nowMs, writes, speed) : 0,
      reads + lists > 0 ? this.#armReads.waitMs(nowMs, reads + lists) : 0,
      writes > 0 ? this.#armWrites.waitMs(nowMs, writes) : 0,
    );
  }

  /** After a 429, blocks this kind of call in the region, or every call of the subscription, until `Retry-After`. */
  close(region: string, what: 'account' | 'list' | 'subscription', nowMs: number, retryAfterSeconds?: number): void {
    const untilMs = nowMs + (retryAfterSeconds ?? DEFAULT_RETRY_AFTER_SECONDS) * 1000;
    if (what === 'subscription') {
      this.#subscriptionClosedUntil = Math.max(this.#subscriptionClosedUntil, untilMs);
      return;
    }
    const of = this.#region(region);
    of.closedUntil[what] = Math.max(of.closedUntil[what], untilMs);
    if (what === 'account') of.writesPerSecond.empty();
  }

  usage(): Usage {
    const used = [...this.#regions].flatMap(([region, { windows }]) =>
      Object.entries(windows).map(([name, window]) => [`${region} ${name}`, window.usage()] as const),
    );
    return {
      ...this.#stored,
      ...Object.fromEntries(used.filter(([, taken]) => taken.length > 0)),
      armReads: this.#armReads.usage(),
      armWrites: this.#armWrites.usage(),
    };
  }

  #region(region: string): Region {
    const name = region.toLowerCase();
    const known = this.#regions.get(name) ?? new Region(name, this.#share, this.#stored);
    this.#regions.set(name, known);
    return known;
  }

  #windows({ windows }: Region, calls: Calls): (readonly [SlidingWindow, number])[] {
    const { reads = 0, writes = 0, lists = 0, purpose } = calls;
    const all = [
      [windows.reads, reads],
      [windows.writes, writes],
      [windows.lists, lists],
      [windows.retryReads, purpose === 'retry' ? reads : 0],
      [windows.retryWrites, purpose === 'retry' ? writes : 0],
      [windows.scopeLists, purpose === 'scopes' ? lists : 0],
    ] as const;
    return all.filter(([, count]) => count > 0);
  }
}
