import { describe, expect, it } from 'vitest';
import type { ApprovalRequest } from '../../page/src/api/types.ts';
import { approvalPlace, approvalSubject, approvalTitle, rotatesBy, usersOf } from '../../page/src/names.ts';

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
const restore = (more: object): ApprovalRequest => ({
  ...{ ...ASKED, ...TIMES, ...KEY, approvedBy: [], action: 'restore', revocation: 'f00d' },
  ...more,
});

describe('a request for approval', () => {
  const account = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/stfiles06';

  it.each([
    ['a key', {}, 'Restore of kv-files/files-key', [['break-glass', 'kv-files', 'files-key']]],
    [
      'an account',
      { account },
      'Restore of the account stfiles06 alone, on kv-files/files-key',
      [['fleet', 'stfiles06'], { scope: undefined }],
    ],
    [
      'an encryption scope',
      { account, scope: 'scope1' },
      'Restore of the encryption scope stfiles06/scope1 alone, on kv-files/files-key',
      [['fleet', 'stfiles06'], { scope: 'scope1' }],
    ],
  ])('to restore %s says so, and where that is approved', (_, more, title, place) => {
    expect(approvalTitle(restore(more))).toBe(title);
    expect(approvalPlace(restore(more))).toEqual(place);
  });

  it('is about one part of the account', () => {
    expect(approvalSubject(restore({ account }))).toBe('stfiles06');
    expect(approvalSubject(restore({ account, scope: 'scope1' }))).toBe('stfiles06/scope1');
  });
});

it('a key that nothing rotates is said to have no rotation planned', () => {
  expect(rotatesBy('nobody')).toBe('None planned');
});

it('a count of users that is not whole is told as that', () => {
  const users = { accounts: 3, scopes: 0, versions: [], complete: true };
  expect(usersOf(users)).toBe('3 accounts');
  expect(usersOf({ ...users, accounts: 1, scopes: 1, complete: false })).toBe('at least 1 account, 1 scope');
});
