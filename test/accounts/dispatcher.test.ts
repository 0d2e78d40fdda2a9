import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askLater } from '../../src/accounts/ask-later.ts';
import { Dispatcher, type HandedTurn, LIST_CALLS, MOVE_CALLS, moveCalls } from '../../src/accounts/dispatcher.ts';
import { Turns } from '../../src/azure/turns.ts';
import type { WorkQueue } from '../../src/work/work-queue-client.ts';

const NOW = new Date('2026-11-25T12:00:00Z');

interface Sent extends HandedTurn {
  readonly subscriptionId: string;
  readonly location: string;
}

/** Everything that one instance hands out, by as many dispatchers as there are keys. */
async function handedOut(
  places: readonly (readonly [string, string])[],
  { keys = 1, share = 1, calls = MOVE_CALLS } = {},
): Promise<Sent[]> {
  const sent: Sent[] = [];
  const ports = { schedule: new Turns(share), now: () => NOW };
  const dispatchers = Array.from(
    { length: keys },
    () =>
      new Dispatcher<{ subscriptionId: string; location: string }>(
        ports,
        () => calls,
        async (place, turn) => {
          sent.push({ ...place, ...turn });
        },
      ),
  );
  for (const [index, [subscriptionId, location]] of places.entries()) {
    await dispatchers[index % keys]?.dispatch({ subscriptionId, location });
  }
  return sent;
}

const most = (turns: readonly number[], withinMs: number): number =>
  Math.max(0, ...turns.map((from) => turns.filter((turn) => turn >= from && turn < from + withinMs).length));
const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);

