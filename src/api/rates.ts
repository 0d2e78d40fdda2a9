import pLimit, { type LimitFunction } from 'p-limit';
import type { Act } from '../http/access.ts';
import { HttpProblem } from '../http/problem.ts';

/**
 * Limits of a caller on an instance: a page may read ten keys a second, and a script may revoke a hundred keys. A token
 * bucket admits a burst of `burst` calls, then `perSecond` calls a second. In each lane at most `atOnce` admitted calls
 * run, and at most `waiting` calls wait; further calls are rejected.
 */
export const CALLER_LIMITS: Readonly<
  Record<Act, Readonly<Record<'burst' | 'perSecond' | 'atOnce' | 'waiting', number>>>
> = {
  read: { burst: 120, perSecond: 10, atOnce: 2, waiting: 40 },
  revoke: { burst: 100, perSecond: 2, atOnce: 4, waiting: 100 },
  restore: { burst: 30, perSecond: 1, atOnce: 4, waiting: 20 },
  change: { burst: 30, perSecond: 1, atOnce: 4, waiting: 20 },
};

interface Allowance {
  tokens: number;
  atMs: number;
}

interface LimitedCall {
  readonly caller: string;
  readonly act: Act;
  /** What the call depends on. Calls of different lanes do not wait for each other. */
  readonly lane: string;
}

/**
 * Enforces the limits of each caller. Each kind of call has its own token bucket and concurrency limit, so neither
 * reads nor other callers' revocations delay a revocation. Calls of different lanes do not wait for each other, so a
 * vault that hangs delays no revocation in another.
 */
export class CallerLimits {
  /** By caller and act; the map is bounded by the number of callers in the tenant. */
  readonly #allowances = new Map<string, Allowance>();
  /** By caller, act and lane. Callers may invent names of vaults, so unused lanes are dropped. */
  readonly #lanes = new Map<string, LimitFunction>();

  /**
   * Runs a call within its caller's limits.
   *
   * @throws {@link HttpProblem} 429
   */
  async run<T>({ caller, act, lane }: LimitedCall, nowMs: number, work: () => Promise<T>): Promise<T> {
    const { burst, perSecond, atOnce, waiting } = CALLER_LIMITS[act];
    const name = `${act} ${caller}`;
    const allowance = this.#allowances.get(name) ?? { tokens: burst, atMs: nowMs };

    this.#allowances.set(name, allowance);

    const tokens = Math.min(burst, allowance.tokens + ((nowMs - allowance.atMs) / 1000) * perSecond);
    if (tokens < 1) throw tooMany(act, (1 - tokens) / perSecond);

    Object.assign(allowance, { tokens: tokens - 1, atMs: nowMs });

    const limit = this.#limitOf(`${name} ${lane}`, atOnce);
    if (limit.activeCount + limit.pendingCount >= atOnce + waiting) throw tooMany(act, 1);

    return limit(work);
  }

  #limitOf(lane: string, atOnce: number): LimitFunction {
    const known = this.#lanes.get(lane);
    if (known) return known;

    for (const [name, { activeCount, pendingCount }] of this.#lanes) {
      if (activeCount + pendingCount === 0) this.#lanes.delete(name);
    }
    const limit = pLimit(atOnce);
    this.#lanes.set(lane, limit);
    return limit;
  }
}

function tooMany(act: Act, waitSeconds: number): HttpProblem {
  const seconds = Math.max(1, Math.ceil(waitSeconds));
  const past = ' In an emergency, bypass the app: `cmk key revoke` with your own sign-in has no such limit.';
  const nextStep = `Repeat the call in ${seconds} s.${act === 'revoke' ? past : ''}`;
  return new HttpProblem('RateExceeded', { nextStep, headers: { 'retry-after': String(seconds) } });
}
