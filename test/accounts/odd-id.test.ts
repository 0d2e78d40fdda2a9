import { expect, it } from 'vitest';
import { newIntent } from '../../src/accounts/intent.ts';
import { MoveJournal } from '../../src/accounts/move-journal.ts';
import type { AuditFiles } from '../../src/audit/audit-files.ts';
import { auditTrail } from '../../src/audit/audit-trail.ts';
import type { Lease } from '../../src/work/lease-client.ts';
import { makeChain } from '../audit/chains.ts';
import { KEY, SUBSCRIPTION, versionName } from '../support/keys.ts';

const NOW = new Date('2026-11-24T04:00:00Z');

/** A trail of one file, to which nothing can be written. */
function trailOf(records: number): AuditFiles {
  const [file] = makeChain([records]).files;
  const bytes = Buffer.from(`${file?.lines.join('\n')}\n`);
  const refused = async (): Promise<never> => {
    throw Object.assign(new Error('It cannot be written.'), { statusCode: 403 });
  };
  return {
    list: async () => [{ name: file?.name ?? '', size: bytes.length }],
    read: async (_: string, from: number, to: number) => ({ bytes: bytes.subarray(from, to), size: bytes.length }),
    create: refused,
    append: refused,
  } as unknown as AuditFiles;
}

// Whoever can write to the lease of an account can write such a state.
it.each(['', 'e', '"'])(
  'a move whose id is %j holds nobody else up while it is looked for in the trail',
  async (id) => {
    const move = newIntent({
      account: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1`,
      key: KEY.id,
      mode: 'pinned',
      to: versionName(2),
      cause: { by: 'event', ref: 'e1', since: '' },
      at: NOW.toISOString(),
    });
    const state = { moves: [{ ...move, id, over: true, done: { reason: 'Moved', to: versionName(2) } }] };
    const lease: Lease = {
      state,
      held: () => true,
      save: async () => {},
      release: async () => {},
      abandon: async () => true,
      releaseAfter: async () => true,
    };
    const options = { now: () => NOW, newId: () => 'id', sleep: async () => {}, random: () => 0 };
    const journal = new MoveJournal(lease, auditTrail(trailOf(4_000), options));
    let longestMs = 0;
    let last = performance.now();
    const beat = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - last);
      last = performance.now();
    }, 10);
    await journal.recordFound();
    await new Promise((resolve) => setTimeout(resolve, 20));
    clearInterval(beat);
    expect(longestMs).toBeLessThan(1_000);
  },
  300_000,
);
