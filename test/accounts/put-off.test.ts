import { describe, expect, it } from 'vitest';
import { handOut, MOVE_CALLS } from '../../src/accounts/dispatcher.ts';
import { awaitTurn, putOff } from '../../src/accounts/put-off.ts';
import { Turns } from '../../src/azure/turns.ts';
import type { AccountWork } from '../../src/work/messages.ts';

const place = { subscriptionId: 's', location: 'westeurope' };
const NOON_MS = Date.UTC(2026, 0, 1, 12);
const MINUTE_MS = 60_000;

describe('work that is put off', () => {
  // Twelve writes an hour.
  const schedule = new Turns(0.01);
  let nowMs = NOON_MS;
  const services = { schedule, random: () => 0, now: () => new Date(nowMs) };

  it('gives back the turn that it did not use, however often that is', () => {
    let work: Pick<AccountWork, 'turn'> = handOut(schedule, place, MOVE_CALLS, nowMs);
    for (let times = 0; times < 40; times += 1) {
      nowMs = work.turn ?? 0;
      const outcome = putOff(
        work as AccountWork,
        place,
        MOVE_CALLS,
        { waitMs: MINUTE_MS, why: 'Used up.', unused: MOVE_CALLS },
        services,
      );
      expect(outcome).toMatchObject({ reason: 'Throttled', counts: false, delaySeconds: 60 });
      work = (outcome as { with: AccountWork }).with;
    }
  });

  it('comes up to a twentieth of its wait later than it could, so that not all of it comes at once', () => {
    const spread = { ...services, schedule: new Turns(1), random: () => 1 };
    const wait = { waitMs: 100_000, why: 'Refused.' };
    expect(putOff({} as AccountWork, place, MOVE_CALLS, wait, spread)).toMatchObject({ delaySeconds: 105 });
  });
});

describe('a turn', () => {
  /** How far it is, and what was slept, of so many that come when Azure has closed the place for so long. */
  async function waits(closedMs: number, share = 1, count = 1) {
    const turns = new Turns(share);
    turns.refused(place, 'call', NOON_MS, closedMs);
    const slept: number[] = [];
    const services = { turns, now: () => new Date(NOON_MS), sleep: async (ms: number) => void slept.push(ms) };
    const far: (number | undefined)[] = [];
    for (let n = 0; n < count; n += 1) far.push(await awaitTurn(place, MOVE_CALLS, services));
    return { far, slept };
  }

  it('is waited for where it is near, and no more than five seconds', async () => {
    expect(await waits(5_000)).toEqual({ far: [undefined], slept: [5_000] });
    expect(await waits(5_001)).toEqual({ far: [5_001], slept: [] });
  });

  it('that is not waited for is left to the next one', async () => {
    const { far } = await waits(MINUTE_MS, 0.01, 40);
    expect(new Set(far)).toEqual(new Set([MINUTE_MS]));
  });

  /** What becomes of one that was near when Azure closes the place for so long, so many milliseconds before it. */
  async function closedMeanwhile(closedMs: number, beforeMs: number) {
    // Twelve writes an hour.
    const turns = new Turns(0.01);
    turns.refused(place, 'call', NOON_MS, 2_000);
    let nowMs = NOON_MS;
    const slept: number[] = [];
    const sleep = async (ms: number) => {
      slept.push(ms);
      nowMs += ms;
      if (slept.length === 1) turns.refused(place, 'call', nowMs - beforeMs, closedMs);
    };
    const far = await awaitTurn(place, MOVE_CALLS, { turns, now: () => new Date(nowMs), sleep });
    const left = () => turns.take(place, { writes: 1 }, nowMs, { notBeforeMs: MINUTE_MS }) < 5 * MINUTE_MS;
    return { far, slept, left: Array.from({ length: 12 }, left).filter(Boolean).length };
  }

  it('is not used when the place was closed while it was waited for, and does not count', async () => {
    expect(await closedMeanwhile(40_000, 500)).toEqual({ far: 39_500, slept: [2_000], left: 12 });
  });

  it('is waited for once more when the place was closed for a moment, and for no more than five seconds in all', async () => {
    expect(await closedMeanwhile(1_500, 500)).toEqual({ far: undefined, slept: [2_000, 1_000], left: 11 });
    expect(await closedMeanwhile(3_500, 0)).toEqual({ far: 3_500, slept: [2_000], left: 12 });
    expect(await closedMeanwhile(400, 500)).toEqual({ far: undefined, slept: [2_000], left: 11 });
  });
});
