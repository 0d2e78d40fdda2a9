import type { Act } from './access.ts';
import { HTTP_REASONS } from './http-reasons.ts';
import { HttpProblem } from './problem.ts';

/** How often a caller may do something: `burst` at once, `perSecond` from then on. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** How many calls of one caller run at a time, and how many more wait for their turn. */
interface Width {
  readonly atOnce: number;
  /** So many while other callers have calls of this kind under way as well. */
  readonly besideOthers: number;
  readonly waiting: number;
}

/**
 * Limits of one caller on one instance, far above what a person does: a page that asks for ten keys each second, a script
 * that revokes a hundred keys at once. Revoking one key again and again draws on that key's own allowance, so that a
 * script that runs wild over one key leaves its owner the hundred others; going over many keys draws on the caller's.
 */
export const CALLER_LIMITS: Readonly<Record<Act, Rate & Width>> = {
  read: { burst: 120, perSecond: 10, atOnce: 4, besideOthers: 1, waiting: 40 },
  revoke: { burst: 100, perSecond: 2, atOnce: 6, besideOthers: 1, waiting: 100 },
  restore: { burst: 30, perSecond: 1, atOnce: 4, besideOthers: 2, waiting: 20 },
  change: { burst: 30, perSecond: 1, atOnce: 4, besideOthers: 2, waiting: 20 },
};
/** Calls to revoke by one caller that are rejected as invalid, which draw on no allowance of revocations. */
export const REJECTED_LIMIT: Rate = { burst: 60, perSecond: 2 };
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

  /** Returns a token that was taken and not used. */
  refund(name: string): void {
    const left = this.#left.get(name);
    if (left) left.tokens = Math.min(this.#rate.burst, left.tokens + 1);
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

/**
 * Calls by name, so many at a time. Those of one name never wait for those of another; where several have calls under way,
 * a name that has many begins no more of them until it has few.
 */
class Lanes {
  readonly #width: Width;
  readonly #lines = new Map<string, Line>();

  constructor(width: Width) {
    this.#width = width;
  }

  /** Whether a call is under way. */
  get isBusy(): boolean {
    return this.#lines.size > 0;
  }

  /** @returns undefined when too many wait already */
  run<T>(name: string, work: () => Promise<T>): Promise<T> | undefined {
    const line = this.#lines.get(name) ?? { running: 0, waiting: [] };
    if (line.waiting.length >= this.#width.waiting) return undefined;
    this.#lines.set(name, line);
    const turn = new Promise<void>((resolve) => line.waiting.push(resolve));
    this.#callNext(line);
    return this.#inTurn(name, line, turn, work);
  }

  async #inTurn<T>(name: string, line: Line, turn: Promise<void>, work: () => Promise<T>): Promise<T> {
    await turn;
    try {
      return await work();
    } finally {
      line.running -= 1;
      if (line.running === 0 && line.waiting.length === 0) this.#lines.delete(name);
      // One name less may widen the lines of the others.
      for (const other of this.#lines.values()) this.#callNext(other);
    }
  }

  #callNext(line: Line): void {
    const { atOnce, besideOthers } = this.#width;
    const wide = this.#lines.size > 1 ? besideOthers : atOnce;
    while (line.running < wide) {
      const next = line.waiting.shift();
      if (!next) return;
      line.running += 1;
      next();
    }
  }
}

/** A read waits no longer than this for revocations that are under way. Milliseconds. */
const GIVE_WAY_MS = 5_000;
const LOOK_EVERY_MS = 50;

/**
 * Holds each caller to their limits. A lane is one kind of call by one caller: a flood fills its own and no other, so that
 * somebody else's revocation, or the same caller's, waits for no status call. Reads give way to revocations for a moment.
 */
export class CallerLimits {
  readonly #allowances = byAct((limit) => new Allowances(limit));
  readonly #lanes = byAct((limit) => new Lanes(limit));
  readonly #sameKey = new Allowances(SAME_KEY_LIMIT);
  readonly #rejected = new Allowances(REJECTED_LIMIT);

  /**
   * Runs a call in its caller's lane. A call to revoke that fails before `work` has marked it as valid gets its tokens back,
   * so that typing errors do not use up the allowance of revocations, and draws on the allowance of rejected calls.
   *
   * @param key what a revocation names; anything as long as it is the same for the same key
   * @throws {@link HttpProblem} 429
   */
  async run<T>(
    { caller, act, key }: { readonly caller: string; readonly act: Act; readonly key: string | undefined },
    nowMs: number,
    work: (markValid: () => void) => Promise<T>,
  ): Promise<T> {
    const taken = this.#take(caller, act, act === 'revoke' ? key : undefined, nowMs);
    let isValid = act !== 'revoke';
    const run = async (): Promise<T> => {
      try {
        return await work(() => {
          isValid = true;
        });
      } catch (error) {
        if (isValid) throw error;
        for (const { bucket, name } of taken) bucket.refund(name);
        refuseIfWaiting(this.#rejected.take(caller, nowMs), act);
        throw error;
      }
    };
    const running = this.#lanes[act].run(caller, act === 'read' ? () => this.#givingWay(run) : run);
    if (!running) throw tooMany(act, 1_000);
    return running;
  }

  async #givingWay<T>(work: () => Promise<T>): Promise<T> {
    for (let ms = 0; ms < GIVE_WAY_MS && this.#lanes.revoke.isBusy; ms += LOOK_EVERY_MS) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return work();
  }

  /** @returns what can be refunded */
  #take(caller: string, act: Act, key: string | undefined, nowMs: number): readonly Token[] {
    const own = { bucket: this.#allowances[act], name: caller };
    if (key === undefined) return takeAll([own], act, nowMs);
    const ofKey = { bucket: this.#sameKey, name: `${caller} ${key}` };
    return takeAll(this.#sameKey.has(ofKey.name, nowMs) ? [ofKey] : [own, ofKey], act, nowMs);
  }
}

interface Token {
  readonly bucket: Allowances;
  readonly name: string;
}

function takeAll(all: readonly Token[], act: Act, nowMs: number): readonly Token[] {
  for (const { bucket, name } of all) refuseIfWaiting(bucket.take(name, nowMs), act);
  return all;
}

function byAct<T>(make: (limit: Rate & Width) => T): Readonly<Record<Act, T>> {
  const { read, revoke, restore, change } = CALLER_LIMITS;
  return { read: make(read), revoke: make(revoke), restore: make(restore), change: make(change) };
}

/** @throws {@link HttpProblem} 429 */
function refuseIfWaiting(waitMs: number, act: Act): void {
  if (waitMs > 0) throw tooMany(act, waitMs);
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
