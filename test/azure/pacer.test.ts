import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Budget, Pacer as PlainPacer, shareOf } from '../../src/azure/pacer.ts';

const RATE: Budget = { calls: 10, perMs: 1_000, burst: 4 };
const WINDOW: Budget = { calls: 20, perMs: 60_000 };

/** Takes turns of one budget alone, as `Turns` does of several at once. */
class Pacer extends PlainPacer {
  /** Takes a turn of so many calls and returns how long to wait for it, in milliseconds. */
  reserve(place: string, nowMs: number, calls = 1): number {
    this.forget(place, nowMs);
    const atMs = this.earliest(place, nowMs, calls);
    this.commit(place, atMs, calls);
    return Math.ceil(atMs - nowMs);
  }
}

describe('a rate', () => {
  it('lets a few through at once and spaces out the rest', () => {
    const pacer = new Pacer([RATE]);
    expect([1, 2, 3, 4, 5, 6].map(() => pacer.reserve('a', 0))).toEqual([0, 0, 0, 0, 100, 200]);
    expect(pacer.reserve('b', 0)).toBe(0);
    expect(pacer.reserve('a', 1_000)).toBe(0);
  });

  it('counts a turn of several calls as so many', () => {
    const pacer = new Pacer([{ calls: 25, perMs: 1_000, burst: 4 }]);
    expect([1, 2, 3, 4].map(() => pacer.reserve('a', 0, 2))).toEqual([0, 0, 80, 160]);
  });
});

it('never exceeds a budget in any span of its length, whatever comes when, is given back, or is refused', () => {
  const step = fc.record({
    gap: fc.integer({ min: 0, max: 3_000 }),
    does: fc.constantFrom('call', 'call', 'call', 'call', 'unused', 'refused'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const pacer = new Pacer([RATE, WINDOW]);
      let now = 1_000_000;
      let closedUntil = 0;
      const turns: number[] = [];
      for (const { gap, does } of steps) {
        now += gap;
        if (does === 'refused') {
          closedUntil = Math.max(closedUntil, now + 2_000);
          pacer.refused('cell', now, now + 2_000);
          continue;
        }
        const turn = now + pacer.reserve('cell', now);
        expect(turn).toBeGreaterThanOrEqual(closedUntil);
        if (does === 'call') turns.push(turn);
        else pacer.release('cell', turn);
      }
      for (const start of turns) {
        const within = (ms: number) => turns.filter((turn) => turn >= start && turn < start + ms).length;
        // A token bucket lets its burst and its rate through in one second.
        expect(within(1_000)).toBeLessThanOrEqual(10 + 4);
        expect(within(60_000)).toBeLessThanOrEqual(20);
      }
    }),
    { numRuns: 200 },
  );
});

it('stays within what a service takes at a rate, although turns are given back when their time is over', () => {
  const pacer = new Pacer([{ calls: 10, perMs: 1_000, burst: 3 }]);
  const heap = Array.from({ length: 60 }, () => pacer.reserve('a', 0));
  const now = 4_200;
  const unused = heap.filter((turn) => turn < now - 300);
  for (const turn of unused) pacer.release('a', turn);
  const more = Array.from({ length: 60 }, () => now + pacer.reserve('a', now));
  const used = [...heap.slice(unused.length), ...more].sort((a, b) => a - b);
  // A bucket of ten into which ten a second come.
  for (const from of used) {
    const within = (ms: number) => used.filter((turn) => turn >= from && turn < from + ms).length;
    for (const ms of [1, 1_000, 2_000]) expect(within(ms)).toBeLessThanOrEqual(10 + ms / 100);
  }
});

it('keeps to a window in whichever order its times are taken and given back', () => {
  const step = fc.record({
    from: fc.integer({ min: 0, max: 400_000 }),
    calls: fc.integer({ min: 1, max: 3 }),
    isUsed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const pacer = new Pacer([WINDOW]);
      const turns: { at: number; calls: number }[] = [];
      for (const { from, calls, isUsed } of steps) {
        const at = pacer.earliest('cell', from, calls);
        expect(at).toBeGreaterThanOrEqual(from);
        pacer.commit('cell', at, calls);
        if (isUsed) turns.push({ at, calls });
        else pacer.release('cell', at, calls);
      }
      for (const { at: start } of turns) {
        const within = turns.filter(({ at }) => at >= start && at < start + WINDOW.perMs);
        expect(within.reduce((sum, { calls }) => sum + calls, 0)).toBeLessThanOrEqual(WINDOW.calls);
      }
    }),
    { numRuns: 300 },
  );
});

