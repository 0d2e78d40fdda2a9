import { expect, it } from 'vitest';
import { findGateBlock } from '../../src/controller/gate.ts';
import { KeyStates } from '../../src/controller/key-states.ts';
import type { RolloutRow } from '../../src/index/rollout-row.ts';
import { NO_ORDERS, type StandingOrders, withContest, withPause } from '../../src/orders/standing-orders.ts';
import { accountId, NOW, OLD, useRow } from '../status/use-rows.ts';
import { day, KEY, keyVersion, VAULTS } from '../support/keys.ts';

const TARGET = keyVersion(100);
const ROLLOUT: RolloutRow = {
  target: TARGET.id,
  canaries: [],
  proven: true,
  unfinished: 1,
  failed: 0,
  stage: 'rest',
  progressOn: NOW.toISOString(),
  checkedOn: NOW.toISOString(),
};
const PAUSED = withPause(
  NO_ORDERS,
  { id: 'p', reason: 'a change', by: { objectId: 'o' }, since: day(1).toISOString() },
  NOW,
);

/** Asks why a use may not move, a number of seconds after the first question. The work item is older than both. */
function gateOf(read: (seconds: number) => StandingOrders) {
  let seconds = 0;
  const now = () => new Date(NOW.getTime() + seconds * 1_000);
  const states = new KeyStates({
    keys: { listVersions: async () => [] },
    orders: { read: async () => read(seconds) },
    moved: { async *of() {} },
    rollouts: { read: async () => ({ row: ROLLOUT, etag: 'e' }) },
    vaults: VAULTS,
    now,
  });

  return async (after: number, account = 1): Promise<string> => {
    seconds = after;
    const state = await states.readRollout(KEY, day(1));
    const blocked = findGateBlock(useRow(account, OLD), TARGET.id, state, now());
    return blocked?.reason ?? 'moves';
  };
}

it('A use does not move once the orders could not be read for 30 seconds, and moves when they are read again', async () => {
  const reasonAfter = gateOf((seconds) => {
    if (seconds > 0 && seconds < 50) throw new Error('The storage of the app is away.');
    return NO_ORDERS;
  });
  expect(await reasonAfter(0)).toBe('moves');
  expect(await reasonAfter(30)).toBe('moves');
  expect(await reasonAfter(31)).toBe('PauseUnreadable');
  expect(await reasonAfter(49)).toBe('PauseUnreadable');
  expect(await reasonAfter(60)).toBe('moves');
});

it('A use does not move while the orders were never read', async () => {
  const reasonAfter = gateOf(() => {
    throw new Error('The storage of the app is away.');
  });
  expect(await reasonAfter(0)).toBe('PauseUnreadable');
});

it('A pause takes effect within 10 seconds', async () => {
  const reasonAfter = gateOf((seconds) => (seconds > 0 ? PAUSED : NO_ORDERS));
  expect(await reasonAfter(0)).toBe('moves');
  expect(await reasonAfter(10)).toBe('Paused');
});

it('A pause takes effect although the clock of the storage account was ahead when the orders were read', async () => {
  const reasonAfter = gateOf((seconds) => (seconds < 0 ? PAUSED : NO_ORDERS));
  expect(await reasonAfter(0)).toBe('moves');
  expect(await reasonAfter(-125)).toBe('Paused');
});

it('A contested account does not move for a day, and other accounts do', async () => {
  const contest = { id: 'c', account: accountId(1), since: NOW.toISOString(), until: day(201).toISOString(), by: {} };
  const reasonAfter = gateOf(() => withContest(NO_ORDERS, contest));
  expect(await reasonAfter(0)).toBe('ContestedChange');
  expect(await reasonAfter(0, 2)).toBe('moves');
  expect(await reasonAfter(86_400)).toBe('moves');
});
