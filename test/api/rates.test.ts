import { describe, expect, it } from 'vitest';
import { CALLER_LIMITS, CallerLimits, REJECTED_LIMIT, TokenBuckets } from '../../src/api/rates.ts';
import type { Act } from '../../src/http/access.ts';
import { HttpProblem } from '../../src/http/problem.ts';

const run = (limits: CallerLimits, caller: string, act: Act, nowMs = 0) =>
  limits.run({ caller, act }, nowMs, async (markValid) => markValid());

/** `Retry-After` of a call that is answered 429; undefined for one that is run. */
const refused = async (call: Promise<unknown>): Promise<string | undefined> =>
  call.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof HttpProblem && error.status === 429) return error.headers['retry-after'] ?? '';
      throw error;
    },
  );

/** How many of so many calls are let through, one after the other at the same moment. */
async function through(limits: CallerLimits, count: number, caller: string, act: Act): Promise<number> {
  let passed = 0;
  for (let n = 0; n < count; n += 1) if ((await refused(run(limits, caller, act))) === undefined) passed += 1;
  return passed;
}

describe('a token bucket', () => {
  it('is used up, and fills again as time goes by', () => {
    const buckets = new TokenBuckets({ burst: 2, perSecond: 0.5 });
    expect([buckets.take('a', 0), buckets.take('a', 0), buckets.take('a', 0)]).toEqual([0, 0, 2000]);
    expect(buckets.take('b', 0)).toBe(0);
    expect(buckets.take('a', 1_000)).toBe(1000);
    expect(buckets.take('a', 2_000)).toBe(0);
    expect([1, 2, 3].map(() => buckets.take('a', 3_600_000))).toEqual([0, 0, 2000]);
  });

  it('is kept until it is full, however many others are drawn on', () => {
    const buckets = new TokenBuckets({ burst: 1, perSecond: 0.5 });
    buckets.take('a', 0);
    for (let n = 0; n < 10_010; n += 1) buckets.take(`${n}`, 0);
    expect(buckets.take('a', 0)).toBe(2000);
  });
});

describe('one caller', () => {
  it.each<Act>(['read', 'revoke', 'restore', 'change'])('is told when to come back: %s', async (act) => {
    const limits = new CallerLimits();
    const { burst } = CALLER_LIMITS[act];
    expect(await through(limits, burst + 50, 'a', act)).toBe(burst);
    expect(await refused(run(limits, 'a', act))).toMatch(/^[1-9]\d*$/);
    expect(await refused(run(limits, 'a', act, 60_000))).toBeUndefined();
  });

  it('whose revocations are rejected as invalid draws on no revocation, and is held back after some', async () => {
    const limits = new CallerLimits();
    const wrong = new HttpProblem('BodyInvalid');
    const statuses: number[] = [];
    for (let n = 0; n < REJECTED_LIMIT.burst + 5; n += 1) {
      const call = limits.run({ caller: 'a', act: 'revoke' }, 0, () => Promise.reject(wrong));
      statuses.push(((await call.catch((error: unknown) => error)) as HttpProblem).status);
    }
    expect(statuses).toEqual([...Array(REJECTED_LIMIT.burst).fill(400), ...Array(5).fill(429)]);
    expect(await through(limits, 1_000, 'a', 'revoke')).toBe(CALLER_LIMITS.revoke.burst);
  });

  it('whose valid revocations fail has drawn on the allowance', async () => {
    const limits = new CallerLimits();
    const failure = new HttpProblem('VaultUnreadable');
    for (let n = 0; n < CALLER_LIMITS.revoke.burst; n += 1) {
      const failing = limits.run({ caller: 'a', act: 'revoke' }, 0, async (markValid) => {
        markValid();
        throw failure;
      });
      await expect(failing).rejects.toBe(failure);
    }
    expect(await through(limits, 1, 'a', 'revoke')).toBe(0);
  });

  it('revokes a hundred keys in one go', async () => {
    const limits = new CallerLimits();
    await Promise.all(Array.from({ length: 100 }, () => run(limits, 'a', 'revoke')));
  });

  it('draws on the allowance of no other caller, nor on that of another kind of call', async () => {
    const limits = new CallerLimits();
    await through(limits, 1_000, 'a', 'revoke');
    await through(limits, 1_000, 'a', 'read');
    expect(await through(limits, 1, 'b', 'revoke')).toBe(1);
    expect(await through(limits, 1, 'a', 'restore')).toBe(1);
  });

  it('has so many calls at a time and a queue of the rest, in which no other caller waits', async () => {
    const limits = new CallerLimits();
    const { atOnce, waiting } = CALLER_LIMITS.read;
    const open: (() => void)[] = [];
    let running = 0;
    const hold = async () => {
      running += 1;
      await new Promise<void>((resolve) => open.push(resolve));
      running -= 1;
    };
    const calls = Array.from({ length: atOnce + waiting }, () => limits.run({ caller: 'a', act: 'read' }, 0, hold));
    await Promise.resolve();
    expect(running).toBe(atOnce);
    expect(await refused(limits.run({ caller: 'a', act: 'read' }, 0, hold))).toBe('1');
    await limits.run({ caller: 'b', act: 'read' }, 0, async () => {});
    await limits.run({ caller: 'a', act: 'revoke' }, 0, async () => {});
    expect(running).toBe(atOnce);
    while (open.length > 0) {
      open.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
      expect(running).toBeLessThanOrEqual(atOnce);
    }
    await Promise.all(calls);
    expect(running).toBe(0);
  });

  it('frees its place in the lane when a call fails', async () => {
    const limits = new CallerLimits();
    for (let n = 0; n < 20; n += 1) {
      await expect(
        limits.run({ caller: 'a', act: 'restore' }, n * 1_000, async () => {
          throw new Error('no');
        }),
      ).rejects.toThrow('no');
    }
  });
});
