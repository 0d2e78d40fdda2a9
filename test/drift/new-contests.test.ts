import { expect, it } from 'vitest';
import { newContests } from '../../src/drift/changes/check-changes.ts';
import type { DriftChange } from '../../src/drift/report.ts';
import { account, NOW } from './checks/subjects.ts';
import { finding, report } from './reports.ts';

const ACCOUNT = account().id;
const before = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString();

/** A change of the account that the app repaired. */
const repaired = (id: string, minutes: number): DriftChange => ({
  ...{ id, on: before(minutes), operation: 'o', resource: ACCOUNT, confirmed: false },
  ...{ notedOn: before(minutes), foundOn: before(minutes), found: [], gone: [], fixed: true },
});

/** Until when the account is contested after another change, by what the app repaired before. */
function contestedUntil(changes: readonly DriftChange[], autofix = 'StaleKeyVersion') {
  const by = { objectId: 'o', on: NOW.toISOString(), operation: 'o', resource: ACCOUNT, confirmed: false };
  const row = { id: 'now', concern: 'account', at: ACCOUNT, changedBy: by, notedOn: NOW.toISOString() } as const;
  const added = [finding()];
  const merged = { report: { ...report({}), changes: [...changes] }, added };
  const services = { now: () => NOW, newId: () => 'c' };
  return newContests([{ ...row, due: NOW, attempts: 0 }], merged, [autofix], services).map(({ until }) => until);
}

it('An account that is changed again after two repairs within an hour is contested for a day', () => {
  expect(contestedUntil([repaired('a', 50), repaired('b', 20)])).toEqual([before(-24 * 60)]);
});

it('An account is not contested after one repair, a repair longer ago, or where the app repairs nothing', () => {
  expect(contestedUntil([repaired('b', 20)])).toEqual([]);
  expect(contestedUntil([repaired('a', 61), repaired('b', 20)])).toEqual([]);
  expect(contestedUntil([repaired('a', 50), repaired('b', 20)], 'none')).toEqual([]);
});
