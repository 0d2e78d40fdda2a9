import { expect, it } from 'vitest';
import { budgetSeconds } from '../../bench/budget.ts';

it.each([
  ['a handful comes at once', [{ accounts: { westeurope: 10 }, lists: 1 }], 2, 0],
  ['ten writes a second in a region', [{ accounts: { westeurope: 110 }, lists: 1 }], 1, 10],
  ['regions are written to at the same time', [{ accounts: { westeurope: 60, uksouth: 40 }, lists: 1 }], 1, 5],
  ['25 reads a second in a subscription', [{ accounts: { a: 90, b: 90, c: 70 }, lists: 1 }], 2, (501 - 250) / 25],
  [
    'subscriptions do not wait for each other',
    [
      { accounts: { a: 50 }, lists: 1 },
      { accounts: { a: 70 }, lists: 1 },
    ],
    1,
    6,
  ],
])('%s', (_, shares, reads, seconds) => {
  expect(budgetSeconds(shares as Parameters<typeof budgetSeconds>[0], reads)).toBeCloseTo(seconds);
});

it('does not promise what an hour does not allow', () => {
  expect(() => budgetSeconds([{ accounts: { westeurope: 1_201 }, lists: 1 }], 1)).toThrow(RangeError);
});
