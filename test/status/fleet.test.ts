import { expect, it } from 'vitest';
import { createFindingId } from '../../src/drift/report/finding-ids.ts';
import type { Finding } from '../../src/drift/report/report.ts';
import type { UseRow } from '../../src/index/use-row.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import type { KeyEffect } from '../../src/probe/effect.ts';
import { REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { evaluateFleet } from '../../src/status/fleet.ts';
import { groupFindings } from '../../src/status/last-check.ts';
import { type FleetReading, groupUses, listCurrentProbes } from '../../src/status/read-fleet.ts';
import { account } from '../drift/checks/subjects.ts';
import { finding, report } from '../drift/reports.ts';
import { day, KEY, keyVersion, versionName } from '../support/keys.ts';

const NOW = day(30);
const { id, location, subscriptionId } = account();
const IDENTITY = `/subscriptions/${subscriptionId}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-1`;
const USE: UseRow = {
  key: KEY.id,
  account: id,
  location,
  mode: 'automatic',
  identity: IDENTITY,
  current: versionName(2),
  readOn: NOW.toISOString(),
  state: 'done',
  at: NOW.toISOString(),
  attempts: 0,
};

/** How an account stands that the last check has looked at. */
async function health(
  change: { use?: UseRow | undefined; versions?: KeyVersion[]; findings?: Finding[]; effect?: KeyEffect } = {},
) {
  const { use, versions = [keyVersion(1), keyVersion(2)], findings = [], effect } = { use: USE, ...change };
  const whole = report({ startedOn: NOW.toISOString() });
  const covered = { id: subscriptionId, accounts: 1, scopesLookedAt: 1, complete: true };
  const reading: FleetReading = {
    readOn: NOW,
    unlisted: 0,
    listings: new Map([[subscriptionId, NOW]]),
    accounts: [{ account: id, location, key: KEY.id, writtenOn: NOW.toISOString(), scopeKeys: [] }],
    uses: groupUses(use ? [use] : []),
    keys: new Map([[KEY.id.toLowerCase(), { key: KEY, versions, probes: listCurrentProbes(effect, versions, NOW) }]]),
    report: { ...whole, coverage: { ...whole.coverage, subscriptions: [covered] } },
    findings: groupFindings(findings),
    lastSeen: new Map([[account().name.toLowerCase(), { key: KEY.id, version: undefined, lastSeen: NOW }]]),
    warnings: [],
  };

  const [evaluated] = await evaluateFleet(reading);

  return evaluated?.view.health;
}
const revoked = (n: number) =>
  keyVersion(n, {
    enabled: false,
    tags: { [REVOCATION_TAG]: `rev-1 ${day(20).toISOString()} 33333333-3333-3333-3333-333333333333 ${versionName(n)}` },
  });
const unread = (resource: string, what: string) =>
  finding({ id: createFindingId('Unreadable', resource, what), reason: 'Unreadable', resource });

it('An account is Serving without findings', async () => {
  expect(await health()).toEqual({ state: 'Serving' });
});

it('An account is Blocked when its key was created again and lacks its version', async () => {
  const lost = { ...USE, current: versionName(9) };
  expect(await health({ use: lost })).toMatchObject({ state: 'Blocked', cause: { reason: 'KeyDeleted' } });
});

it('An account is not Blocked by what a revocation was seen to do once its key is restored', async () => {
  const since = day(20).toISOString();
  const checkedOn = NOW.toISOString();
  const accounts = [{ account: id, service: 'file', state: 'blocked', since, checkedOn }] as const;
  const effect = { key: KEY.id, complete: true, accounts: [...accounts] };
  expect(await health({ effect: { ...effect, change: { expect: 'blocked', since } } })).toEqual({ state: 'Serving' });
  const refuses = await health({ effect: { ...effect, change: { expect: 'open', since } } });
  expect(refuses).toMatchObject({ state: 'Blocked', cause: { reason: 'FileServiceRefuses' } });
});

it('An account is not Serving when the index lacks its use', async () => {
  expect(await health({ use: undefined })).toMatchObject({ state: 'Unknown', cause: { reason: 'NotChecked' } });
  expect(await health({ use: undefined, versions: [revoked(1), revoked(2)] })).toMatchObject({ state: 'Revoked' });
});

it.each([
  [IDENTITY, 'the identity'],
  [`/subscriptions/${subscriptionId}`, 'the user-assigned identities of the subscription'],
])('An account is Unknown when its identity may be deleted: of %s could not be read %s', async (resource, what) => {
  expect(await health({ findings: [unread(resource, what)] })).toMatchObject({
    state: 'Unknown',
    cause: { reason: 'Unreadable' },
  });
  const another = { ...USE, identity: undefined };
  expect(await health({ use: another, findings: [unread(resource, what)] })).toEqual({ state: 'Serving' });
});
