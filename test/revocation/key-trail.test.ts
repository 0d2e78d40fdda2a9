import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { createKeyTrail } from '../../src/revocation/key-trail.ts';
import { KEY, VAULT } from '../support/keys.ts';
import { MemoryTrail } from '../support/memory-trail.ts';
import { ALICE, BOB, NOON, stamp } from './records.ts';

const DAY_MS = 86_400_000;

function entry(change: Partial<AuditEntry> = {}, details: object = {}): AuditEntry {
  const caller = { objectId: ALICE, appId: 'app' };
  return {
    action: 'key.revoke',
    reason: 'Revoked',
    resource: KEY.id,
    caller,
    details: { revocation: stamp, ...details },
    ...change,
  };
}

/** Entries of so many days after noon, read since noon. */
async function eventsOf(...entries: readonly (readonly [days: number, entry: AuditEntry])[]) {
  let days = 0;
  const trail = new MemoryTrail(() => new Date(NOON.getTime() + days * DAY_MS));
  for (const [on, one] of entries) {
    days = on;
    await trail.audit(one, 0);
  }
  return createKeyTrail(trail.files)(KEY, NOON);
}

describe('the history of a key in the audit trail', () => {
  it('The history of a key lists revocations and restores, newest first, with caller and recorded versions', async () => {
    const carriers = [{ version: 'v1', wasEnabled: false }];

    const restore = entry({
      action: 'key.restore',
      reason: 'RestoreIncomplete',
      resource: KEY.id.toUpperCase(),
      caller: { objectId: BOB.toUpperCase(), appId: 'app' },
    });
    expect(await eventsOf([0, entry({}, { carriers })], [1, restore])).toEqual([
      {
        did: 'restore',
        revocation: stamp,
        by: BOB,
        isComplete: false,
        wasRecorded: false,
        carriers: new Map(),
        isShown: false,
        isFound: false,
      },
      {
        did: 'revoke',
        revocation: stamp,
        by: ALICE,
        isComplete: true,
        wasRecorded: true,
        carriers: new Map([['v1', false]]),
        isShown: false,
        isFound: false,
      },
    ]);
  });

  it.each<[string, AuditEntry]>([
    ['another key', entry({ resource: createManagedKey(VAULT, 'files-key2').id })],
    ['a denied restore', entry({ action: 'key.restore', reason: 'SecondPersonNeeded' })],
    ['a restore that was overtaken', entry({ action: 'key.restore', reason: 'RestoreOvertaken' })],
    ['a move', entry({ action: 'account.move', reason: 'Moved' })],
    ['a call without a caller', { ...entry(), caller: undefined } as unknown as AuditEntry],
  ])('The history of a key ignores the record of %s', async (_, other) => {
    expect(await eventsOf([0, other])).toEqual([]);
  });

  it('The history of a key marks a record that a pass concluded from the tags', async () => {
    expect(await eventsOf([0, entry({}, { foundIn: 'key-work' })])).toMatchObject([{ by: ALICE, isFound: true }]);
  });

  it('The history of a key starts at the given time', async () => {
    expect(await eventsOf([-3, entry()], [1, entry({ reason: 'RevocationIncomplete' })])).toHaveLength(1);
  });
});
