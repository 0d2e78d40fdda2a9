import { describe, expect, it } from 'vitest';
import { type MoveIntent, newIntent } from '../../src/accounts/intent.ts';
import { MoveJournal } from '../../src/accounts/move-journal.ts';
import type { Lease } from '../../src/work/lease-client.ts';
import { KEY, SUBSCRIPTION, versionName } from '../support/keys.ts';

const move = newIntent({
  account: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1`,
  key: KEY.id,
  mode: 'pinned',
  from: versionName(1),
  to: versionName(2),
  cause: { by: 'event', ref: 'e1', since: '2026-01-01T00:00:00.000Z' },
  at: '2026-01-01T00:00:00.000Z',
});

function journal(held: boolean, found: MoveIntent = move, { fails = false, isHeard = true } = {}) {
  const recorded: string[] = [];
  const saved: unknown[] = [];
  const released: number[] = [];
  let stays: 'taken' | undefined;
  const lease: Lease = {
    state: { moves: [found] },
    held: () => held && !stays,
    save: async (state) => void saved.push(state),
    release: async () => {},
    async abandon() {
      await Promise.resolve();
      stays = saved.length === 0 ? 'taken' : undefined;
      return true;
    },
    async releaseAfter(ms) {
      released.push(ms);
      return isHeard;
    },
  };
  const kept = new MoveJournal(lease, async ({ id = '' }) => {
    recorded.push(id);
    return fails ? { failed: 'no answer' } : { written: { file: 'trail', seq: 1, hash: '' } };
  });
  return { kept, recorded, saved, released, stays: () => stays };
}

describe('a move that is decided', () => {
  it('is recorded by who holds the lease, and then is done with', async () => {
    const { kept, recorded } = journal(true);
    await kept.record(move, { reason: 'Moved' });
    expect([recorded, kept.unrecorded, kept.found]).toEqual([[move.id], undefined, []]);
  });

  it('says where it was found when another process has announced it, or who may write leases', async () => {
    const records: unknown[] = [];
    const done = { reason: 'Moved', to: versionName(2) } as const;
    const lease = { state: { moves: [{ ...move, done, over: true }] }, held: () => true } as unknown as Lease;
    const kept = new MoveJournal(lease, async ({ details }) => {
      records.push(details?.foundIn);
      return { written: { file: 'trail', seq: 1, hash: '' } };
    });
    await kept.recordFound();
    await kept.record({ ...move, id: 'another' }, done);
    expect(records).toEqual(['cmk-leases', undefined]);
  });

  it('is left to the next holder by who has lost the lease: they may be recording it', async () => {
    const { kept, recorded } = journal(false);
    await kept.record(move, { reason: 'Moved' });
    expect([recorded, kept.unrecorded]).toEqual([[], 'The lease was lost.']);
  });

  it.each(['is not recorded', 'is given up'])(
    'and %s is over for others when they cannot come for a minute',
    async (how) => {
      const { kept, saved, stays } = journal(true, move, { fails: true });
      if (how === 'is given up') kept.giveUp(move, new Date());
      else await kept.record(move, { reason: 'Moved' });
      await kept.close();
      // Killed after the one and before the other, it would be judged while it may still take effect.
      expect([saved, stays()]).toEqual([[{ moves: [expect.objectContaining({ over: true })] }], 'taken']);
    },
  );
});

describe('a move that was begun before', () => {
  const now = new Date('2026-01-01T00:01:00.000Z');
  const over = { moves: [{ ...move, over: true }] };

  /** Half of what is waited for behind the lease of somebody who is cut off. Milliseconds. */
  const HALF_MS = (30_000 + 60_000 + 60_000 - 60_000) / 2;

  it.each([
    ['by who was killed, and for the first half of that already', { waitedMs: HALF_MS }, HALF_MS],
    ['by who gave it up 20 s ago', { over: true, until: '2026-01-01T00:01:40.000Z' }, 40_000],
    ['by who gave it up by a clock that is ahead', { over: true, until: '2026-01-01T00:06:00.000Z' }, 60_000],
    ['by who gave it up, and what is kept of that is no time', { over: true, until: 'soon' }, 60_000],
  ])('%s is left alone for as long as it may take effect, and judged by whoever comes then', async (_, how, ms) => {
    const { kept, saved, released } = journal(true, { ...move, ...how });
    expect(await kept.leaveAlone(now)).toBe(ms);
    expect([saved, released]).toEqual([[over], [ms]]);
  });

  it.each([
    ['', {}],
    [', and which is said to have been left alone for longer than can be,', { waitedMs: 1e9 }],
  ])('by who is not known to be through%s is left alone by two leases, as one ends before', async (_, how) => {
    const { kept, saved, released } = journal(true, { ...move, ...how });
    expect(await kept.leaveAlone(now)).toBe(HALF_MS);
    expect([saved, released]).toEqual([[{ moves: [{ ...move, waitedMs: HALF_MS }] }], [HALF_MS]]);
  });

  it('is left alone anew by whoever comes next where it is not sure that the account stays taken until then', async () => {
    const { kept, saved, released } = journal(true, move, { isHeard: false });
    expect(await kept.leaveAlone(now)).toBe(HALF_MS);
    expect([saved, released]).toEqual([[], [HALF_MS]]);
  });

  it('is judged at once where it takes no more effect', async () => {
    const { kept, saved, released } = journal(true, { ...move, over: true, until: '2026-01-01T00:00:59.000Z' });
    expect(await kept.leaveAlone(now)).toBe(0);
    expect([saved, released]).toEqual([[], []]);
  });
});

describe('one holder of an account after the other', () => {
  /** Each finds what the one before has saved. */
  class Holders {
    #kept: unknown;
    readonly #isHeard: boolean;

    /** @param isHeard whether an abandoned lease is known to be renewed */
    constructor(kept: unknown, isHeard = true) {
      this.#kept = kept;
      this.#isHeard = isHeard;
    }

    next(): MoveJournal {
      const lease: Lease = {
        state: this.#kept,
        held: () => true,
        save: async (next) => {
          this.#kept = JSON.parse(JSON.stringify(next));
        },
        release: async () => {},
        abandon: async () => this.#isHeard,
        releaseAfter: async () => true,
      };
      return new MoveJournal(lease, async () => ({ failed: 'not asked for' }));
    }
  }

  it('waits, by any clock, for what was given up where it is not known how long the lease stood', async () => {
    const givenUpOn = new Date(Date.parse(move.at) + 60_000);
    for (const aheadMs of [0, 5 * 60_000]) {
      const holders = new Holders(undefined, false);
      const first = holders.next();
      first.giveUp(await first.begin(move), givenUpOn);
      await first.close();
      // The last renewal that was heard was 20 s before: the lease is free 40 s later, and the write may come in another 20 s.
      const nextOn = new Date(givenUpOn.getTime() + 40_000 + aheadMs);
      expect(await holders.next().leaveAlone(nextOn), `${aheadMs} ms`).toBeGreaterThanOrEqual(20_000);
    }
  });

  const scope = (n: number): MoveIntent => newIntent({ ...move, scope: `scope${n}` });

  it.each([
    ['it is not known how long the lease stood', true],
    ['who gave it up was killed at the next scope', false],
  ])('waits, by any clock, for a scope that was given up before another one was begun, where %s', async (_, closes) => {
    const givenUpOn = new Date(Date.parse(move.at) + 60_000);
    for (const aheadMs of [0, 5 * 60_000]) {
      const holders = new Holders(undefined, false);
      const first = holders.next();
      first.giveUp(await first.begin(scope(1)), givenUpOn);
      const other = await first.begin(scope(2));
      if (closes) {
        first.drop(other);
        await first.close();
      }
      const nextOn = new Date(givenUpOn.getTime() + 40_000 + aheadMs);
      expect(await holders.next().leaveAlone(nextOn), `${aheadMs} ms`).toBeGreaterThanOrEqual(20_000);
    }
  });

  it.each<[string, Partial<MoveIntent>[]]>([
    ['one move of which nothing is known', [{}]],
    ['one that was waited for less than half', [{ waitedMs: 30_000 }]],
    ['two, of which one was waited for', [{ waitedMs: 47_500 }, {}]],
    ['two that were waited for unevenly', [{ waitedMs: 20_000 }, { waitedMs: 1 }]],
  ])('leaves it alone for a while, and not for good: %s', async (_, moves) => {
    const holders = new Holders({ moves: moves.map((more, n) => ({ ...move, ...more, id: `${move.id}${n}` })) });
    const waits: number[] = [];
    while (waits.length < 10) {
      const ms = await holders.next().leaveAlone(new Date(move.at));
      if (ms === 0) break;
      waits.push(ms);
    }
    expect(waits.length).toBeGreaterThan(0);
    expect(waits.length).toBeLessThanOrEqual(3);
  });
});
