import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { computePercentile } from '../../src/formats/percentile.ts';

describe('a percentile', () => {
  it('A percentile is the smallest value that at least so many percent of the values do not exceed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(10_000), { minLength: 1, maxLength: 400 }),
        fc.integer({ min: 1, max: 100 }),
        (values, percent) => {
          const found = computePercentile(values, percent) ?? Number.NaN;
          const within = values.filter((value) => value <= found).length;
          const below = values.filter((value) => value < found).length;

          expect(within * 100).toBeGreaterThanOrEqual(percent * values.length);
          expect(below * 100).toBeLessThan(percent * values.length);
        },
      ),
    );
  });

  it('A percentile is unknown without values', () => {
    expect(computePercentile([], 50)).toBeUndefined();
  });
});
