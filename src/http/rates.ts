import type { Act } from './access.ts';
import { HTTP_REASONS } from './http-reasons.ts';
import { HttpProblem } from './problem.ts';

/** How often a caller may do something: `burst` at once, `perSecond` from then on. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** How many calls of one caller run at a time, and how many more wait for their turn. */
interface Width {
  readonly atOnce: number;
  readonly waiting: number;
}

/**
 * Limits of one caller on one instance, far above what a person does: a page that asks for twenty keys each second, a
 * script that revokes a hundred keys at once. Revoking one key again and again draws on that key's own allowance, so that a
 * script that runs wild over one key leaves its owner the hundred others; going over many keys draws on the caller's.
 */
export const CALLER_LIMITS: Readonly<Record<Act, Rate & Width>> = {
  read: { burst: 300, perSecond: 20, atOnce: 8, waiting: 100 },
  revoke: { burst: 100, perSecond: 2, atOnce: 8, waiting: 100 },
  restore: { burst: 30, perSecond: 1, atOnce: 4, waiting: 30 },
  change: { burst: 30, perSecond: 1, atOnce: 4, waiting: 30 },
};
/** Of one caller and one key. */
export const SAME_KEY_LIMIT: Rate = { burst: 10, perSecond: 0.2 };

/** Names that are kept before those whose allowance is whole again are dropped. */
const MOST_NAMES = 10_000;

/** Allowances by name, each filled up again as time goes by (token bucket). */
export class Allowances {
  readonly #rate: Rate;
  readonly #left = new Map<string, { tokens: number; atMs: number }>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Whether something has been taken that is not filled up again yet. */
  has(name: string, nowMs: number): boolean {
    return this.#tokens(name, nowMs) < this.#rate.burst;
  }

  /** Takes one. @returns 0, or the milliseconds until there is one */
  take(name: string, nowMs: number): number {
    const tokens = this.#tokens(name, nowMs);
    if (tokens < 1) return Math.ceil(((1 - tokens) / this.#rate.perSecond) * 1000);
    if (this.#left.size >= MOST_NAMES) this.#dropWhole(nowMs);
    this.#left.set(name, { tokens: tokens - 1, atMs: nowMs });
    return 0;
  }

  #tokens(name: string, nowMs: number): number {
    const { burst, perSecond } = this.#rate;
    const left = this.#left.get(name);
    return left ? Math.min(burst, left.tokens + ((nowMs - left.atMs) / 1000) * perSecond) : burst;
  }

  #dropWhole(nowMs: number): void {
    for (const name of this.#left.keys()) if (!this.has(name, nowMs)) this.#left.delete(name);
  }
}

interface Line {
  running: number;
  readonly waiting: (() => void)[];
}

/** Calls by name, so many at a time; those of one name never wait for those of another. */
class Lanes {
  readonly #width: Width;
  readonly #lines = new Map<string, Line>();

  constructor(width: Width) {
    this.#width = width;
  }

  /** @returns undefined when too many wait already */
  run<T>(name: string, work: () => Promise<T>): Promise<T> | undefined {
    const line = this.#lines.get(name) ?? { running: 0, waiting: [] };
    const { atOnce, waiting } = this.#width;
    if (line.running >= atOnce && line.waiting.length >= waiting) return undefined;
    this.#lines.set(name, line);
    return this.#inTurn(name, line, work);
  }

  async #inTurn<T>(name: string, line: Line, work: () => Promise<T>): Promise<T> {
    if (line.running >= this.#width.atOnce) await new Promise<void>((resolve) => line.waiting.push(resolve));
    else line.running += 1;
    try {
      return await work();
    } finally {
      const next = line.waiting.shift();
      // Whoever is next takes over the place.
      if (next) next();
      else line.running -= 1;
      if (line.running === 0) this.#lines.delete(name);
    }
  }
}

/**
 * Holds each caller to their limits. A lane is one kind of call by one caller: a flood fills its own and no other, so that
 * somebody else's revocation, or the same caller's, waits for no status call.
 */
export class CallerLimits {
  readonly #allowances = byAct((limit) => new Allowances(limit));
  readonly #lanes = byAct((limit) => new Lanes(limit));
  readonly #sameKey = new Allowances(SAME_KEY_LIMIT);

  /**
   * Runs a call in its caller's lane.
   *
   * @param key what a revocation names; anything as long as it is the same for the same key
   * @throws {@link HttpProblem} 429
   */
  async run<T>(
    { caller, act, key }: { readonly caller: string; readonly act: Act; readonly key: string | undefined },
    nowMs: number,
    work: () => Promise<T>,
  ): Promise<T> {
    const waitMs =
      act === 'revoke' && key !== undefined ? this.#takeKey(caller, key, nowMs) : this.#take(caller, act, nowMs);
    if (waitMs > 0) throw tooMany(act, waitMs);
    const running = this.#lanes[act].run(caller, work);
    if (!running) throw tooMany(act, 1_000);
    return running;
  }

  #take(caller: string, act: Act, nowMs: number): number {
    return this.#allowances[act].take(caller, nowMs);
  }

  #takeKey(caller: string, key: string, nowMs: number): number {
    const name = `${caller} ${key}`;
    const again = this.#sameKey.has(name, nowMs);
    const waitMs = again ? 0 : this.#take(caller, 'revoke', nowMs);
    return waitMs > 0 ? waitMs : this.#sameKey.take(name, nowMs);
  }
}

function byAct<T>(make: (limit: Rate & Width) => T): Readonly<Record<Act, T>> {
  const { read, revoke, restore, change } = CALLER_LIMITS;
  return { read: make(read), revoke: make(revoke), restore: make(restore), change: make(change) };
}

function tooMany(act: Act, waitMs: number): HttpProblem {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new HttpProblem(
    429,
    'RateExceeded',
    HTTP_REASONS.RateExceeded,
    `Repeat the call in ${seconds} s.${act === 'revoke' ? ' In an emergency go past the app: `cmk key revoke` on your own sign-in has no such limit.' : ''}`,
    { headers: { 'retry-after': String(seconds) } },
  );
}