describe('Dispatcher', () => {
  it('keeps to every budget of every cell and subscription, whatever is handed out by however many keys', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('s1', 's2'), fc.constantFrom('eu', 'us', 'uk')), { maxLength: 900 }),
        fc.integer({ min: 1, max: 5 }),
        async (places, keys) => {
          const sent = await handedOut(places, { keys });
          for (const subscription of ['s1', 's2']) {
            const mine = sent.filter((one) => one.subscriptionId === subscription);
            expect(
              most(
                mine.map(({ turn }) => turn),
                1_000,
              ),
            ).toBeLessThanOrEqual(200 + 10);
            for (const location of ['eu', 'us', 'uk']) {
              const turns = mine.filter((one) => one.location === location).map(({ turn }) => turn);
              expect(most(turns, 1_000)).toBeLessThanOrEqual(10 + 5);
              expect(most(turns, 300_000)).toBeLessThanOrEqual(800);
            }
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  it('has each message out of sight until its turn is near', async () => {
    for (const { delaySeconds, turn } of await handedOut(times(100, ['s1', 'eu'] as const))) {
      const waitMs = turn - NOW.getTime();
      expect(delaySeconds).toBe(Math.max(0, Math.floor((waitMs - 700) / 1_000)));
    }
  });

  it('puts what an hour has no room for into the next one, and leaves others their share', async () => {
    const hours = async (share: number) => {
      const sent = await handedOut(times(1_300, ['s1', 'eu'] as const), { share });
      expect(
        most(
          sent.map(({ turn }) => turn),
          3_600_000,
        ),
      ).toBeLessThanOrEqual(1_200 * share);
      return sent.filter(({ turn }) => turn - NOW.getTime() < 3_600_000).length;
    };
    expect(await hours(1)).toBe(1_200);
    expect(await hours(0.8)).toBe(960);
  });

  it('takes twenty keys over one cell as it takes one', async () => {
    const last = (sent: readonly Sent[]) => Math.max(...sent.map(({ turn }) => turn));
    const places = times(400, ['s1', 'eu'] as const);
    expect(last(await handedOut(places, { keys: 20 }))).toBe(last(await handedOut(places)));
  });

  it('does not let one region, or one subscription, wait for another, even for its hour', async () => {
    const busy = times(1_300, ['s1', 'eu'] as const);
    const sent = await handedOut([...busy, ['s2', 'eu'], ['s1', 'us']]);
    expect(sent.at(-1)?.delaySeconds).toBeLessThan(10);
    expect(sent.at(-2)?.delaySeconds).toBe(0);
    expect(sent.at(-3)?.delaySeconds).toBeGreaterThan(3_000);
  });

  it('spreads lists by a budget of their own', async () => {
    const sent = await handedOut(times(101, ['s1', 'eu'] as const), { calls: { lists: 1 } as never });
    expect(sent.at(-2)?.delaySeconds).toBe(0);
    expect(sent.at(-1)?.delaySeconds).toBeGreaterThanOrEqual(299);
  });

  it('leaves lists to events where it hands them out for hours', async () => {
    const turns: number[] = [];
    const queue: Pick<WorkQueue, 'send'> = {
      send: async (_, work) => void turns.push(work.kind === 'scopes' ? (work.turn ?? 0) : 0),
    };
    const accounts = Array.from({ length: 100 }, (_, n) => ({ id: `st${n}`, subscriptionId: 's1', location: 'eu' }));
    const cause = { by: 'drift', ref: '', since: NOW.toISOString() };
    await askLater(accounts, [], cause, { queue, schedule: new Turns(0.8), now: () => NOW });
    expect(most(turns, 300_000)).toBe(70);
  });

  it('hands out nothing before a time that was asked for', async () => {
    const sent: HandedTurn[] = [];
    const ports = { schedule: new Turns(1), now: () => NOW };
    const dispatcher = new Dispatcher(
      ports,
      () => MOVE_CALLS,
      async (_: unknown, turn) => void sent.push(turn),
    );
    const place = { subscriptionId: 's1', location: 'eu' };
    await dispatcher.dispatch(place, 15);
    await dispatcher.dispatch({ ...place, location: 'us' }, 15.2);
    expect(sent).toEqual([
      { delaySeconds: 15, turn: NOW.getTime() + 15_000 },
      { delaySeconds: 16, turn: NOW.getTime() + 15_200 },
    ]);
  });

  describe('that is given much at once', () => {
    const place = { subscriptionId: 's1', location: 'eu' };
    const soon = () => new Promise((resolve) => setImmediate(resolve));

    it('takes all turns at once, sends eight messages at a time, and hides each until its turn from then on', async () => {
      let nowMs = NOW.getTime();
      let under = 0;
      let mostUnder = 0;
      const sent: HandedTurn[] = [];
      const schedule = new Turns(1);
      const ports = { schedule, now: () => new Date(nowMs) };
      const dispatcher = new Dispatcher(
        ports,
        () => MOVE_CALLS,
        async (_: unknown, turn) => {
          under += 1;
          mostUnder = Math.max(mostUnder, under);
          await soon();
          under -= 1;
          sent.push(turn);
          nowMs += 250;
          expect(turn.delaySeconds).toBeLessThanOrEqual(Math.max(0, (turn.turn - nowMs + 250 * 8 - 700) / 1_000));
        },
      );
      const all = Promise.all(times(40, place).map((one) => dispatcher.dispatch(one)));
      // Whoever comes now comes behind all of these.
      const next = schedule.take(place, MOVE_CALLS, nowMs) + nowMs;
      await all;
      expect(sent).toHaveLength(40);
      expect(Math.max(...sent.map(({ turn }) => turn))).toBeLessThan(next);
      expect(mostUnder).toBe(8);
      expect(sent.at(-1)?.delaySeconds).toBe(0);
    });

    it('hides what is not to come before a time until then, however long it waited in line', async () => {
      let nowMs = NOW.getTime();
      const sent: HandedTurn[] = [];
      const dispatcher = new Dispatcher(
        { schedule: new Turns(1), now: () => new Date(nowMs) },
        () => LIST_CALLS,
        async (_: unknown, turn) => {
          sent.push(turn);
          await soon();
          nowMs = NOW.getTime() + 10_000;
        },
      );
      await Promise.all(times(9, place).map((one) => dispatcher.dispatch(one, 15)));
      const turn = NOW.getTime() + 15_000;
      expect([sent[0], sent[8]]).toEqual([
        { delaySeconds: 15, turn },
        { delaySeconds: 5, turn },
      ]);
    });

    it('sends eight at a time over all keys of the instance: twenty keys have no more connections open than one', async () => {
      let under = 0;
      let mostUnder = 0;
      const send = async () => {
        under += 1;
        mostUnder = Math.max(mostUnder, under);
        await soon();
        under -= 1;
      };
      const ports = { schedule: new Turns(1), now: () => NOW };
      const dispatchers = Array.from({ length: 20 }, () => new Dispatcher(ports, () => MOVE_CALLS, send));
      await Promise.all(dispatchers.flatMap((one) => times(10, place).map((work) => one.dispatch(work))));
      expect(mostUnder).toBe(8);
    });

    it('does not wait for another instance, and sends what others have while one key cannot', async () => {
      const schedule = new Turns(1);
      const hangs = new Dispatcher(
        { schedule, now: () => NOW },
        () => MOVE_CALLS,
        () => new Promise<void>(() => {}),
      );
      for (const one of times(9, place)) void hangs.dispatch(one);
      const other = new Dispatcher(
        { schedule: new Turns(1), now: () => NOW },
        () => MOVE_CALLS,
        soon as () => Promise<void>,
      );
      await other.dispatch(place);

      const ports = { schedule: new Turns(1), now: () => NOW };
      const failing = new Dispatcher(
        ports,
        () => MOVE_CALLS,
        async () => Promise.reject(new Error('no')),
      );
      const sending = new Dispatcher(ports, () => MOVE_CALLS, soon as () => Promise<void>);
      const failed = Promise.allSettled(times(20, place).map((one) => failing.dispatch(one)));
      await Promise.all(times(20, place).map((one) => sending.dispatch(one)));
      expect((await failed).filter(({ status }) => status === 'rejected')).toHaveLength(20);
    });

    it('sends no more when one cannot be sent, and has their turns back', async () => {
      const schedule = new Turns(1);
      let tried = 0;
      const dispatcher = new Dispatcher(
        { schedule, now: () => NOW },
        () => LIST_CALLS,
        async () => {
          tried += 1;
          await soon();
          throw new Error('The queue is out of reach.');
        },
      );
      const settled = await Promise.allSettled(times(100, place).map((one) => dispatcher.dispatch(one)));
      expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(100);
      expect(tried).toBe(8);
      const waits = times(93, place).map((one) => schedule.take(one, LIST_CALLS, NOW.getTime()));
      expect(waits.map((ms) => ms > 0)).toEqual([...times(92, false), true]);
      await expect(dispatcher.dispatch(place)).rejects.toThrow('out of reach');
      expect(tried).toBe(9);
    });
  });

  it('counts one read more for an account of which nobody knows how it is found', () => {
    expect([moveCalls({ seen: {} }), moveCalls({})]).toEqual([MOVE_CALLS, { writes: 1, reads: 2 }]);
  });
});
