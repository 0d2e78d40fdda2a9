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
  /** When so many go whose instance is held up, for so long, while they all wait for their turn; milliseconds after that. */
  async function goAfter(heldUpMs: number, count: number) {
    const turns = new Turns(1);
    // As after the first 429 of a rotation: all that is in hand waits.
    turns.refused(place, 'call', NOON_MS, 1_000);
    let nowMs = NOON_MS;
    let asleep: { readonly untilMs: number; readonly wake: () => void }[] = [];
    const sleep = (ms: number) => new Promise<void>((wake) => void asleep.push({ untilMs: nowMs + ms, wake }));
    const services = { turns, now: () => new Date(nowMs), sleep };
    const gone: number[] = [];
    const all = Array.from({ length: count }, () =>
      awaitTurn(place, MOVE_CALLS, services).then(() => void gone.push(nowMs)),
    );
    const wake = async (): Promise<void> => {
      const due = asleep.filter(({ untilMs }) => untilMs <= nowMs);
      asleep = asleep.filter(({ untilMs }) => untilMs > nowMs);
      for (const one of due) one.wake();
      await new Promise((resolve) => setImmediate(resolve));
    };
    const resumedMs = NOON_MS + heldUpMs;
    for (nowMs = resumedMs; gone.length < count; nowMs = Math.min(...asleep.map(({ untilMs }) => untilMs)))
      await wake();
    await Promise.all(all);
    return gone.map((ms) => ms - resumedMs).sort((a, b) => a - b);
  }

  it('that was missed is taken anew: what waited in an instance that was held up does not go together', async () => {
    const gone = await goAfter(5_000, 30);
    const mostASecond = Math.max(...gone.map((from) => gone.filter((ms) => ms >= from && ms < from + 1_000).length));
    expect(mostASecond).toBeLessThanOrEqual(12);
    expect(gone.at(-1)).toBeLessThan(4_000);
  });

  it('that came to nothing is given back, however late or early the timer was', async () => {
    for (const offMs of [-2, 250]) {
      // Twelve writes an hour.
      const turns = new Turns(0.01);
      let nowMs = NOON_MS - 1_000;
      const sleep = async (ms: number) => {
        nowMs += ms + offMs;
      };
      for (let times = 0; times < 40; times += 1) {
        // On the edge of a minute, in which a window is counted.
        turns.refused(place, 'call', nowMs, NOON_MS + times * MINUTE_MS - nowMs);
        const turn = await awaitTurn(place, MOVE_CALLS, { turns, now: () => new Date(nowMs), sleep });
        if (turn.tooFarMs !== undefined) expect.fail(`It is ${turn.tooFarMs} ms away.`);
        turns.release(place, MOVE_CALLS, turn.turnMs);
        nowMs = NOON_MS + (times + 1) * MINUTE_MS - 1_000;
      }
    }
  });

  it('is taken anew once: on a machine that is always late, it is not for ever', async () => {
    let nowMs = NOON_MS;
    const turns = new Turns(1);
    const slept: number[] = [];
    const sleep = async (ms: number) => {
      slept.push(ms);
      nowMs += ms + 5_000;
      for (let n = 0; n < 20; n += 1) turns.take(place, MOVE_CALLS, nowMs);
    };
    turns.refused(place, 'call', NOON_MS, 1_000);
    const { tooFarMs } = await awaitTurn(place, MOVE_CALLS, { turns, now: () => new Date(nowMs), sleep });
    expect(tooFarMs).toBeUndefined();
    expect(slept.length).toBe(2);
  });

  /** How far it is, and what was slept, of so many that come when Azure has closed the place for so long. */
  async function waits(closedMs: number, share = 1, count = 1) {
    const turns = new Turns(share);
    turns.refused(place, 'call', NOON_MS, closedMs);
    const slept: number[] = [];
    const services = { turns, now: () => new Date(NOON_MS), sleep: async (ms: number) => void slept.push(ms) };
    const far: (number | undefined)[] = [];
    for (let n = 0; n < count; n += 1) far.push((await awaitTurn(place, MOVE_CALLS, services)).tooFarMs);
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
    const { tooFarMs: far } = await awaitTurn(place, MOVE_CALLS, { turns, now: () => new Date(nowMs), sleep });
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
