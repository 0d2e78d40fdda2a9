import { describe, expect, it, vi } from 'vitest';
import type { Act } from '../../src/http/access.ts';
import { HttpProblem } from '../../src/http/problem.ts';
import { Allowances, CALLER_LIMITS, CallerLimits, REJECTED_LIMIT, SAME_KEY_LIMIT } from '../../src/http/rates.ts';

const refused = async (run: Promise<unknown>): Promise<string | undefined> =>
  run.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof HttpProblem && error.status === 429) return error.headers['retry-after'] ?? '';
      throw error;
    },
  );

/** How many of so many calls are let through, one after the other at the same moment. */
async function through(
  limits: CallerLimits,
  count: number,
  call: (n: number) => { caller: string; act: Act; key?: string },
) {
  let passed = 0;
  for (let n = 0; n < count; n += 1) {
    const { key, ...rest } = call(n);
    if ((await refused(limits.run({ ...rest, key }, 0, async () => {}))) === undefined) passed += 1;
  }
  return passed;
}

describe('an allowance', () => {
  it('is used up, and filled up again as time goes by', () => {
    const allowances = new Allowances({ burst: 2, perSecond: 0.5 });
    expect([allowances.take('a', 0), allowances.take('a', 0), allowances.take('a', 0)]).toEqual([0, 0, 2000]);
    expect(allowances.take('b', 0)).toBe(0);
    expect(allowances.take('a', 1_000)).toBe(1000);
    expect(allowances.take('a', 2_000)).toBe(0);
    expect(allowances.has('a', 60_000)).toBe(false);
    expect([1, 2, 3].map(() => allowances.take('a', 3_600_000))).toEqual([0, 0, 2000]);
  });

  it('is kept as long as it is not whole again, however many others are drawn on', () => {
    const allowances = new Allowances({ burst: 1, perSecond: 0.5 });
    allowances.take('a', 0);
    for (let n = 0; n < 10_010; n += 1) allowances.take(`${n}`, 0);
    expect(allowances.take('a', 0)).toBe(2000);
  });
});

