import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { percentile } from '../../src/formats/percentile.ts';

describe('a percentile', () => {
  it('is the nearest rank of any number of values, whatever the rounding', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(10_000), { minLength: 1, maxLength: 400 }),
        fc.integer({ min: 1, max: 100 }),
        (values, percent) => {
          const sorted = [...values].sort((a, b) => a - b);
          expect(percentile(values, percent)).toBe(sorted[Math.ceil((percent * sorted.length) / 100) - 1]);
        },
      ),
    );
  });

  it('is not made lower by what was given up: half of it stays unknown where half was not seen to end', () => {
    expect(percentile([5, 10, 15], 50, [1_800])).toBe(10);
    expect(percentile([5, 10, 15], 95, [1_800])).toBeUndefined();
    expect(percentile([5, 10], 50, [1_800, 1_800, 1_800])).toBeUndefined();
    expect(percentile([], 50, [1_800])).toBeUndefined();
  });

  it('takes what was given up early for no more than that: it says nothing of what came later', () => {
    expect(percentile([30, 40], 50, [2, 2, 2])).toBe(30);
    expect(percentile([30, 40], 95, [2, 2, 2])).toBe(40);
    // Given up at the very moment when another ended.
    expect([percentile([30], 50, [30]), percentile([30, 40], 50, [30])]).toEqual([30, 40]);
  });
});
