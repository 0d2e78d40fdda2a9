import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Pacer, STORAGE_WRITES } from '../../src/azure/pacer.ts';

it('lets a few through at once and spaces out the rest', () => {
  const pacer = new Pacer([{ calls: 10, perMs: 1_000, burst: 4 }]);
  expect([1, 2, 3, 4, 5, 6].map(() => pacer.reserve('a', 0))).toEqual([0, 0, 0, 0, 100, 200]);
  expect(pacer.reserve('b', 0)).toBe(0);
  expect(pacer.reserve('a', 1_000)).toBe(0);
});

it('counts a turn of several calls as so many', () => {
  const pacer = new Pacer([{ calls: 25, perMs: 1_000, burst: 4 }]);
  expect([1, 2, 3, 4].map(() => pacer.reserve('a', 0, 2))).toEqual([0, 0, 80, 160]);
  pacer.release('a', 2);
  expect(pacer.reserve('a', 0, 2)).toBe(160);
});

it('gives a turn that was not used to the next one', () => {
  const pacer = new Pacer([{ calls: 10, perMs: 1_000, burst: 1 }]);
  expect(pacer.reserve('a', 0)).toBe(0);
  pacer.release('a');
  expect(pacer.reserve('a', 0)).toBe(0);
});

it('never exceeds a budget in any window of its length, whatever the arrivals', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 300 }), (gaps) => {
      const pacer = new Pacer(STORAGE_WRITES);
      let now = 0;
      const turns: number[] = [];
      for (const gap of gaps) {
        now += gap;
        turns.push(now + pacer.reserve('cell', now));
      }
      for (const start of turns) {
        const within = turns.filter((turn) => turn >= start && turn < start + 1_000).length;
        // A token bucket lets its burst and its rate through in one window.
        expect(within).toBeLessThanOrEqual(10 + 4);
      }
    }),
    { numRuns: 100 },
  );
});

it('keeps the hourly budget too', () => {
  const pacer = new Pacer(STORAGE_WRITES);
  const turns = Array.from({ length: 1_300 }, (_, i) => i * 100 + pacer.reserve('cell', i * 100));
  expect(turns.filter((turn) => turn < 3_600_000).length).toBeGreaterThanOrEqual(1_200);
  expect(pacer.reserve('cell', 130_000)).toBeGreaterThan(60_000);
});
