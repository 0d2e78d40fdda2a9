import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { handOut } from '../../src/accounts/dispatcher.ts';
import { DOCUMENTED } from '../../src/azure/pacer.ts';
import { type PacedCalls, type PacedPlace, pacingCell, Turns } from '../../src/azure/turns.ts';

const NOW = 1_795_600_000_000;
const CELL = { subscriptionId: 's1', location: 'westeurope' };
const MOVE: PacedCalls = { writes: 1, reads: 1 };

interface UsedTurn {
  readonly at: number;
  readonly calls: PacedCalls;
  readonly place: PacedPlace;
}

/** By plain counting: a tenth of what a cell takes in its windows, and the buckets of Azure Resource Manager. */
function expectDocumented(used: readonly UsedTurn[]): void {
  const inOrder = [...used].sort((a, b) => a.at - b.at);
  const windows = [
    ['lists', 10, 300_000],
    ['reads', 80, 300_000],
    ['writes', 120, 3_600_000],
  ] as const;
  for (const cell of new Set(used.map(({ place }) => pacingCell(place)))) {
    const ofCell = inOrder.filter(({ place }) => pacingCell(place) === cell);
    for (const [what, most, ms] of windows) {
      for (const { at: from } of ofCell) {
        const within = ofCell.filter(({ at }) => at >= from && at < from + ms);
        expect(within.reduce((sum, { calls }) => sum + (calls[what] ?? 0), 0)).toBeLessThanOrEqual(most);
      }
    }
  }
  for (const [what, { burst, perSecond }] of [
    ['reads', DOCUMENTED.armReads],
    ['writes', DOCUMENTED.armWrites],
  ] as const) {
    let tokens: number = burst;
    let last = NOW;
    for (const { at, calls } of inOrder) {
      tokens = Math.min(burst, tokens + ((at - last) * perSecond) / 1_000) - (calls[what] ?? 0);
      last = at;
      expect(tokens).toBeGreaterThanOrEqual(-1e-6);
    }
  }
}

