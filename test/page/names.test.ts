import { expect, it } from 'vitest';
import type { ApprovalRequest } from '../../page/src/api/types.ts';
import { approvalPlace, approvalTitle, rotatesBy, usersOf } from '../../page/src/names.ts';

const SOMEBODY = { objectId: 'a', appId: 'b' };
const ASKED = {
  v: 1,
  id: '1',
  reason: 'Found',
  askedBy: SOMEBODY,
  needed: 1,
  state: 'waiting',
} as const;
const TIMES = { askedOn: '2026-11-25T02:00:00.000Z', expiresOn: '2026-11-25T10:00:00.000Z' };
const KEY = { vault: 'kv-files', key: 'files-key' };
const RESTORE: ApprovalRequest = {
  ...{ ...ASKED, ...TIMES, ...KEY, approvedBy: [], action: 'restore', revocation: 'f00d' },
};

it('a request to restore a key says so, and where that is approved', () => {
  expect(approvalTitle(RESTORE)).toBe('Restore of kv-files/files-key');
  expect(approvalPlace(RESTORE)).toEqual(['break-glass', 'kv-files', 'files-key']);
});

it('a key that nothing rotates is said to have no rotation planned', () => {
  expect(rotatesBy('nobody')).toBe('None planned');
});

it('a count of users that is not whole is told as that', () => {
  const users = { accounts: 3, scopes: 0, versions: [], complete: true };
  expect(usersOf(users)).toBe('3 accounts');
  expect(usersOf({ ...users, accounts: 1, scopes: 1, complete: false })).toBe('at least 1 account, 1 scope');
});
