import pLimit, { type LimitFunction } from 'p-limit';
import { triedFor } from '../azure/deadline.ts';
import type { Act } from '../http/access.ts';
import { HttpProblem } from '../http/problem.ts';

/**
 * Limits of a caller on an instance: a page may read ten keys a second, and a script may revoke a hundred keys. A token
 * bucket admits a burst of `burst` calls, then `perSecond` calls a second. At most `atOnce` admitted calls start at a
 * time, and at most `waiting` calls wait; further calls are rejected.
 */
export const CALLER_LIMITS: Readonly<
  Record<Act, Readonly<Record<'burst' | 'perSecond' | 'atOnce' | 'waiting', number>>>
> = {
  read: { burst: 120, perSecond: 10, atOnce: 2, waiting: 40 },
  revoke: { burst: 100, perSecond: 2, atOnce: 4, waiting: 100 },
  restore: { burst: 30, perSecond: 1, atOnce: 4, waiting: 20 },
  change: { burst: 30, perSecond: 1, atOnce: 4, waiting: 20 },
};

/**
 * Longest time that a call keeps other calls of its caller from starting, in milliseconds. A call that runs longer waits
 * for the network, so it needs no processor.
 */
export const START_MS = 200;

interface Allowance {
  tokens: number;
  atMs: number;
  readonly lane: LimitFunction;
}

/**
 * Enforces the limits of each caller. Each kind of call has its own token bucket and queue, so neither reads nor other
 * callers' revocations delay a revocation. No call waits for another that hangs.
 */
export class CallerLimits {
  /** By caller and act; the map is bounded by the number of callers in the tenant. */
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
    // In an object, because the lane would wait for a promise.
    const { call } = await lane(async () => {
      const call = work();
      await triedFor(START_MS, call);
      return { call };
    });
    return call;
  }
}

function tooMany(act: Act, waitSeconds: number): HttpProblem {
  const seconds = Math.max(1, Math.ceil(waitSeconds));
  const past = ' In an emergency, bypass the app: `cmk key revoke` with your own sign-in has no such limit.';
  const nextStep = `Repeat the call in ${seconds} s.${act === 'revoke' ? past : ''}`;
  return new HttpProblem('RateExceeded', { nextStep, headers: { 'retry-after': String(seconds) } });
}