it('does not hold up who comes meanwhile by what was handed out for later than its window, and does by the rest', () => {
  const pacer = new Pacer([WINDOW]);
  pacer.commit('a', 2_500, 1);
  expect(pacer.earliest('a', 900)).toBe(900);
  pacer.commit('a', 3_600_000, 20);
  expect(pacer.earliest('a', 900)).toBe(900);
  expect(pacer.earliest('a', 3_600_000)).toBe(3_661_000);

  const soon = new Pacer([WINDOW]);
  soon.commit('a', 60_500, 20);
  expect(soon.earliest('a', 999)).toBe(121_000);
});

it('never waits for a turn of more calls than a window has', () => {
  const pacer = new Pacer([{ calls: 1, perMs: 60_000 }]);
  expect([pacer.reserve('a', 0, 2), pacer.reserve('a', 0, 2)]).toEqual([0, 61_000]);
});

it('uses a window up, and the next one no later than a part of it after', () => {
  const pacer = new Pacer([WINDOW]);
  expect(Array.from({ length: 20 }, () => pacer.reserve('a', 0))).toEqual(Array(20).fill(0));
  expect(pacer.reserve('a', 0)).toBe(61_000);
  expect(pacer.reserve('a', 61_000)).toBe(0);
});

it('forgets nothing of a window before its end', () => {
  const pacer = new Pacer([WINDOW]);
  for (let n = 0; n < 20; n += 1) pacer.reserve('a', 0);
  expect(pacer.reserve('a', 59_000)).toBe(2_000);

  const late = new Pacer([WINDOW]);
  for (let n = 0; n < 20; n += 1) late.reserve('a', 999);
  expect(late.reserve('a', 60_500)).toBe(500);
});

it('gives a turn that was not used to the next one, however far others are laid out', () => {
  const hour = new Pacer([WINDOW]);
  const turns = Array.from({ length: 50 }, () => hour.reserve('a', 0));
  expect([turns[19], turns[20], turns[40]]).toEqual([0, 61_000, 122_000]);
  hour.release('a', 0);
  expect([hour.reserve('a', 0), hour.reserve('a', 0)]).toEqual([0, 122_000]);
});

it('has room for who comes meanwhile, though more than an hour takes is laid out', () => {
  const pacer = new Pacer([
    { calls: 10, perMs: 1_000, burst: 3 },
    { calls: 960, perMs: 3_600_000 },
  ]);
  const turns = Array.from({ length: 1_200 }, () => pacer.reserve('a', 0));
  expect(turns[1_199]).toBeGreaterThan(3_660_000);
  const refused = turns.filter((turn) => turn >= 32_000 && turn < 33_000);
  for (const turn of refused) pacer.release('a', turn);
  for (const _ of refused) expect(pacer.reserve('a', 33_000)).toBeLessThan(100_000);
  expect(pacer.reserve('a', 33_000)).toBeGreaterThan(3_600_000);
});

it('spaces out what a window held up, too', () => {
  const pacer = new Pacer([RATE, WINDOW]);
  const turns = Array.from({ length: 40 }, () => pacer.reserve('a', 0));
  expect(turns[20]).toBe(61_000);
  expect(turns[39]).toBeGreaterThanOrEqual(61_000 + 15 * 100);
});

describe('a refusal', () => {
  it('closes the place for as long as the service asked, and no other', () => {
    const pacer = new Pacer([RATE]);
    pacer.refused('a', 0, 5_000);
    expect(pacer.reserve('a', 0)).toBe(5_000);
    expect(pacer.reserve('b', 0)).toBe(0);
  });

  it('that asks for less does not open it before', () => {
    const pacer = new Pacer([RATE]);
    pacer.refused('a', 0, 60_000);
    pacer.refused('a', 100, 1_000);
    expect(pacer.reserve('a', 200)).toBe(59_800);
  });

  it('slows the place down for a while: refusals that come together count once', () => {
    const pacer = new Pacer([RATE]);
    for (let n = 0; n < 5; n += 1) pacer.refused('a', 0, 1_000);
    const turns = Array.from({ length: 3 }, () => pacer.reserve('a', 0));
    expect(turns).toEqual([1_000, 1_150, 1_300]);
    const later = Array.from({ length: 6 }, () => pacer.reserve('a', 120_000));
    expect(later).toEqual([0, 0, 0, 0, 100, 200]);
  });

  it('again and again makes it slow, and not slower than an eighth', () => {
    const pacer = new Pacer([RATE]);
    for (let n = 0; n < 30; n += 1) pacer.refused('a', n * 1_000, n * 1_000 + 1_000);
    const [first = 0, second = 0] = [pacer.reserve('a', 30_000), pacer.reserve('a', 30_000)];
    expect(second - first).toBeGreaterThan(400);
    expect(second - first).toBeLessThanOrEqual(800);
  });
});

it('a share of a budget is a part of it, and one call at least', () => {
  expect(shareOf({ calls: 800, perMs: 300_000 }, 0.8)).toEqual({ calls: 640, perMs: 300_000 });
  expect(shareOf({ calls: 100, perMs: 300_000 }, 0.001).calls).toBe(1);
});
