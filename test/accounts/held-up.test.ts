import { describe, expect, it } from 'vitest';
import { type HeldUp, moveAll } from './held-up.ts';

/** Of ten runs of 500 accounts: how many of their 10,000 requests are refused, and how long one takes on average. */
async function runs(options: Omit<HeldUp, 'accounts' | 'seed'>) {
  let [seconds, refused] = [0, 0];
  for (let seed = 1; seed <= 10; seed += 1) {
    const one = await moveAll({ ...options, accounts: 500, seed });
    seconds += one.seconds / 10;
    refused += one.refused;
  }
  return { seconds, refused };
}

const HELD_UP = { everyMs: 10_000, mostMs: 3_000 };

describe('500 accounts in one place', () => {
  it('are moved at the pace of the budgets, and none is refused, where nothing is held up', async () => {
    for (const instances of [1, 3]) {
      const { seconds, refused } = await runs({ instances, everyMs: 1e9, mostMs: 0 });
      expect(refused).toBe(0);
      expect(seconds).toBeLessThan(52);
    }
  });

  it('are hardly refused by an instance that is alone, and held up for seconds again and again', async () => {
    const { seconds, refused } = await runs({ instances: 1, ...HELD_UP });
    expect(refused).toBeLessThanOrEqual(5);
    expect(seconds).toBeLessThan(60);
  });

  // docs/scale.md has what it would take to refuse them less.
  it('are refused at times by three that are all held up, whatever their clocks say, and take no longer for it', async () => {
    for (const apartMs of [0, 300_000]) {
      const { seconds, refused } = await runs({ instances: 3, ...HELD_UP, apartMs });
      expect(refused).toBeLessThan(300);
      expect(seconds).toBeLessThan(60);
    }
  });
});
