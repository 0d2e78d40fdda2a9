import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { handOut, MOVE_CALLS } from '../../src/accounts/dispatcher.ts';
import { awaitTurn, putOff } from '../../src/accounts/put-off.ts';
import { Turns } from '../../src/azure/turns.ts';
import type { AccountWork } from '../../src/work/messages.ts';
import type { Outcome } from '../../src/work/outcome.ts';

const place = { subscriptionId: 's', location: 'westeurope' };
const HOUR_SECONDS = 3_600;
/** Of an hour, to this part of it: a window is kept in so many. */
const HOURS_APART = 61 / 60;

beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 0, 1, 12) }));
afterEach(() => void vi.useRealTimers());

/**
 * When the accounts of a region have moved, in seconds: their messages come up to so late, and Azure refuses each
 * hundredth write.
 */
async function region(accounts: number, lateMs: number): Promise<number[]> {
  const start = Date.now();
  let drawn = 1;
  const random = () => {
    drawn = (drawn * 48_271) % 0x7fff_ffff;
    return drawn / 0x7fff_ffff;
  };
  const [turns, schedule] = [new Turns(1), new Turns(1)];
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const services = { turns, schedule, random, sleep, now: () => new Date() };
  const moved: number[] = [];
  let tried = 0;
  const send = (work: Partial<AccountWork>, delaySeconds: number) =>
    void setTimeout(() => void look(work as AccountWork), delaySeconds * 1_000 + random() * lateMs);
  const back = (outcome: Outcome) => {
    if (outcome.outcome === 'retry') send(outcome.with as AccountWork, outcome.delaySeconds ?? 0);
  };
  const look = async (work: AccountWork): Promise<void> => {
    const waitMs = await awaitTurn(place, MOVE_CALLS, services, work.turn);
    if (waitMs !== undefined)
      return back(putOff(work, place, MOVE_CALLS, { waitMs, why: '', unused: MOVE_CALLS }, services));
    const turnMs = Date.now();
    await sleep(200);
    tried += 1;
    if (tried % 100 !== 0) return void moved.push((Date.now() - start) / 1_000);
    turns.release(place, { writes: 1 }, turnMs);
    schedule.release(place, { writes: 1 }, work.turn ?? 0);
    for (const each of [turns, schedule]) each.refused(place, 'call', Date.now(), 15_000);
    back(putOff(work, place, MOVE_CALLS, { waitMs: 15_000, why: '' }, services));
  };
  for (let n = 0; n < accounts; n += 1) {
    const { delaySeconds, turn } = handOut(schedule, place, MOVE_CALLS, Date.now());
    send({ turn }, delaySeconds);
  }
  await vi.advanceTimersByTimeAsync((accounts / 1_200 + 3) * HOUR_SECONDS * 1_000);
  return moved;
}

it.each([0, 20_000])(
  'a region of 3,000 accounts takes no longer than its budget, with work up to %i ms late and each hundredth write refused',
  async (lateMs) => {
    const moved = await region(3_000, lateMs);
    expect(moved).toHaveLength(3_000);
    // The third hour's 600 are done within two minutes, and what is refused there a little later.
    expect(Math.max(...moved)).toBeLessThan((2 * HOURS_APART + 0.1) * HOUR_SECONDS);
  },
);
