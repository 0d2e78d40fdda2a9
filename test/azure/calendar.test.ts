import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Calendar } from '../../src/azure/calendar.ts';

it('keeps within the token bucket, in whichever order times are asked for and given back', () => {
  const asked = fc.record({ from: fc.integer({ min: 0, max: 100_000 }), calls: fc.integer({ min: 1, max: 3 }) });
  fc.assert(
    fc.property(fc.array(asked, { maxLength: 400 }), (all) => {
      const calendar = new Calendar({ burst: 40, perSecond: 2 });
      const turns: { at: number; calls: number }[] = [];
      for (const { from, calls } of all) {
        const at = calendar.earliest('s', from, calls);
        expect(at).toBeGreaterThanOrEqual(from);
        calendar.commit('s', at, calls);
        turns.push({ at, calls });
      }
      let tokens = 40;
      let last = 0;
      for (const { at, calls } of turns.sort((a, b) => a.at - b.at)) {
        tokens = Math.min(40, tokens + ((at - last) * 2) / 1_000) - calls;
        last = at;
        expect(tokens).toBeGreaterThanOrEqual(-1e-6);
      }
    }),
  );
});

it('is not held up by what is taken for later, forgets what is over, and takes back', () => {
  const calendar = new Calendar({ burst: 4, perSecond: 1 });
  for (let n = 0; n < 2; n += 1) calendar.commit('s', 3_600_000, 1);
  expect(calendar.earliest('s', 0, 1)).toBe(0);
  expect(calendar.earliest('s', 3_600_000, 1)).toBe(3_602_000);
  expect(calendar.earliest('other', 3_600_000, 1)).toBe(3_600_000);
  calendar.release('s', 3_600_000, 1);
  expect(calendar.earliest('s', 3_600_000, 1)).toBe(3_600_000);
  calendar.release('s', 3_600_000, 1);
  calendar.commit('s', 0, 2);
  calendar.forget('s', 10_000);
  expect(calendar.earliest('s', 0, 2)).toBe(0);

  calendar.commit('s', 0, 2);
  calendar.forget('s', 1_000);
  expect(calendar.earliest('s', 1_000, 1)).toBe(2_000);
  // Nobody knows to the millisecond when it was to be.
  for (const near of [2_001, 1_999]) {
    calendar.release('s', near, 2);
    expect(calendar.earliest('s', 1_000, 2)).toBe(1_000);
    calendar.commit('s', 1_000, 2);
  }
  calendar.commit('s', 2_000, 2);
  calendar.release('s', 1_999, 2);
  calendar.release('s', 1_999, 2);
  expect(calendar.earliest('s', 2_000, 2)).toBe(2_000);
});
