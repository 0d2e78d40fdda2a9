import { canPass, describeError, describeFailure } from '../azure/failure.ts';
import { type Calls, DEFAULT_RETRY_AFTER_SECONDS, type Limiter } from '../azure/limiter.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { LONGEST_WAIT_MS, type WorkKind } from '../index/work-items.ts';
import { getRetryDelay } from '../work/retry.ts';
import type { Blocked } from './gate.ts';
import type { PassLog } from './pass-log.ts';
import type { PassTime } from './pass-time.ts';
import type { PassItem } from './task.ts';
import { QUICK_TRIES } from './use-result.ts';
import type { FleetServices } from './worker-ports.ts';

/** Longest wait for a permit. The next pass makes later calls, so that no worker idles. Milliseconds. */
const LONGEST_PERMIT_MS = 30_000;
/** Interval at which a waiting call checks whether the pass is stopping. Milliseconds. */
const WAIT_STEP_MS = 1_000;

/** Reason of an item whose list fails. */
const UNREADABLE: Readonly<Partial<Record<WorkKind, Reason>>> = {
  list: 'SubscriptionUnreadable',
  verify: 'SubscriptionUnreadable',
  scopes: 'ScopesUnreadable',
};

type LimitPorts = Pick<FleetServices, 'capacity' | 'now' | 'sleep' | 'log'>;

/** Limits a pass's calls by the subscription's rate limits, the instance's concurrency limit and the pass's time. */
export class PassLimits {
  readonly #subscription: string;
  readonly #limiter: Limiter;
  readonly #time: PassTime;
  readonly #log: PassLog;
  readonly #ports: LimitPorts;

  constructor(subscription: string, limiter: Limiter, time: PassTime, log: PassLog, ports: LimitPorts) {
    this.#subscription = subscription;
    this.#limiter = limiter;
    this.#time = time;
    this.#log = log;
    this.#ports = ports;
  }

  /** Waits for a permit; the caller must call `end`. @returns reason and time if the permit comes after this pass */
  async permit(region: string, calls: Calls): Promise<Required<Pick<Blocked, 'reason' | 'until'>> | undefined> {
    for (;;) {
      const nowMs = this.#ports.now().getTime();

      if (this.#time.isStopping()) return { reason: 'Busy', until: this.#ports.now() };

      const waitMs = this.#ports.capacity.waitMs(region, nowMs) || this.#limiter.take(region, calls, nowMs);
      if (waitMs === 0) {
        this.#ports.capacity.begin(region);
        this.#log.addRequests((calls.reads ?? 0) + (calls.writes ?? 0) + (calls.lists ?? 0));
        return undefined;
      }

      const until = new Date(nowMs + waitMs);
      if (waitMs > LONGEST_PERMIT_MS || until >= this.#time.until) return { reason: 'Throttled', until };

      await this.#ports.sleep(Math.min(waitMs, WAIT_STEP_MS));
    }
  }

  /** @param hasAnswered whether the region's resource provider answered; undefined if no call shows it */
  end(region: string, hasAnswered: boolean | undefined): void {
    const changed = this.#ports.capacity.end(region, hasAnswered, this.#ports.now().getTime());
    if (changed) this.#log.region(region, changed);
  }

  /** Stops calls after Azure answered 429. @param code Azure's error code */
  close(region: string, what: 'list' | 'account', code: string, retryAfterSeconds: number | undefined): void {
    const closed = /^Subscription/i.test(code) ? 'subscription' : what;
    this.#limiter.close(region, closed, this.#ports.now().getTime(), retryAfterSeconds);
    this.#log.region(region, 'Throttled', retryAfterSeconds);
  }

  /** Makes a listing's call within the limits; if Azure throttled it, postpones the item and returns undefined. */
  async call<T>(
    region: string,
    calls: Calls,
    item: PassItem,
    run: () => Promise<T>,
  ): Promise<{ readonly answer: T } | undefined> {
    // The scope lists of many accounts take hours, so throttling is normal for them.
    const throttled = item.item.kind === 'scopes' ? 'ScopesNotListed' : 'Throttled';
    const late = await this.permit(region, calls);
    if (late) {
      item.postpone(late.until, late.reason === 'Throttled' ? throttled : late.reason);
      return undefined;
    }

    let hasAnswered: boolean | undefined = true;
    try {
      return { answer: await run() };
    } catch (error) {
      const { kind, code, retryAfterSeconds = DEFAULT_RETRY_AFTER_SECONDS } = describeFailure(error);
      hasAnswered = this.#time.reads.aborted ? undefined : kind !== 'unavailable';

      if (kind !== 'throttled') throw error;

      this.close(region, calls.lists ? 'list' : 'account', code, retryAfterSeconds);
      item.postpone(new Date(this.#ports.now().getTime() + retryAfterSeconds * 1000), throttled);

      return undefined;
    } finally {
      this.end(region, hasAnswered);
    }
  }

  /** Postpones an item after an error. */
  failItem(item: PassItem, error: unknown): void {
    const { kind, attempts } = item.item;

    if (this.#time.reads.aborted) {
      item.postpone(this.#ports.now(), 'Busy');
      return;
    }

    const isPassing = canPass(describeFailure(error));

    // A new role assignment needs up to ten minutes to take effect.
    const isRetriedSoon = isPassing || attempts < QUICK_TRIES;
    const delayMs = isRetriedSoon ? getRetryDelay(attempts) : LONGEST_WAIT_MS;
    const reason = UNREADABLE[kind] ?? 'PassFailed';

    item.postpone(new Date(this.#ports.now().getTime() + delayMs), reason);

    const message = `${REASONS[reason]} ${describeError(error)}`;

    this.#ports.log({ level: isPassing ? 'warning' : 'error', reason, message, subscription: this.#subscription });
  }
}
