import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Calendar } from '../../src/azure/calendar.ts';

/** By a plain bucket of forty into which two a second come. */
function expectWithinBucket(used: { at: number; calls: number }[]): void {
  let tokens = 40;
  let last = 0;
  for (const { at, calls } of used.sort((a, b) => a.at - b.at)) {
    tokens = Math.min(40, tokens + ((at - last) * 2) / 1_000) - calls;
    last = at;
    expect(tokens).toBeGreaterThanOrEqual(-1e-6);
  }
}

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
      expectWithinBucket(turns);
    }),
  );
});

it('gives back a turn that was missed, and nothing of what others took since', () => {
  const calendar = new Calendar({ burst: 40, perSecond: 2 });
  const used: { at: number; calls: number }[] = [];
  const take = (nowMs: number, calls: number) => {
    calendar.forget('s', nowMs);
    const at = calendar.earliest('s', nowMs, calls);
    calendar.commit('s', at, calls);
    return { at, calls };
  };
  const missed = take(0, 10);
  used.push(take(19_990, 20));
  calendar.release('s', missed.at, missed.calls);
  used.push(take(19_999, 10), take(20_000, 20));
  expectWithinBucket(used);
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
  calendar.release('s', 1, 2);
  expect(calendar.earliest('s', 1_000, 2)).toBe(2_000);
  calendar.release('s', 0, 2);
  expect(calendar.earliest('s', 1_000, 2)).toBe(1_000);
});
