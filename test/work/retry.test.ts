import fc from 'fast-check';
import { expect, it } from 'vitest';
import { afterFailure, afterThrottling, MAX_ATTEMPTS, MAX_DELAY_SECONDS } from '../../src/work/retry.ts';

it('waits 15, 30, 60, 120, 240 and then 300 seconds, and gives up in the end', () => {
  const delays: number[] = [];
  for (let attempt = 0; ; ) {
    const retry = afterFailure(attempt);
    if (!retry.again) break;
    delays.push(retry.delaySeconds);
    attempt = retry.attempt;
  }
  expect(delays.slice(0, 7)).toEqual([15, 30, 60, 120, 240, 300, 300]);
  expect(delays).toHaveLength(MAX_ATTEMPTS - 1);
});

it('throttling never counts, and its delay always fits the queue', () => {
  fc.assert(
    fc.property(
      fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: undefined }),
      fc.nat(1000),
      (retryAfterSeconds, attempt) => {
        const retry = afterThrottling({ retryAfterSeconds }, attempt);
        if (!retry.again) throw new Error('Throttling must never give up.');
        expect(retry.attempt).toBe(attempt);
        expect(Number.isInteger(retry.delaySeconds)).toBe(true);
        expect(retry.delaySeconds).toBeGreaterThanOrEqual(Math.min(retryAfterSeconds ?? 1, MAX_DELAY_SECONDS));
        expect(retry.delaySeconds).toBeLessThanOrEqual(7 * 24 * 3600);
      },
    ),
  );
});
