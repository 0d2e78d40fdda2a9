import { describe, expect, it } from 'vitest';
import { getKnown } from '../../src/azure/read-or-why.ts';
import { ACCOUNT_CHECKS } from '../../src/drift/checks/checks.ts';
import { evaluate } from '../../src/drift/checks/evaluate.ts';
import type { AccountSubject } from '../../src/drift/checks/subjects.ts';
import type { Finding } from '../../src/drift/report/report.ts';
import { findSince } from '../../src/status/fleet.ts';
import {
  DAYS,
  key,
  lacks,
  NEW,
  NOW,
  OLD,
  pinned,
  revoked,
  rules,
  scope,
  subject,
  version,
} from '../drift/checks/subjects.ts';

const LAST_WEEK = new Date(NOW.getTime() - 7 * DAYS).toISOString();
const YESTERDAY = new Date(NOW.getTime() - DAYS);

/** What the checks find of an account. */
const foundOf = (of: AccountSubject) => evaluate(ACCOUNT_CHECKS, of, of.account.id, rules());
/** Since when the first of it has been so, with what the newest report has. */
function sinceOf(of: AccountSubject, reported: readonly Finding[] = [], isRead = true) {
  const [found] = foundOf(of);
  const versions = [of.key, ...of.scopes.map((scope) => scope.key)].flatMap((one) => getKnown(one?.versions) ?? []);
  return found && findSince(found, isRead ? versions : [], reported, NOW);
}
/** The same in the newest report, which has known it for a week. */
const reportedOf = (of: AccountSubject) => foundOf(of).map((one) => ({ ...one, since: LAST_WEEK }));

const withoutRole = subject({ access: lacks('IdentityWithoutRole') });

describe('since when an account has been as it is', () => {
  it('is remembered by the newest report, of what is the same there', () => {
    expect(sinceOf(withoutRole, reportedOf(withoutRole))).toBe(LAST_WEEK);
    const off = key({ versions: { value: [version(100, { enabled: false })] } });
    const ofScope = subject({ scopes: [scope(pinned(version(100)), { key: off })] });
    expect(sinceOf(ofScope, reportedOf(ofScope))).toBe(LAST_WEEK);
    const aboutNothing = reportedOf(withoutRole).map((one) => ({ ...one, cause: { ...one.cause, about: [] } }));
    expect(sinceOf(withoutRole, aboutNothing)).toBe(LAST_WEEK);
  });

  it('is not known where no report has it, or has it with another cause', () => {
    const another = reportedOf(withoutRole).map((one) => ({ ...one, cause: { ...one.cause, id: 'another' } }));
    const gone = subject({ access: lacks('IdentityDeleted') });
    for (const reported of [[], another, reportedOf(gone)]) expect(sinceOf(withoutRole, reported)).toBeUndefined();
  });

  it.each([
    ['stale', subject({ use: pinned(OLD) }), NEW.createdOn],
    ['revoked', subject({ key: key({ versions: { value: [revoked(100), revoked(10)] } }) }), YESTERDAY],
  ])('is what the versions of the key tell, whatever a report says: %s', (_, of, since) => {
    for (const reported of [[], reportedOf(of)]) expect(sinceOf(of, reported)).toBe(since?.toISOString());
    expect(sinceOf(of, reportedOf(of), false)).toBeUndefined();
  });
});
