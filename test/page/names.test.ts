import { expect, it } from 'vitest';
import { rotatesBy, usersOf } from '../../page/src/names.ts';

it('a key that nothing rotates is said to have no rotation planned', () => {
  expect(rotatesBy('none')).toBe('None planned');
});

it('a count of users that is not whole is told as that', () => {
  const users = { accounts: 3, scopes: 0, versions: [], complete: true };
  expect(usersOf(users)).toBe('3 accounts');
  expect(usersOf({ ...users, accounts: 1, scopes: 1, complete: false })).toBe('at least 1 account, 1 scope');
});
