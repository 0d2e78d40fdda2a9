import { expect, it } from 'vitest';
import { rotatesBy, usersOf } from '../../page/src/names.ts';

it('A key without a planned rotation is shown as "None planned"', () => {
  expect(rotatesBy('none')).toBe('None planned');
});

it('An incomplete count of users is shown as "at least"', () => {
  const users = { accounts: 3, scopes: 0, versions: [], complete: true };
  expect(usersOf(users)).toBe('3 accounts');
  expect(usersOf({ ...users, accounts: 1, scopes: 1, complete: false })).toBe('at least 1 account, 1 scope');
});
