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

interface Region {
  readonly accounts: number;
  /** Messages come up to so late. */
  readonly lateMs: number;
  /** Instances that each find their part of the accounts, and know nothing of each other. */
  readonly instances?: number;
  /** For how long Azure refuses a write, in milliseconds. */
  readonly refuses: () => number | undefined;
}

/** When the accounts of a region have moved, in seconds. */
async function region({ accounts, lateMs, instances = 1, refuses }: Region): Promise<number[]> {
  const start = Date.now();
  let drawn = 1;
  const random = () => {
    drawn = (drawn * 48_271) % 0x7fff_ffff;
    return drawn / 0x7fff_ffff;
  };
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const all = Array.from({ length: instances }, () => {
    return { turns: new Turns(1), schedule: new Turns(1), random, sleep, now: () => new Date() };
  });
  const moved: number[] = [];
  const send = (work: Partial<AccountWork>, delaySeconds: number) =>
    void setTimeout(() => void look(work as AccountWork), delaySeconds * 1_000 + random() * lateMs);
  const back = (outcome: Outcome) => {
    if (outcome.outcome === 'retry') send(outcome.with as AccountWork, outcome.delaySeconds ?? 0);
  };
  const look = async (work: AccountWork): Promise<void> => {
    const services = all[Math.floor(random() * instances)] as (typeof all)[number];
    const { turns, schedule } = services;
    const turned = await awaitTurn(place, MOVE_CALLS, services, work.turn);
    if (turned.tooFarMs !== undefined)
      return back(putOff(work, place, MOVE_CALLS, { waitMs: turned.tooFarMs, why: '', unused: MOVE_CALLS }, services));
    await sleep(200);
    const refusedMs = refuses();
    if (refusedMs === undefined) return void moved.push((Date.now() - start) / 1_000);
    turns.release(place, { writes: 1 }, turned.turnMs);
    schedule.release(place, { writes: 1 }, work.turn ?? 0);
    for (const each of [turns, schedule]) each.refused(place, 'call', Date.now(), refusedMs);
    back(putOff(work, place, MOVE_CALLS, { waitMs: refusedMs, why: '' }, services));
  };
  for (let n = 0; n < accounts; n += 1) {
    const { schedule } = all[n % instances] as (typeof all)[number];
    const { delaySeconds, turn } = handOut(schedule, place, MOVE_CALLS, Date.now());
    send({ turn }, delaySeconds);
  }
  await vi.advanceTimersByTimeAsync((accounts / 1_200 + 3) * HOUR_SECONDS * 1_000);
  return moved;
}

it.each([0, 20_000])(
  'a region of 3,000 accounts takes no longer than its budget, with work up to %i ms late and each hundredth write refused',
  async (lateMs) => {
    let tried = 0;
    const refuses = () => {
      tried += 1;
      return tried % 100 === 0 ? 15_000 : undefined;
    };
    const moved = await region({ accounts: 3_000, lateMs, refuses });
    expect(moved).toHaveLength(3_000);
    // The third hour's 600 are done within two minutes, and what is refused there a little later.
    expect(Math.max(...moved)).toBeLessThan((2 * HOURS_APART + 0.1) * HOUR_SECONDS);
  },
);

it('three instances that find the accounts of one region at once are refused less than a tenth, in the time of one', async () => {
  let [tokens, atMs, refused] = [10, Date.now(), 0];
  const refuses = () => {
    tokens = Math.min(10, tokens + (Date.now() - atMs) / 100);
    atMs = Date.now();
    const isRefused = tokens < 1;
    if (isRefused) refused += 1;
    else tokens -= 1;
    return isRefused ? 1_000 : undefined;
  };
  const moved = await region({ accounts: 500, lateMs: 0, instances: 3, refuses });
  expect(refused).toBeLessThan(50);
  expect(Math.max(...moved)).toBeLessThan(1.1 * 50);
});
