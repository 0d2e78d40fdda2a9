import type { CallCapacity } from '../azure/call-capacity.ts';
import { BUDGET_SHARE, type Calls, Limiter, type Usage } from '../azure/limiter.ts';
import type { Wanted } from './lane.ts';
import type { PassLog } from './pass-log.ts';
import type { Blocked } from './rollout-gate.ts';

/** A permit that comes later is left to the next pass, so that no worker idles. Milliseconds. */
const LONGEST_WAIT_MS = 30_000;
/** How often a waiting call checks whether the pass is stopping. Milliseconds. */
const WAIT_STEP_MS = 1_000;

interface BudgetPorts {
  readonly capacity: CallCapacity;
  /** What earlier passes used. */
  readonly usage: Usage;
  readonly until: Date;
  isStopping(): boolean;
  readonly now: () => Date;
  sleep(ms: number): Promise<void>;
  readonly log: PassLog;
}

/** Limits the calls of one pass by Azure's budgets of the subscription, and by the instance's calls in flight. */
export class PassBudget {
  readonly #limiter: Limiter;
  readonly #ports: BudgetPorts;

  constructor(ports: BudgetPorts) {
    this.#ports = ports;
    this.#limiter = new Limiter(BUDGET_SHARE, ports.usage);
  }

  usage(): Usage {
    return this.#limiter.usage();
  }

  /** Waits for a permit, to be released by `end`. @returns why and until when, if it comes too late for this pass */
  async permit(
    region: string,
    calls: Calls,
    wanted: Wanted | undefined,
  ): Promise<Required<Pick<Blocked, 'reason' | 'until'>> | undefined> {
    const { capacity, until: passUntil, isStopping, now, sleep, log } = this.#ports;
    for (;;) {
      const nowMs = now().getTime();
      if (isStopping()) return { reason: 'Busy', until: now() };
      const waitMs = capacity.waitMs(region, nowMs) || this.#limiter.take(region, calls, nowMs);
      if (waitMs === 0) {
        capacity.begin(region);
        log.requests((calls.reads ?? 0) + (calls.writes ?? 0) + (calls.lists ?? 0));
        return undefined;
      }
      const until = new Date(nowMs + waitMs);
      if (waitMs > LONGEST_WAIT_MS || until >= passUntil) return { reason: 'Throttled', until };
      if (wanted) wanted.reason ??= 'Throttled';
      await sleep(Math.min(waitMs, WAIT_STEP_MS));
    }
  }

  /** @param isWell whether the region's resource provider answered; undefined: not known */
  end(region: string, isWell: boolean | undefined): void {
    const changed = this.#ports.capacity.end(region, isWell, this.#ports.now().getTime());
    if (changed) this.#ports.log.region(region, changed);
  }

  /** Azure answered 429. @param code its error code */
  close(region: string, what: 'list' | 'account', code: string, retryAfterSeconds: number | undefined): void {
    const closed = /^Subscription/i.test(code) ? 'subscription' : what;
    this.#limiter.close(region, closed, this.#ports.now().getTime(), retryAfterSeconds);
    this.#ports.log.region(region, 'Throttled', retryAfterSeconds);
  }
}
