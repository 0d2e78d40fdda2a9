import { describe, expect, it } from 'vitest';
import { handOut, MOVE_CALLS } from '../../src/accounts/dispatcher.ts';
import { putOff } from '../../src/accounts/put-off.ts';
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
      expect(outcome).toMatchObject({ reason: 'Throttled', delaySeconds: 60 });
      work = (outcome as { with: AccountWork }).with;
    }
  });
});
