import { expect, it } from 'vitest';
import { getFailedOn, isRefreshed } from '../../src/controller/use-result.ts';
import { NOW, useRow } from '../status/use-rows.ts';
import { keyVersion } from '../support/keys.ts';

it('A failed use is retried after 15 seconds, then with doubled waits up to five minutes, and hourly after eight attempts', () => {
  const seconds = Array.from({ length: 10 }, (_, n) => {
    const failed = getFailedOn(useRow(1, { state: 'failed', attempts: n + 1, notBefore: NOW.toISOString() }));
    return (NOW.getTime() - (failed?.getTime() ?? 0)) / 1_000;
  });
  expect(seconds).toEqual([15, 30, 60, 120, 240, 300, 300, 300, 3_600, 3_600]);
});

it('An automatic use is refreshed once for each version, unless the drift check has deferred it', () => {
  const plan = { write: true, reason: 'LaggingAutomaticVersion', target: keyVersion(2), pin: '' } as const;
  const isDone = (reason: 'LaggingAutomaticVersion' | 'LeftByCheck') =>
    isRefreshed(useRow(1, { state: 'skipped', reason, target: plan.target.id }), plan);
  expect([isDone('LaggingAutomaticVersion'), isDone('LeftByCheck')]).toEqual([true, false]);
});