describe('one caller', () => {
  it.each<Act>(['read', 'revoke', 'restore', 'change'])('is told when to come back: %s', async (act) => {
    const limits = new CallerLimits();
    const { burst } = CALLER_LIMITS[act];
    expect(await through(limits, burst + 50, (n) => ({ caller: 'a', act, key: `key-${n}` }))).toBe(burst);
    expect(await refused(limits.run({ caller: 'a', act, key: 'one-more' }, 0, async () => {}))).toMatch(/^[1-9]\d*$/);
    expect(await refused(limits.run({ caller: 'a', act, key: 'one-more' }, 5_000, async () => {}))).toBeUndefined();
  });

  it('who revokes one key over and over still has what it takes to revoke all the others', async () => {
    const limits = new CallerLimits();
    const same = await through(limits, 1_000, () => ({ caller: 'a', act: 'revoke', key: 'kv/same' }));
    expect(same).toBe(SAME_KEY_LIMIT.burst);
    const others = await through(limits, 1_000, (n) => ({ caller: 'a', act: 'revoke', key: `kv/${n}` }));
    expect(others).toBe(CALLER_LIMITS.revoke.burst - 1);
    const again = (ms: number) =>
      refused(limits.run({ caller: 'a', act: 'revoke', key: 'kv/same' }, ms, async () => {}));
    expect([await again(4_000), await again(5_000), await again(5_000)]).toEqual(['1', undefined, '5']);
  });

  it('whose calls are rejected before they revoke anything has drawn on no revocation, and is held back some time', async () => {
    const limits = new CallerLimits();
    const call = { caller: 'a', act: 'revoke', key: 'kv/same' } as const;
    const wrong = new HttpProblem(400, 'BodyInvalid', 'A typing error.', 'Correct it.');
    const outcomes = new Map<number, number>();
    for (let n = 0; n < REJECTED_LIMIT.burst + 5; n += 1) {
      const error: unknown = await limits.run(call, 0, async () => Promise.reject(wrong)).catch((one: unknown) => one);
      const { status } = error as HttpProblem;
      outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
    }
    expect([...outcomes]).toEqual([
      [400, REJECTED_LIMIT.burst],
      [429, 5],
    ]);
    expect(await through(limits, 100, () => call)).toBe(SAME_KEY_LIMIT.burst);
    const others = await through(limits, 1_000, (n) => ({ caller: 'a', act: 'revoke', key: `kv/${n}` }));
    expect(others).toBe(CALLER_LIMITS.revoke.burst - 1);
    // What failed once it had begun has been drawn.
    const failing = async (begins: () => void) => {
      begins();
      throw wrong;
    };
    const other = { ...call, caller: 'b' };
    for (let n = 0; n < SAME_KEY_LIMIT.burst; n += 1) await expect(limits.run(other, 0, failing)).rejects.toBe(wrong);
    expect(await refused(limits.run(other, 0, failing))).toBeDefined();
  });

  it('takes nothing from anybody else, nor from what else they do themselves', async () => {
    const limits = new CallerLimits();
    await through(limits, 1_000, (n) => ({ caller: 'a', act: 'revoke', key: `kv/${n}` }));
    await through(limits, 1_000, () => ({ caller: 'a', act: 'read' }));
    expect(await through(limits, 1, () => ({ caller: 'b', act: 'revoke', key: 'kv/1' }))).toBe(1);
    await through(limits, 1_000, () => ({ caller: 'b', act: 'revoke', key: 'kv/same' }));
    expect(await through(limits, 1, () => ({ caller: 'c', act: 'revoke', key: 'kv/same' }))).toBe(1);
    expect(await through(limits, 1, () => ({ caller: 'a', act: 'restore' }))).toBe(1);
  });

  it('has so many calls under way, and the rest in line; others do not stand in it', async () => {
    const limits = new CallerLimits();
    const { atOnce, waiting } = CALLER_LIMITS.read;
    const open: (() => void)[] = [];
    let running = 0;
    const hold = async () => {
      running += 1;
      await new Promise<void>((resolve) => open.push(resolve));
      running -= 1;
    };
    const calls = Array.from({ length: atOnce + waiting }, () =>
      limits.run({ caller: 'a', act: 'read', key: undefined }, 0, hold),
    );
    await Promise.resolve();
    expect(running).toBe(atOnce);
    // So many wait and no more.
    expect(await refused(limits.run({ caller: 'a', act: 'read', key: undefined }, 0, hold))).toBe('1');
    await limits.run({ caller: 'b', act: 'read', key: undefined }, 0, async () => {});
    await limits.run({ caller: 'a', act: 'revoke', key: 'kv/1' }, 0, async () => {});
    expect(running).toBe(atOnce);
    while (open.length > 0) {
      open.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
      expect(running).toBeLessThanOrEqual(atOnce);
    }
    await Promise.all(calls);
    expect(running).toBe(0);
  });

  it('begins one at a time while others revoke as well, and as many as before when they are done', async () => {
    const limits = new CallerLimits();
    const { atOnce, besideOthers } = CALLER_LIMITS.revoke;
    const open = new Map<string, (() => void)[]>();
    const hold = (caller: string) => () =>
      new Promise<void>((resolve) => open.set(caller, [...(open.get(caller) ?? []), resolve]));
    const revoke = (caller: string, key: string) => limits.run({ caller, act: 'revoke', key }, 0, hold(caller));
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    const end = async (caller: string) => {
      open.get(caller)?.shift()?.();
      await settle();
    };
    const calls = Array.from({ length: 30 }, (_, n) => revoke('a', `kv/${n}`));
    await settle();
    expect(open.get('a')).toHaveLength(atOnce);
    const other = revoke('b', 'kv/0');
    await settle();
    expect(open.get('b')).toHaveLength(1);
    for (let left = atOnce - 1; left >= besideOthers; left -= 1) {
      await end('a');
      expect(open.get('a')).toHaveLength(left);
    }
    await end('a');
    expect(open.get('a')).toHaveLength(besideOthers);
    await end('b');
    expect(open.get('a')).toHaveLength(atOnce);
    while ((open.get('a')?.length ?? 0) > 0) await end('a');
    await Promise.all([...calls, other]);
  });

  it('who reads gives way to revocations that are under way, for a few seconds', async () => {
    vi.useFakeTimers();
    try {
      const limits = new CallerLimits();
      const ends: (() => void)[] = [];
      let reads = 0;
      const read = () =>
        limits.run({ caller: 'b', act: 'read', key: undefined }, 0, async () => {
          reads += 1;
        });
      const revoke = () => {
        const hold = () => new Promise<void>((resolve) => ends.push(resolve));
        return limits.run({ caller: 'a', act: 'revoke', key: 'kv/1' }, 0, hold);
      };
      const revoked = revoke();
      const gaveWay = read();
      await vi.advanceTimersByTimeAsync(1_000);
      expect(reads).toBe(0);
      ends[0]?.();
      await vi.advanceTimersByTimeAsync(100);
      expect(reads).toBe(1);

      const hanging = revoke();
      const waited = read();
      await vi.advanceTimersByTimeAsync(5_100);
      expect(reads).toBe(2);
      ends[1]?.();
      await Promise.all([revoked, gaveWay, hanging, waited]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('gives a place free whose call fails', async () => {
    const limits = new CallerLimits();
    for (let n = 0; n < 20; n += 1) {
      await expect(
        limits.run({ caller: 'a', act: 'restore', key: undefined }, n * 1_000, async () => {
          throw new Error('no');
        }),
      ).rejects.toThrow('no');
    }
  });
});
