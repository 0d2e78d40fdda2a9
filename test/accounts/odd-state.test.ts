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

/** How often the account is left alone, one holder after the other, each with what the one before has saved. */
async function timesLeftAlone(state: unknown, most: number): Promise<number> {
  let kept = JSON.parse(JSON.stringify(state)) as unknown;
  for (let times = 0; times < most; times += 1) {
    const lease: Lease = {
      state: kept,
      held: () => true,
      save: async (next) => {
        kept = JSON.parse(JSON.stringify(next));
      },
      release: async () => {},
      abandon: async () => true,
      releaseAfter: async () => true,
    };
    const journal = new MoveJournal(lease, async () => ({ failed: 'not asked for' }));
    if ((await journal.leaveAlone(new Date('2026-06-01T00:00:00.000Z'))) === 0) return times;
  }
  return most;
}

const with_ = (more: Partial<MoveIntent>, id: string): MoveIntent => ({ ...move, ...more, id });

describe('an account is left alone for a while, and not for good, whatever the state of its lease says', () => {
  it.each([
    ['one move of which nothing is known', [with_({}, 'a')]],
    ['one that was waited for longer than a lease', [with_({ waitedMs: 30_000 }, 'a')]],
    ['two, of which one was waited for already', [with_({ waitedMs: 47_500 }, 'a'), with_({}, 'b')]],
    ['two that were waited for unevenly', [with_({ waitedMs: 20_000 }, 'a'), with_({ waitedMs: 1 }, 'b')]],
  ])('%s', async (_, moves) => {
    expect(await timesLeftAlone({ moves }, 100)).toBeLessThanOrEqual(4);
  });
});
