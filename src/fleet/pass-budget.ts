import { type Calls, Limiter, type Usage } from '../azure/limiter.ts';
import type { PassLog } from './pass-log.ts';
import type { Blocked } from './rollout-gate.ts';
import type { FleetServices } from './worker-ports.ts';

/** Longest wait for a permit. The next pass makes later calls, so that no worker idles. Milliseconds. */
const LONGEST_WAIT_MS = 30_000;
/** Interval at which a waiting call checks whether the pass is stopping. Milliseconds. */
const WAIT_STEP_MS = 1_000;

interface BudgetPass {
  readonly until: Date;
  isStopping(): boolean;
  readonly log: PassLog;
}

/** Limits a pass's calls by the subscription's rate limits and by the instance's concurrency limit. */
export class PassBudget {
  readonly #limiter: Limiter;
  readonly #pass: BudgetPass;
  readonly #ports: Pick<FleetServices, 'capacity' | 'now' | 'sleep'>;

  /** @param usage calls of earlier passes */
  constructor(pass: BudgetPass, usage: Usage, ports: Pick<FleetServices, 'capacity' | 'now' | 'sleep'>) {
    this.#limiter = new Limiter(usage);
    this.#pass = pass;
    this.#ports = ports;
  }

  usage(): Usage {
    return this.#limiter.usage();
  }

  /** Waits for a permit; the caller must call `end`. @returns reason and time if the permit comes after this pass */
  async permit(region: string, calls: Calls): Promise<Required<Pick<Blocked, 'reason' | 'until'>> | undefined> {
    const { capacity, now, sleep } = this.#ports;
    for (;;) {
      const nowMs = now().getTime();
      if (this.#pass.isStopping()) return { reason: 'Busy', until: now() };
      const waitMs = capacity.waitMs(region, nowMs) || this.#limiter.take(region, calls, nowMs);
      if (waitMs === 0) {
        capacity.begin(region);
        this.#pass.log.requests((calls.reads ?? 0) + (calls.writes ?? 0) + (calls.lists ?? 0));
        return undefined;
      }
      const until = new Date(nowMs + waitMs);
      if (waitMs > LONGEST_WAIT_MS || until >= this.#pass.until) return { reason: 'Throttled', until };
      await sleep(Math.min(waitMs, WAIT_STEP_MS));
    }
  }

  /** @param isWell whether the region's resource provider answered; undefined if no call shows it */
  end(region: string, isWell: boolean | undefined): void {
    const changed = this.#ports.capacity.end(region, isWell, this.#ports.now().getTime());
    if (changed) this.#pass.log.region(region, changed);
  }

  /** Stops calls after Azure answered 429. @param code Azure's error code */
  close(region: string, what: 'list' | 'account', code: string, retryAfterSeconds: number | undefined): void {
    const closed = /^Subscription/i.test(code) ? 'subscription' : what;
    this.#limiter.close(region, closed, this.#ports.now().getTime(), retryAfterSeconds);
    this.#pass.log.region(region, 'Throttled', retryAfterSeconds);
  }
}