describe('Turns', () => {
  it('keep to every budget, although far turns are given back', () => {
    const call = fc.record({
      calls: fc.constantFrom<PacedCalls>(MOVE, { lists: 1 }, { reads: 1 }),
      gap: fc.integer({ min: 0, max: 2_000 }),
    });
    fc.assert(
      fc.property(fc.array(call, { minLength: 100, maxLength: 1_500 }), (all) => {
        const turns = new Turns(0.8);
        const done: { at: number; calls: PacedCalls }[] = [];
        let now = NOW;
        for (const { calls, gap } of all) {
          now += gap;
          const waitMs = turns.take(CELL, calls, now);
          // As a worker has it: what is too far away goes back to the queue.
          if (waitMs > 5_000) turns.release(CELL, calls, now + waitMs);
          else done.push({ at: now + waitMs, calls });
        }
        const most = (what: keyof PacedCalls, ms: number) => {
          const times = done.filter(({ calls }) => calls[what]).map(({ at }) => at);
          return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + ms).length));
        };
        expect(most('lists', 300_000)).toBeLessThanOrEqual(80);
        expect(most('reads', 300_000)).toBeLessThanOrEqual(640);
        expect(most('writes', 1_000)).toBeLessThanOrEqual(10 + 5);
      }),
      { numRuns: 10 },
    );
  });

  it('keep to every budget, whatever is missed and given back late, or was handed out by another instance', () => {
    const heap = fc.record({
      gap: fc.integer({ min: 0, max: 12_000 }),
      calls: fc.constantFrom<PacedCalls>(MOVE, MOVE, { lists: 1 }, { reads: 4 }),
      times: fc.integer({ min: 1, max: 120 }),
      missed: fc.integer({ min: 0, max: 120 }),
      knownMs: fc.integer({ min: 0, max: 12_000 }),
      regions: fc.constantFrom(1, 40),
    });
    fc.assert(
      fc.property(fc.array(heap, { minLength: 10, maxLength: 30 }), (heaps) => {
        const turns = new Turns(0.1);
        const used: UsedTurn[] = [];
        let unused: (UsedTurn & { knownAt: number })[] = [];
        let now = NOW;
        for (const { gap, calls, times, missed, knownMs, regions } of heaps) {
          now += gap;
          const known = unused.filter(({ knownAt }) => knownAt <= now);
          for (const { place, calls: given, at } of known) turns.release(place, given, at);
          unused = unused.filter(({ knownAt }) => knownAt > now);
          for (let n = 0; n < times; n += 1) {
            const place = { ...CELL, location: `region${n % regions}` };
            const at = now + turns.take(place, calls, now);
            if (n < missed) unused.push({ at, calls, place, knownAt: at + knownMs });
            else used.push({ at, calls, place });
            // Another one's message, which it did not come to.
            if (n % 10 === 0) turns.release(place, calls, at + 1);
          }
        }
        expectDocumented(used);
      }),
      { numRuns: 25 },
    );
  });

  it('that are put off for long do not make what is granted until then be forgotten', () => {
    const region = (n: number) => ({ ...CELL, location: `region${n}` });
    const regions = Array.from({ length: 60 }, (_, n) => region(n));
    const granted = (isPutOff: boolean): number => {
      const schedule = new Turns(1);
      const early = regions.flatMap((place) => [1, 2].map(() => schedule.take(place, MOVE, NOW)));
      if (isPutOff) handOut(schedule, region(99), MOVE, NOW, 3_600_000);
      early.push(...regions.flatMap((place) => [1, 2].map(() => schedule.take(place, MOVE, NOW))));
      return early.filter((waitMs) => waitMs < 9_500).length;
    };
    expect(granted(true)).toBe(granted(false));
  });

  it('are no earlier than what was handed out, unless that was given by another clock', () => {
    const take = (turnMs?: number) => new Turns(1).take(CELL, MOVE, NOW, { turnMs });
    expect([take(), take(NOW - 10_000), take(NOW + 1_500), take(NOW + 60_000)]).toEqual([0, 0, 1_500, 0]);
  });

  it('take what comes late in a heap, and what comes in time, as one', () => {
    const turns = new Turns(1);
    const late = Array.from({ length: 10 }, () => turns.take(CELL, MOVE, NOW, { turnMs: NOW - 500 }));
    const inTime = Array.from({ length: 10 }, (_, n) => turns.take(CELL, MOVE, NOW, { turnMs: NOW + n * 100 }));
    const at = [...late, ...inTime].sort((a, b) => a - b);
    for (const from of at) expect(at.filter((ms) => ms >= from && ms < from + 1_000).length).toBeLessThanOrEqual(14);
  });

  it('count lists apart: where these are used up, accounts are moved all the same', () => {
    const turns = new Turns(1);
    turns.refused(CELL, 'list', NOW, 60_000);
    expect(turns.take(CELL, MOVE, NOW)).toBe(0);
    expect(turns.take(CELL, { lists: 1 }, NOW)).toBe(60_000);
    const closed = () => [MOVE, { lists: 1 }, {}].map((calls) => turns.closedMs(CELL, calls, NOW + 1));
    expect(closed()).toEqual([0, 59_999, 0]);
    turns.refused(CELL, 'call', NOW, 30_000);
    expect(closed()).toEqual([29_999, 59_999, 0]);
    for (const calls of [{ reads: 1 }, { writes: 1 }]) expect(turns.take(CELL, calls, NOW)).toBe(30_000);
    expect(turns.take({ subscriptionId: 'S1', location: 'WestEurope' }, MOVE, NOW)).toBeGreaterThanOrEqual(30_000);
    expect(turns.take({ ...CELL, location: 'uksouth' }, MOVE, NOW)).toBe(0);
  });

  it('keep to the share of what a cell takes of reads and of lists, for the whole of its window', () => {
    const turns = new Turns(0.5);
    const inWindow = (calls: PacedCalls) =>
      Array.from({ length: 500 }, () => turns.take(CELL, calls, NOW)).filter((ms) => ms < 300_000).length;
    expect([inWindow({ reads: 1 }), inWindow({ lists: 1 })]).toEqual([400, 50]);
  });

  it('leave an eighth of the lists that are to be had to those which are in a hurry', () => {
    const turns = new Turns(0.8);
    const patient: PacedCalls = { lists: 1, isPatient: true };
    const atOnce = (calls: PacedCalls) => {
      let count = 0;
      while (turns.take(CELL, calls, NOW, { mostMs: 0 }) <= 0) count += 1;
      return count;
    };
    expect([atOnce(patient), atOnce({ lists: 1 })]).toEqual([70, 10]);
    // However many have been laid out for the hours to come.
    const later = new Turns(0.8);
    const waits = Array.from({ length: 500 }, () => later.take(CELL, patient, NOW));
    expect(waits.filter((ms) => ms < 300_000)).toHaveLength(70);
    expect(later.take(CELL, { lists: 1 }, NOW)).toBe(0);
    expect(later.listsMs(CELL, 71, NOW)).toBeGreaterThan(7 * 300_000);
  });

  it('keep the regions of a subscription together to what Azure Resource Manager takes of it', () => {
    const turns = new Turns(1);
    const regions = ['a', 'b', 'c'];
    const taken = (calls: PacedCalls) =>
      Array.from({ length: 900 }, (_, n) =>
        turns.take({ subscriptionId: n % 2 ? 's1' : 'S1', location: regions[n % 3] ?? '' }, calls, NOW),
      ).sort((a, b) => a - b);
    // 200 at once and ten a second; 250 reads and 25 a second. Ten of each are left to calls that are not paced.
    for (const [n, ms] of taken(MOVE).entries()) expect(n + 1).toBeLessThanOrEqual(190 + ms / 100);
    for (const [n, ms] of taken({ reads: 1 }).entries()) expect(n + 1).toBeLessThanOrEqual(240 + ms / 40);
  });

  it('have room in all budgets at once: what one puts off, another one may have no room for by then', () => {
    const turns = new Turns(1);
    const region = (n: number) => ({ ...CELL, location: `region${n}` });
    const waits = Array.from({ length: 200 }, (_, n) => turns.take(region(n), { writes: 1 }, NOW));
    const laterMs = Math.max(...waits);
    for (let n = 0; n < 200; n += 1) turns.release(region(n), { writes: 1 }, NOW + (waits[n] ?? 0));
    for (let n = 0; n < 200; n += 1) if (waits[n] !== laterMs) turns.take(region(n), { writes: 1 }, NOW);
    for (let n = 0; n < 120; n += 1) turns.take(region(300 + n), { reads: 1 }, NOW, { notBeforeMs: laterMs });
    expect(turns.take(region(201), MOVE, NOW)).toBeGreaterThan(laterMs);
  });
});
