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
/** Limit of invalid calls to revoke by one caller. They draw on this allowance, not on that of revocations. */
export const REJECTED_LIMIT: Rate = { burst: 60, perSecond: 2 };

/** Above so many buckets, full ones are dropped. */
const MOST_BUCKETS = 10_000;

/** Token buckets by caller. */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Takes a token. @returns 0, or the milliseconds until there is one */
  take(caller: string, nowMs: number): number {
    const tokens = this.#tokens(caller, nowMs);
    if (tokens < 1) return Math.ceil(((1 - tokens) / this.#rate.perSecond) * 1000);
    if (this.#buckets.size >= MOST_BUCKETS) this.#dropFull(nowMs);
    this.#buckets.set(caller, { tokens: tokens - 1, atMs: nowMs });
    return 0;
  }

  #tokens(caller: string, nowMs: number): number {
    const { burst, perSecond } = this.#rate;
    const bucket = this.#buckets.get(caller);
    return bucket ? Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond) : burst;
  }

  #dropFull(nowMs: number): void {
    for (const caller of this.#buckets.keys()) {
      if (this.#tokens(caller, nowMs) >= this.#rate.burst) this.#buckets.delete(caller);
    }
  }
}

/** A concurrency limit for each caller: calls of one never wait for those of another. */
class Lanes {
  readonly #width: Width;
  readonly #lanes = new Map<string, { running: number; readonly waiting: (() => void)[] }>();

  constructor(width: Width) {
    this.#width = width;
  }

  /** @returns undefined when too many wait already */
  run<T>(caller: string, work: () => Promise<T>): Promise<T> | undefined {
    const lane = this.#lanes.get(caller) ?? { running: 0, waiting: [] };
    this.#lanes.set(caller, lane);
    const isFree = lane.running < this.#width.atOnce;
    if (!isFree && lane.waiting.length >= this.#width.waiting) return undefined;
    if (isFree) lane.running += 1;
    const begin = isFree ? Promise.resolve() : new Promise<void>((resolve) => lane.waiting.push(resolve));
    return begin.then(work).finally(() => {
      const next = lane.waiting.shift();
      if (next) return next();
      lane.running -= 1;
      if (lane.running === 0) this.#lanes.delete(caller);
    });
  }
}

/**
 * Holds each caller to their limits. Each kind of call has a lane and an allowance of its own, so that neither reads nor
 * another caller's revocations delay a revocation.
 */
export class CallerLimits {
  readonly #allowances = byAct((rate) => new TokenBuckets(rate));
  readonly #lanes = byAct((width) => new Lanes(width));
  readonly #rejected = new TokenBuckets(REJECTED_LIMIT);

  /**
   * Runs a call in its caller's lane. A revocation draws on its allowance once `work` marks it as valid, so that typing
   * errors do not use it up; without the mark it draws on the allowance of rejected calls.
   *
   * @throws {@link HttpProblem} 429
   */
  async run<T>(
    { caller, act }: { readonly caller: string; readonly act: Act },
    nowMs: number,
    work: (markValid: () => void) => Promise<T>,
  ): Promise<T> {
    const take = (from: TokenBuckets): void => {
      const waitMs = from.take(caller, nowMs);
      if (waitMs > 0) throw tooMany(act, waitMs);
    };
    let isValid = false;
    const markValid = (): void => {
      if (!isValid) take(this.#allowances[act]);
      isValid = true;
    };
    if (act !== 'revoke') markValid();
    const running = this.#lanes[act].run(caller, async () => {
      try {
        return await work(markValid);
      } catch (error) {
        if (!isValid) take(this.#rejected);
        throw error;
      }
    });
    if (!running) throw tooMany(act, 1_000);
    return running;
  }
}

function byAct<T>(make: (limit: Rate & Width) => T): Readonly<Record<Act, T>> {
  const { read, revoke, restore, change } = CALLER_LIMITS;
  return { read: make(read), revoke: make(revoke), restore: make(restore), change: make(change) };
}

function tooMany(act: Act, waitMs: number): HttpProblem {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  const past = ' In an emergency go past the app: `cmk key revoke` on your own sign-in has no such limit.';
  const nextStep = `Repeat the call in ${seconds} s.${act === 'revoke' ? past : ''}`;
  return new HttpProblem('RateExceeded', { nextStep, headers: { 'retry-after': String(seconds) } });
}
