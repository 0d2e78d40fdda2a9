import { describe, expect, it } from 'vitest';
import { getKnown } from '../../src/azure/read-or-why.ts';
import { splitScope } from '../../src/azure/resource-id.ts';
import { ACCOUNT_CHECKS } from '../../src/drift/checks/checks.ts';
import { evaluate } from '../../src/drift/checks/evaluate.ts';
import type { AccountSubject, UseSubject } from '../../src/drift/checks/subjects.ts';
import type { Finding } from '../../src/drift/report/report.ts';
import type { UseRow } from '../../src/index/use-row.ts';
import { formatKeyIdentifier } from '../../src/keys/key-identifier.ts';
import { evaluateFleet } from '../../src/status/fleet.ts';
import { groupFindings } from '../../src/status/last-check.ts';
import { groupUses } from '../../src/status/read-fleet.ts';
import {
  account,
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
  use,
  version,
} from '../drift/checks/subjects.ts';
import { report } from '../drift/reports.ts';

const LAST_WEEK = new Date(NOW.getTime() - 7 * DAYS).toISOString();
const YESTERDAY = new Date(NOW.getTime() - DAYS);

/** The use in the index, as a worker read it. */
function rowsOf({ resource, use: of }: UseSubject): UseRow[] {
  if (!of) return [];

  const { account: id, scope: name } = splitScope(resource);
  const row: UseRow = {
    key: formatKeyIdentifier(of),
    account: id,
    scope: name,
    location: account().location,
    mode: of.pinned === undefined ? 'automatic' : 'pinned',
    pinned: of.pinned,
    current: of.current,
    readOn: NOW.toISOString(),
    state: 'done',
    at: NOW.toISOString(),
    attempts: 0,
  };

  return [row];
}

/** The health in the fleet of an account that a check reads so. */
async function healthOf(of: AccountSubject, reported: readonly Finding[] = [], isRead = true) {
  const rows = [of, ...of.scopes].flatMap(rowsOf);
  const own = rows.find((row) => row.scope === undefined);
  const keys = [of, ...of.scopes].flatMap((one) => one.key ?? []);

  const [evaluated] = await evaluateFleet({
    readOn: NOW,
    unlisted: 0,
    listings: new Map(),
    accounts: [
      {
        account: of.account.id,
        location: of.account.location,
        key: own?.key,
        scopeKeys: rows.flatMap((row) => (row.scope === undefined ? [] : row.key)),
        writtenOn: NOW.toISOString(),
      },
    ],
    uses: groupUses(rows),
    keys: new Map(
      keys.map((one) => [
        one.key.id.toLowerCase(),
        { key: one.key, versions: isRead ? getKnown(one.versions) : undefined, probes: new Map() },
      ]),
    ),
    report: report(),
    findings: groupFindings(reported),
    lastSeen: new Map(),
    warnings: [],
  });

  return evaluated?.view.health;
}

/** What the checks find of an account. */
const foundOf = (of: AccountSubject) => evaluate(ACCOUNT_CHECKS, of, of.account.id, rules());
/** The same in the newest report, which has known it for a week. */
const reportedOf = (of: AccountSubject) => foundOf(of).map((one) => ({ ...one, since: LAST_WEEK }));

const DISABLED = key({ versions: { value: [version(100, { enabled: false }), version(10, { enabled: false })] } });
const REVOKED = key({ versions: { value: [revoked(100), revoked(10)] } });
const GONE = key({ state: 'gone', versions: { value: [] } });
const withoutRole = subject({ access: lacks('IdentityWithoutRole') });

describe('the cause that the fleet names', () => {
  it.each<[string, string, AccountSubject]>([
    ['of a pinned account behind', 'Stale', subject({ use: pinned(OLD) })],
    ['of an automatic account behind', 'Stale', subject({ use: use({ current: OLD.version }) })],
    ['of a pinned scope behind', 'Stale', subject({ scopes: [scope(pinned(OLD))] })],
    ['of an automatic scope behind', 'Stale', subject({ scopes: [scope(use({ current: OLD.version }))] })],
    ['of a disabled version', 'Blocked', subject({ key: DISABLED })],
    [
      'of a disabled version of a scope',
      'Blocked',
      subject({ use: undefined, scopes: [scope(pinned(OLD), { key: DISABLED })] }),
    ],
    ['of a revoked key', 'Revoked', subject({ key: REVOKED })],
    ['of a key that does not exist', 'Blocked', subject({ key: GONE })],
    ['of a key created again', 'Blocked', subject({ use: use({ current: 'f'.repeat(32) }), lost: true })],
    ['of a vault that is not managed', 'NotManaged', subject({ key: undefined })],
  ])('The fleet names the cause that the drift check names, %s', async (_, state, of) => {
    const causes = foundOf(of).map(({ cause }) => cause.id);
    const health = await healthOf(of);

    expect(health?.state).toBe(state);
    expect(causes).toContain(health?.cause?.id);
  });
});

describe('The time since when the health of an account is so', () => {
  it('The health of an account has the time in the newest report if the report has the same cause', async () => {
    expect(await healthOf(withoutRole, reportedOf(withoutRole))).toMatchObject({ state: 'NoAccess', since: LAST_WEEK });

    const off = key({ versions: { value: [version(100, { enabled: false })] } });
    const ofScope = subject({ use: undefined, scopes: [scope(pinned(version(100)), { key: off })] });

    expect(await healthOf(ofScope, reportedOf(ofScope))).toMatchObject({ state: 'Blocked', since: LAST_WEEK });
  });

  it('The health of an account has no time if no report has it, or has it with another cause', async () => {
    const blocked = subject({ key: DISABLED });
    const another = reportedOf(blocked).map((one) => ({ ...one, cause: { ...one.cause, id: 'another' } }));

    for (const reported of [[], another]) {
      const health = await healthOf(blocked, reported);

      expect(health?.state).toBe('Blocked');
      expect(health?.since).toBeUndefined();
    }
  });

  it.each([
    ['Stale', subject({ use: pinned(OLD) }), NEW.createdOn],
    ['Revoked', subject({ key: REVOKED }), YESTERDAY],
  ])(
    'The health of an account has the time that the versions of the key show, whatever a report says: %s',
    async (state, of, since) => {
      for (const reported of [[], reportedOf(of)]) {
        expect(await healthOf(of, reported)).toMatchObject({ state, since: since.toISOString() });
      }
    },
  );

  it('The health of an account has the time in the report where the versions could not be read', async () => {
    const behind = subject({ use: pinned(OLD) });

    expect(await healthOf(behind, reportedOf(behind), false)).toMatchObject({ state: 'Stale', since: LAST_WEEK });
    expect(await healthOf(behind, [], false)).toMatchObject({ state: 'Unknown', cause: { reason: 'VaultUnreadable' } });
  });
});

it('An account shows the cause that the last check knew, where the index does not', async () => {
  const behind = subject({ use: pinned(OLD), blocked: 'ScopeLocked' });

  expect(await healthOf(behind, reportedOf(behind))).toMatchObject({
    state: 'Stale',
    cause: { about: [account().id] },
    since: NEW.createdOn.toISOString(),
  });
});

it('An account whose version Azure does not show does not count as one that lacks its key', async () => {
  const unshown = subject({ use: use({ current: undefined }) });

  expect(foundOf(unshown)).toEqual([]);
  expect(await healthOf(unshown)).toMatchObject({ state: 'Unknown', cause: { reason: 'NotChecked' } });
});
