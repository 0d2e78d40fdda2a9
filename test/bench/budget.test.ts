import { expect, it } from 'vitest';
import { budgetSeconds, type Share } from '../../bench/budget.ts';

const cell = (accounts: number, lists = 1): Share[] => [{ accounts: { westeurope: accounts }, lists }];

it.each<[string, readonly Share[], number, number]>([
  ['a handful comes at once', cell(10), 1, 0],
  ['ten writes a second in a region', cell(110), 1, 10],
  ['regions are written to at the same time', [{ accounts: { westeurope: 60, uksouth: 40 }, lists: 1 }], 1, 5],
  ['25 reads a second in a subscription', cell(0, 500), 1, (500 - 250) / 25],
  [
    'ten writes a second in a subscription',
    [{ accounts: { a: 60, b: 60, c: 60, d: 60, e: 60 }, lists: 1 }],
    1,
    (300 - 200) / 10,
  ],
  ['subscriptions do not wait for each other', [...cell(50), ...cell(70)], 1, 6],
  ['800 reads in five minutes', cell(1_200), 1, 300],
  ['1,200 writes in an hour', cell(1_201), 1, 3_600],
  ["a share of the hour's", cell(1_200), 0.8, 3_600 + (240 - 10) / 10],
])('%s', (_, shares, share, seconds) => {
  expect(budgetSeconds(shares, share)).toBeCloseTo(seconds);
});
