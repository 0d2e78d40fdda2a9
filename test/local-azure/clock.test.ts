import { expect, it } from 'vitest';
import { Clock } from '../../local/azure/clock.ts';

it('The clock moves its followers before it fires the timers that are due', async () => {
  const clock = new Clock();
  const order: string[] = [];
  clock.follow(async (offsetMs) => {
    await new Promise(setImmediate);
    order.push(`follower at ${offsetMs}`);
  });
  clock.schedule(clock.nowMs() + 60_000, () => order.push('due'));
  await clock.advance(60_000);
  expect(order).toEqual(['follower at 60000', 'due']);
});
