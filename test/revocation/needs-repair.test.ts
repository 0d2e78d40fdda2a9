import { expect, it } from 'vitest';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { needsRepair } from '../../src/revocation/keep-revoked.ts';
import { keyVersion } from '../support/keys.ts';
import { BOB, later, NOON, NOW, record, restored, revoked } from './records.ts';

const soon = new Date(NOON.getTime() + 60_000);
const muchLater = new Date(NOON.getTime() + 3_600_000);

it.each<[string, KeyVersion[], boolean]>([
  ['is not revoked', [keyVersion(1)], false],
  ['is revoked, with every version disabled', [revoked(1), revoked(2)], false],
  ['has a version that appeared since', [revoked(1), keyVersion(30)], true],
  ['has a version that was enabled just after', [revoked(1), revoked(2, { enabled: true, updatedOn: soon })], true],
  [
    'has a version that a person enabled later',
    [revoked(1), revoked(2, { enabled: true, updatedOn: muchLater })],
    false,
  ],
  [
    'is being restored, or whose restore was interrupted',
    [revoked(1, { tags: record(1, { restoringBy: BOB }) })],
    true,
  ],
  ['is restored', [keyVersion(1, { tags: restored(1) })], false],
  ['is restored, and a late write restored a record', [keyVersion(1, { tags: restored(1) }), revoked(2)], true],
  [
    'was revoked again',
    [keyVersion(1, { enabled: false, tags: restored(1) }), revoked(2, { tags: record(2, later) })],
    false,
  ],
])('needsRepair decides about a key that %s', (_, versions, needed) => {
  expect(needsRepair(versions, NOW)).toBe(needed);
});
