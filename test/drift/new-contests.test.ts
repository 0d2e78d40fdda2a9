import { describe, expect, it } from 'vitest';
import type { ChangeRow } from '../../src/drift/changes/change-rows.ts';
import { findNewContests, withBroken } from '../../src/drift/changes/check-changes.ts';
import { account, NOW } from './checks/subjects.ts';

const ACCOUNT = account().id;
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString();
const on = (scope = '') => [{ resource: `${ACCOUNT}${scope}` }];

/** The row of a change, as a check leaves it that read the account with a time stamp. */
function checked(minutes: number, stamp: string, operation = 'write', scope = ''): ChangeRow {
  const changedBy = {
    objectId: `at-${minutes}`,
    on: minutesAgo(minutes),
    operation,
    resource: ACCOUNT,
    confirmed: false,
  };

  const row = { id: `${minutes}`, concern: 'account', at: ACCOUNT, changedBy, notedOn: minutesAgo(minutes) } as const;
  const use = `${ACCOUNT}${scope}`.toLowerCase();
  const [noted] = withBroken([row], on(scope), new Map([[use, stamp]]));

  return noted as ChangeRow;
}
const contests = (...recent: ChangeRow[]) => findNewContests(on(), recent, NOW, () => 'id');

describe('an account that the app is about to repair', () => {
  it('An account is contested by the author of the last change after two repairs within the hour', () => {
    expect(contests(checked(0, 'c'), checked(30, 'b'), checked(50, 'a'))).toMatchObject([
      { account: ACCOUNT, by: { objectId: 'at-0' }, since: NOW.toISOString() },
    ]);
    expect(contests(checked(0, 'c'), checked(30, 'b'), checked(61, 'a'))).toEqual([]);
  });

  it('An account is not contested by changes that precede its repair', () => {
    expect(contests(checked(0, 'b'), checked(1, 'b'), checked(2, 'b'), checked(3, 'a'))).toEqual([]);
  });

  it('An account is not contested by the repairs of several scopes', () => {
    const scopes = ['1', '2', '3'].map((name) => checked(1, name, 'write', `/encryptionScopes/${name}`));
    expect(contests(checked(0, 'a'), ...scopes)).toEqual([]);
  });

  it('An account has its repairs counted from zero after its release', () => {
    expect(contests(checked(5, 'c', 'drift.release'), checked(30, 'b'), checked(50, 'a'))).toEqual([]);
    expect(contests(checked(0, 'd'), checked(5, 'c', 'drift.release'), checked(30, 'b'))).toEqual([]);
  });
});
