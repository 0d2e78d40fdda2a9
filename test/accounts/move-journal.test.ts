import { describe, expect, it } from 'vitest';
import { newIntent } from '../../src/accounts/intent.ts';
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

function journal(held: boolean) {
  const recorded: string[] = [];
  const lease: Lease = {
    state: { moves: [move] },
    held: () => held,
    save: async () => {},
    release: async () => {},
    abandon: () => {},
  };
  const kept = new MoveJournal(lease, async ({ id = '' }) => {
    recorded.push(id);
    return { written: { file: 'trail', seq: 1, hash: '' } };
  });
  return { kept, recorded };
}

describe('a move that is decided', () => {
  it('is recorded by who holds the lease, and then is done with', async () => {
    const { kept, recorded } = journal(true);
    await kept.record(move, { reason: 'Moved' });
    expect([recorded, kept.unrecorded, kept.found]).toEqual([[move.id], undefined, []]);
  });

  it('is left to the next holder by who has lost the lease: they may be recording it', async () => {
    const { kept, recorded } = journal(false);
    await kept.record(move, { reason: 'Moved' });
    expect([recorded, kept.unrecorded]).toEqual([[], 'The lease was lost.']);
  });
});
