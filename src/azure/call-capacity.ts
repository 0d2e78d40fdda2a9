import pLimit from 'p-limit';

/** Maximum number of calls in flight per instance, over all subscriptions. */
const MOST_IN_FLIGHT = 512;
/** Passes at a time: with 240, calls to the app's own storage exceeded their deadlines. */
const MOST_PASSES = 24;
/** Consecutive deadline or 5xx failures that open the circuit breaker of a region. */
const FAILURES = 5;
/** Shortest break. Each failed probe doubles it. Milliseconds. */
const FIRST_BREAK_MS = 30_000;
/** Milliseconds. */
const LONGEST_BREAK_MS = 300_000;
/** Retry delay at the concurrency limit, or while a probe is in flight, in milliseconds. */
const FULL_MS = 200;

interface RegionHealth {
  failures: number;
  breakMs: number;
  closedUntil: number;
  isProbing: boolean;
}

/** An instance's concurrency limits over all passes, and a circuit breaker for each region of Azure. */
export class CallCapacity {
  /** Concurrent passes over subscriptions. */
  readonly passes = pLimit(MOST_PASSES);
  /** Concurrent lists of encryption scopes: no list is urgent, and each connection costs 100 KB of memory. */
  readonly scopeLists = pLimit(16);
  /** Concurrent listings of subscriptions: each holds the index rows of a subscription. */
  readonly subscriptionLists = pLimit(4);
  /** Concurrent listings of all scopes of a subscription; no account list waits for them. */
  readonly subscriptionScopes = pLimit(4);
  #inFlight = 0;
  readonly #regions = new Map<string, RegionHealth>();

  /** Milliseconds until a call in the region may start; 0: now. */
  waitMs(region: string, nowMs: number): number {
    const { failures, closedUntil, isProbing } = this.#health(region);
    if (failures >= FAILURES && (isProbing || closedUntil > nowMs)) return Math.max(FULL_MS, closedUntil - nowMs);
    return this.#inFlight < MOST_IN_FLIGHT ? 0 : FULL_MS;
  }

  /** Starts a call. The first call after a break is the only probe until it ends. */
  begin(region: string): void {
    this.#inFlight += 1;
    const health = this.#health(region);
    health.isProbing = health.failures >= FAILURES;
  }

  /**
   * @param hasAnswered whether the region's resource provider answered, even with an error; undefined: unknown
   * @returns whether the circuit breaker changed
   */
  end(region: string, hasAnswered: boolean | undefined, nowMs: number): 'RegionClosed' | 'RegionOpened' | undefined {
    this.#inFlight -= 1;

    const health = this.#health(region);

    health.isProbing = false;

    if (hasAnswered === undefined) return undefined;

    if (hasAnswered) {
      const wasClosed = health.failures >= FAILURES;

      Object.assign(health, { failures: 0, breakMs: 0, closedUntil: 0 });
      return wasClosed ? 'RegionOpened' : undefined;
    }

    health.failures += 1;
    if (health.failures < FAILURES || health.closedUntil > nowMs) return undefined;

    health.breakMs = Math.min(health.breakMs * 2 || FIRST_BREAK_MS, LONGEST_BREAK_MS);
    health.closedUntil = nowMs + health.breakMs;

    return 'RegionClosed';
  }

  #health(region: string): RegionHealth {
    const known = this.#regions.get(region) ?? { failures: 0, breakMs: 0, closedUntil: 0, isProbing: false };
    this.#regions.set(region, known);
    return known;
  }
}
