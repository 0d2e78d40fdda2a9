import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Calls, Limiter } from '../../src/azure/limiter.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const MOVE: Calls = { reads: 1, writes: 1 };

/** Takes as many permits as there are until then, each as soon as it is admitted; when each was taken. */
function takeUntil(
  limiter: Limiter,
  untilMs: number,
  calls: Calls = MOVE,
  fromMs = NOON,
  region = 'westeurope',
): number[] {
  const taken: number[] = [];
  for (let nowMs = fromMs; nowMs < untilMs; ) {
    const waitMs = limiter.take(region, calls, nowMs);
    if (waitMs === 0) taken.push(nowMs);
    nowMs += waitMs;
  }

  return taken;
}

/** The most of them in any span of that length. */
function mostWithin(times: readonly number[], spanMs: number): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + spanMs).length));
}

describe('Limiter', () => {
  it('The limiter admits 10 writes a second at most, with a burst of five', () => {
    const taken = takeUntil(new Limiter(), NOON + 20_000);
    expect(taken.filter((at) => at === NOON)).toHaveLength(5);
    expect(taken.length).toBeGreaterThan(190);
    expect(mostWithin(taken, 1_000)).toBeLessThanOrEqual(15);
  });

  it('The limiter stays within its share of the hourly writes and of the reads of five minutes', () => {
    const writes = takeUntil(new Limiter(), NOON + 3_600_000, { writes: 1 });
    expect(mostWithin(writes, 3_600_000)).toBe(960);
    const reads = takeUntil(new Limiter(), NOON + 600_000, { reads: 1 });
    expect(mostWithin(reads, 300_000)).toBe(640);
  });

  it('The limiter returns the wait once the hour is used up, and admits again after it', () => {
    const limiter = new Limiter();
    const taken = takeUntil(limiter, NOON + 600_000, { writes: 1 });
    expect(taken).toHaveLength(960);
    const at = NOON + 600_000;
    const waitMs = limiter.take('westeurope', { writes: 1 }, at);
    expect(waitMs).toBeGreaterThan(2_900_000);
    expect(limiter.take('westeurope', { writes: 1 }, at + waitMs)).toBe(0);
  });

  it('The limiter counts each region separately, and Azure Resource Manager for the whole subscription', () => {
    const limiter = new Limiter();
    takeUntil(limiter, NOON + 1, MOVE);
    expect(limiter.take('northeurope', MOVE, NOON)).toBe(0);
    const regions = Array.from({ length: 300 }, (_, n) => `region${n}`);
    const admitted = regions.filter((region) => limiter.take(region, { writes: 1 }, NOON) === 0);
    expect(admitted.length).toBeLessThanOrEqual(190);
  });

  it('The limiter reserves three quarters of the windows for first attempts', () => {
    const limiter = new Limiter();
    expect(takeUntil(limiter, NOON + 3_000_000, { writes: 1, purpose: 'retry' })).toHaveLength(240);
    expect(limiter.take('westeurope', { writes: 1 }, NOON + 3_000_000)).toBe(0);
  });

  it('The limiter reserves an eighth of the lists for urgent ones', () => {
    const limiter = new Limiter();
    expect(takeUntil(limiter, NOON + 1_000, { lists: 1, purpose: 'scopes' })).toHaveLength(70);
    expect(limiter.take('westeurope', { lists: 1 }, NOON + 1_000)).toBe(0);
  });

  it('The limiter admits no call in a region for as long as a 429 asks, and half the rate after it', () => {
    const limiter = new Limiter();

    limiter.close('westeurope', 'account', NOON, 30);

    expect(limiter.take('westeurope', MOVE, NOON)).toBe(30_000);
    expect(limiter.take('westeurope', { lists: 1 }, NOON)).toBe(0);
    expect(limiter.take('northeurope', MOVE, NOON)).toBe(0);

    const reopened = NOON + 30_000;
    const first = takeUntil(limiter, reopened + 10_000, MOVE, reopened);

    expect(first.length).toBeLessThanOrEqual(65);

    const later = takeUntil(limiter, reopened + 80_000, MOVE, reopened + 70_000);
    expect(later.length).toBeGreaterThanOrEqual(95);
  });

  it('The limiter waits 15 seconds after a 429 without Retry-After, and blocks all regions after one of Azure Resource Manager', () => {
    const limiter = new Limiter();
    limiter.close('westeurope', 'subscription', NOON);
    expect(limiter.take('northeurope', { reads: 1 }, NOON)).toBe(15_000);
  });

  it('The limiter continues from the stored usage of the previous lease holder', () => {
    const before = new Limiter();
    takeUntil(before, NOON + 600_000, { writes: 1 });
    const after = new Limiter(JSON.parse(JSON.stringify(before.usage())));
    expect(after.take('WestEurope', { writes: 1 }, NOON + 600_000)).toBeGreaterThan(2_900_000);
    expect(after.take('westeurope', { reads: 1 }, NOON + 600_000)).toBe(0);
  });

  it('The limiter gives the next lease holder no second burst of the budgets of Azure Resource Manager', () => {
    const regions = Array.from({ length: 60 }, (_, index) => `region${index}`);
    const burst = (limiter: Limiter, nowMs: number): number =>
      regions.flatMap((region) => takeUntil(limiter, nowMs + 1, { reads: 1, writes: 1 }, nowMs, region)).length;
    const before = new Limiter();
    expect(burst(before, NOON)).toBe(190);
    const after = new Limiter(JSON.parse(JSON.stringify(before.usage())));
    expect(burst(after, NOON + 1_000)).toBe(10);
  });

  it('The limiter never admits more in any time span than a budget has, in whatever order calls arrive', () => {
    const gap = fc.integer({ min: 0, max: 20_000 });
    fc.assert(
      fc.property(fc.array(gap, { minLength: 200, maxLength: 400 }), (gaps) => {
        const limiter = new Limiter();
        let nowMs = NOON;
        const taken: number[] = [];
        for (const ms of gaps) {
          nowMs += ms;
          if (limiter.take('westeurope', { reads: 8, lists: 8 }, nowMs) === 0) taken.push(nowMs);
        }
        expect(mostWithin(taken, 300_000)).toBeLessThanOrEqual(10);
      }),
      { numRuns: 30 },
    );
  });
});
