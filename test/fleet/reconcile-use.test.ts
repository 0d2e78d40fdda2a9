import { expect, it } from 'vitest';
import { failedOn } from '../../src/fleet/reconcile-use.ts';
import { NOW, useRow } from '../views/use-rows.ts';

it('A failed use is tried again after 15 seconds, then after twice as long up to five minutes, and each hour after eight tries', () => {
  const seconds = Array.from({ length: 10 }, (_, n) => {
    const failed = failedOn(useRow(1, { state: 'failed', attempts: n + 1, notBefore: NOW.toISOString() }));
    return (NOW.getTime() - (failed?.getTime() ?? 0)) / 1_000;
  });
  expect(seconds).toEqual([15, 30, 60, 120, 240, 300, 300, 300, 3_600, 3_600]);
});
