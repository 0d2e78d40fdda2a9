import { describe, expect, it } from 'vitest';
import { CALLER_LIMITS, CallerLimits } from '../../src/api/rates.ts';
import type { Act } from '../../src/http/access.ts';
import { HttpProblem } from '../../src/http/problem.ts';

const run = (limits: CallerLimits, caller: string, act: Act, nowMs = 0) =>
  limits.run({ caller, act, lane: 'kv-files' }, nowMs, async () => {});

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
  for (let n = 0; n < count; n += 1) {
    if ((await refused(run(limits, caller, act))) === undefined) passed += 1;
  }
  return passed;
}

describe('one caller', () => {
  it.each<Act>(['read', 'revoke', 'restore', 'change'])(
    'A caller over the rate limit is told when to retry: %s',
    async (act) => {
      const limits = new CallerLimits();
      const { burst, perSecond } = CALLER_LIMITS[act];
      expect(await through(limits, burst + 50, 'a', act)).toBe(burst);
      expect(await refused(run(limits, 'a', act))).toBe('1');
      expect(await refused(run(limits, 'a', act, 1000 / perSecond))).toBeUndefined();
      expect(await refused(run(limits, 'a', act, 1000 / perSecond))).toBe('1');
    },
  );

  it('A caller can revoke a hundred keys in one go', async () => {
    const limits = new CallerLimits();
    await Promise.all(Array.from({ length: 100 }, () => run(limits, 'a', 'revoke')));
  });

  it('A caller draws on the allowance of no other caller, nor on that of another kind of call', async () => {
    const limits = new CallerLimits();
    await through(limits, 1_000, 'a', 'revoke');
    await through(limits, 1_000, 'a', 'read');
    expect(await through(limits, 1, 'b', 'revoke')).toBe(1);
    expect(await through(limits, 1, 'a', 'restore')).toBe(1);
  });

  it('A caller has a limit of calls in flight and a queue for the rest, which delays no other caller', async () => {
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
      limits.run({ caller: 'a', act: 'read', lane: 'kv-files' }, 0, hold),
    );

    await new Promise(setImmediate);

    expect(running).toBe(atOnce);
    expect(await refused(limits.run({ caller: 'a', act: 'read', lane: 'kv-files' }, 0, hold))).toBe('1');

    await run(limits, 'b', 'read');
    await run(limits, 'a', 'revoke');

    expect(running).toBe(atOnce);

    while (open.length > 0) {
      open.shift()?.();
      await new Promise(setImmediate);
      expect(running).toBeLessThanOrEqual(atOnce);
    }

    await Promise.all(calls);

    expect(running).toBe(0);
  });

  it('A caller revokes a key at once behind 50 calls to another vault, which hang', async () => {
    const limits = new CallerLimits();
    const hang = () => new Promise<never>(() => {});
    for (let n = 0; n < 50; n += 1) limits.run({ caller: 'a', act: 'revoke', lane: 'kv-records' }, 0, hang);
    expect(await refused(run(limits, 'a', 'revoke'))).toBeUndefined();
  });
});
