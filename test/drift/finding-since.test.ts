import { describe, expect, it } from 'vitest';
import { ACCOUNT_CHECKS } from '../../src/drift/checks/checks.ts';
import { evaluate } from '../../src/drift/checks/evaluate.ts';
import type { AccountSubject } from '../../src/drift/checks/subjects.ts';
import { findingSince } from '../../src/drift/finding-since.ts';
import type { Finding } from '../../src/drift/report.ts';
import { ReportedFindings } from '../../src/drift/reported-findings.ts';
import { healthOfSubject } from '../../src/drift/subject-health.ts';
import { DAYS, key, lacks, NEW, NOW, OLD, pinned, revoked, rules, scope, subject, version } from './checks/subjects.ts';

const LAST_WEEK = new Date(NOW.getTime() - 7 * DAYS).toISOString();
const YESTERDAY = new Date(NOW.getTime() - DAYS);

/** What the checks find of an account. */
const foundOf = (of: AccountSubject) => evaluate(ACCOUNT_CHECKS, of, of.account.id, rules());
/** How it stands, with what the newest report has about it. */
function health(of: AccountSubject, reported: readonly Finding[] = []) {
  return healthOfSubject(of, foundOf(of), {
    vaultOf: () => undefined,
    rules: rules(),
    reported: (resource) => new ReportedFindings({ findings: [...reported], untoldAccess: undefined }).of(resource),
  });
}
/** The same in the newest report, which has known it for a week. */
const reportedOf = (of: AccountSubject) => foundOf(of).map((one) => ({ ...one, since: LAST_WEEK }));

const withoutRole = subject({ access: lacks('IdentityWithoutRole') });

describe('since when an account stands as it does', () => {
  it('is remembered by the newest report, of what is the same there', () => {
    expect(health(withoutRole, reportedOf(withoutRole))).toMatchObject({ state: 'NoAccess', since: LAST_WEEK });
  });

  it('is remembered of an encryption scope as of an account', () => {
    const off = key({ versions: { value: [version(100, { enabled: false }), NEW] } });
    const of = subject({ scopes: [scope(pinned(version(100)), { key: off })] });
    expect(health(of, reportedOf(of))).toMatchObject({ state: 'Blocked', since: LAST_WEEK });
  });

  it('is not known where no report has it, or has it with another cause', () => {
    expect(health(withoutRole)).not.toHaveProperty('since');
    const another = reportedOf(withoutRole).map((one) => ({ ...one, cause: { ...one.cause, id: 'another' } }));
    expect(health(withoutRole, another)).not.toHaveProperty('since');
    const gone = subject({ access: lacks('IdentityDeleted') });
    expect(health(withoutRole, reportedOf(gone))).not.toHaveProperty('since');
  });

  it('is what the versions of the key tell, whatever a report says', () => {
    const stale = subject({ use: pinned(OLD) });
    for (const reported of [[], reportedOf(stale)]) {
      expect(health(stale, reported)).toMatchObject({ state: 'Stale', since: NEW.createdOn?.toISOString() });
    }
    const off = subject({ key: key({ versions: { value: [revoked(100), revoked(10)] } }) });
    expect(health(off)).toMatchObject({ state: 'Revoked', since: YESTERDAY.toISOString() });
  });

  it('is nothing of one that serves', () => {
    expect(health(subject(), reportedOf(withoutRole))).toEqual({ state: 'Serving' });
  });

  it.each([
    ['stale', subject({ use: pinned(OLD) })],
    ['revoked', subject({ key: key({ versions: { value: [revoked(100), revoked(10)] } }) })],
  ])('is not told by versions that could not be read: %s', (_, of) => {
    const [found] = foundOf(of);
    const evidence = { versionsOf: () => [], reported: () => reportedOf(of), rules: rules() };
    expect(found && findingSince(found, evidence)).toBeUndefined();
  });

  it('is remembered of what is about nothing in particular too', () => {
    const [found] = reportedOf(withoutRole).map((one) => ({ ...one, cause: { ...one.cause, about: [] } }));
    const evidence = {
      versionsOf: () => [],
      reported: () => (found ? [found] : []),
      rules: rules(),
    };
    expect(found && findingSince(found, evidence)).toBe(LAST_WEEK);
  });
});
