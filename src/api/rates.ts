import pLimit, { type LimitFunction } from 'p-limit';
import type { Act } from '../http/access.ts';
import { HttpProblem } from '../http/problem.ts';

/** A token bucket: `burst` calls at once, `perSecond` from then on. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Calls that run at a time, and that wait; more are rejected. */
interface Width {
  readonly atOnce: number;
  readonly waiting: number;
}

/** Limits of one caller on one instance, enough for a page that reads ten keys a second, or a script that revokes a hundred. */
export const CALLER_LIMITS: Readonly<Record<Act, Rate & Width>> = {
  read: { burst: 120, perSecond: 10, atOnce: 2, waiting: 40 },
  revoke: { burst: 100, perSecond: 2, atOnce: 2, waiting: 100 },
  restore: { burst: 30, perSecond: 1, atOnce: 4, waiting: 20 },
  change: { burst: 30, perSecond: 1, atOnce: 4, waiting: 20 },
};

interface Allowance {
  tokens: number;
  atMs: number;
  readonly lane: LimitFunction;
}

/**
 * Holds each caller to their limits. Each kind of call has a token bucket and a concurrency limit of its own, so that neither
 * reads nor another caller's revocations delay a revocation.
 */
export class CallerLimits {
  /** By caller and act; as many as the tenant has callers. */
  readonly #allowances = new Map<string, Allowance>();

  /**
   * Runs a call within its caller's limits.
   *
   * @throws {@link HttpProblem} 429
   */
  async run<T>(
    { caller, act }: { readonly caller: string; readonly act: Act },
    nowMs: number,
    work: () => Promise<T>,
  ): Promise<T> {
    const { burst, perSecond, atOnce, waiting } = CALLER_LIMITS[act];
    const name = `${act} ${caller}`;
    const allowance = this.#allowances.get(name) ?? { tokens: burst, atMs: nowMs, lane: pLimit(atOnce) };
    this.#allowances.set(name, allowance);
    const { lane, atMs } = allowance;
    const tokens = Math.min(burst, allowance.tokens + ((nowMs - atMs) / 1000) * perSecond);
    if (tokens < 1) throw tooMany(act, (1 - tokens) / perSecond);
    Object.assign(allowance, { tokens: tokens - 1, atMs: nowMs });
    if (lane.activeCount + lane.pendingCount >= atOnce + waiting) throw tooMany(act, 1);
    return lane(work);
  }
}

function tooMany(act: Act, waitSeconds: number): HttpProblem {
  const seconds = Math.max(1, Math.ceil(waitSeconds));
  const past = ' In an emergency go past the app: `cmk key revoke` on your own sign-in has no such limit.';
  const nextStep = `Repeat the call in ${seconds} s.${act === 'revoke' ? past : ''}`;
  return new HttpProblem('RateExceeded', { nextStep, headers: { 'retry-after': String(seconds) } });
}
