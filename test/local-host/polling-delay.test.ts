import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { PollingDelay } from '../../local/host/polling-delay.ts';

it('starts at 100 ms, grows, and ends at the limit', () => {
  const delay = new PollingDelay(2_000, () => 0.5);
  expect(Array.from({ length: 7 }, () => delay.next())).toEqual([100, 200, 400, 800, 1600, 2000, 2000]);
});

it('starts again after a message', () => {
  const delay = new PollingDelay(2_000, () => 0.5);
  for (let times = 0; times < 5; times++) delay.next();
  delay.reset();
  expect(delay.next()).toBe(100);
});

it('never shrinks by itself and never passes the limit', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 60_000 }),
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (most, dice) => {
        let roll = 0;
        const delay = new PollingDelay(most, () => dice[roll++] ?? 0.5);
        let before = 0;
        for (let times = 0; times < 20; times++) {
          const next = delay.next();
          expect(next).toBeGreaterThanOrEqual(before);
          expect(next).toBeLessThanOrEqual(most);
          before = next;
        }
      },
    ),
  );
});
