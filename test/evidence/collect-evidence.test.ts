import { expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { collectEvidence } from '../../src/evidence/collect-evidence.ts';
import type { KeyEvidence } from '../../src/evidence/key-evidence.ts';
import { accountId, finished, KEY, moved, NEW, OLD, RESTORER, REVOKER, restored, revoked, rotated } from './entries.ts';
import { PeriodTrail } from './period-trail.ts';

const NOVEMBER = { since: new Date('2026-11-01T00:00:00Z'), until: new Date('2026-12-01T00:00:00Z') };

async function collect(records: readonly (readonly [time: string, entry: AuditEntry])[]) {
  const trail = new PeriodTrail();
  for (const [time, entry] of records) trail.append(time, entry);
  return collectEvidence(trail.files, NOVEMBER);
}

async function keyOf(records: readonly (readonly [time: string, entry: AuditEntry])[]): Promise<KeyEvidence> {
  const found = (await collect(records)).keys.get(KEY);
  if (!found) throw new Error('The trail has no fact of the key.');
  return found;
}

it('A version has who made it, its moves and the end of its rotation', async () => {
  const { versions } = await keyOf([
    ['2026-11-02T10:00:00Z', rotated(OLD, NEW, { expiresOn: '2028-11-02T10:00:00Z' })],
    ['2026-11-02T10:00:01Z', moved('stone', NEW)],
    ['2026-11-02T10:00:02Z', moved('stone', NEW, { details: { scope: 'scope-a' } })],
    ['2026-11-02T10:00:03Z', moved('sttwo', NEW, { reason: 'Refreshed' })],
    ['2026-11-02T10:00:04Z', finished(NEW, '2026-11-02T10:00:00.000Z', '2026-11-02T10:00:03.000Z', 3)],
  ]);
  const version = versions.get(NEW);

  expect(version?.made).toMatchObject({ from: OLD, expiresOn: '2028-11-02T10:00:00Z', proof: { seq: 1 } });
  expect(version?.made?.by).toBeUndefined();
  expect(version?.moves).toEqual([
    { reason: 'Moved', account: accountId('stone').toLowerCase(), on: '2026-11-02T10:00:01.000Z' },
    { reason: 'Moved', account: accountId('stone').toLowerCase(), scope: 'scope-a', on: '2026-11-02T10:00:02.000Z' },
    { reason: 'Refreshed', account: accountId('sttwo').toLowerCase(), on: '2026-11-02T10:00:03.000Z' },
  ]);
  expect(version?.rotation).toMatchObject({ reason: 'RotationFinished', moved: 3, waiting: 0, proof: { seq: 5 } });
});

it('A version that an operator made at the command line counts for its key, with the reason', async () => {
  const details = { command: 'key rotate', why: 'yearly', from: OLD, to: NEW, text: 'key files-key rotated' };
  const entry = { action: 'key.rotate', reason: 'OperatorChanged', resource: KEY, caller: REVOKER, details };
  const { versions } = await keyOf([['2026-11-02T10:00:00Z', entry]]);
  expect(versions.get(NEW)?.made).toMatchObject({ from: OLD, by: REVOKER, why: 'yearly' });
});

it('A rotation that only began made no version', async () => {
  const begun = { ...rotated(OLD, NEW), reason: 'RotationBegun' };
  const { keys, others } = await collect([['2026-11-02T10:00:00Z', begun]]);
  expect(keys.size).toBe(0);
  expect([...others]).toEqual([['key.rotate RotationBegun', 1]]);
});

it('A repeated record counts once, and a record from storage never replaces one from the call', async () => {
  const late = moved('stone', NEW, { details: { foundIn: 'cmkfleet' } });
  const { versions } = await keyOf([
    ['2026-11-02T10:00:00Z', late],
    ['2026-11-02T10:00:01Z', moved('stone', NEW)],
    ['2026-11-02T10:00:02Z', moved('stone', NEW)],
    ['2026-11-02T10:00:03Z', late],
    ['2026-11-02T10:00:04Z', moved('sttwo', NEW, { details: { foundIn: 'cmkfleet' } })],
  ]);
  expect(versions.get(NEW)?.moves.map(({ on }) => on)).toEqual([
    '2026-11-02T10:00:01.000Z',
    '2026-11-02T10:00:04.000Z',
  ]);
});

it('A move that was only observed has the time of Azure, not of its record', async () => {
  const details = { foundIn: 'cmkfleet', movedOn: '2026-11-02T04:00:00.000Z' };
  const { versions } = await keyOf([
    ['2026-11-02T10:00:00Z', moved('stone', NEW, { reason: 'PickUpObserved', details })],
  ]);
  expect(versions.get(NEW)?.moves).toMatchObject([{ reason: 'PickUpObserved', on: details.movedOn }]);
});

it('A re-key counts for the key of the new version', async () => {
  const other = 'https://kv-files.vault.azure.net/keys/archive-key';
  const rekeyed = moved('stone', NEW, {
    action: 'account.rekey',
    reason: 'Rekeyed',
    details: { to: `${other}/${NEW}` },
  });
  const { keys } = await collect([['2026-11-02T10:00:00Z', rekeyed]]);
  expect([...keys.keys()]).toEqual([other]);
});

it('A revocation and its restore have both persons, reason, ticket and proof, and the versions that they changed', async () => {
  const { revocations, restores, versions } = await keyOf([
    ['2026-11-02T10:00:00Z', revoked('RevocationIncomplete')],
    ['2026-11-02T10:00:10Z', revoked('Revoked', 'again')],
    ['2026-11-02T11:00:00Z', restored()],
  ]);

  const reasons = { why: 'Key leaked', ticket: 'INC-1' };
  expect(revocations).toMatchObject([
    { id: 'rev-1', isComplete: true, disabled: 1, elapsedMs: 850, by: REVOKER, ...reasons, proof: { seq: 2 } },
  ]);
  expect(restores).toMatchObject([
    { revocation: 'rev-1', isComplete: true, enabled: 1, by: RESTORER, why: 'False alarm', proof: { seq: 3 } },
  ]);
  expect(versions.get(OLD)).toBeUndefined();
  expect(versions.get(NEW)?.changes.map(({ did }) => did)).toEqual(['revoked', 'revoked', 'restored']);
});

it('Retired, kept revoked and operator changes stand at their version, oldest first', async () => {
  const version = `${KEY}/${OLD}`;
  const about = { resource: KEY, details: { version, why: ['the log shows a use'] } };
  const { versions } = await keyOf([
    ['2026-11-02T10:00:00Z', { action: 'key.retire', reason: 'VersionRetired', ...about }],
    ['2026-11-03T10:00:00Z', { action: 'key.unretire', reason: 'VersionTakenBack', caller: REVOKER, ...about }],
    ['2026-11-04T10:00:00Z', { action: 'version.disable', reason: 'OperatorChanged', resource: version }],
    [
      '2026-11-05T10:00:00Z',
      { action: 'key.keepRevoked', reason: 'KeptRevoked', resource: KEY, details: { version: OLD, revocation: 'r' } },
    ],
  ]);
  expect(versions.get(OLD)?.changes.map(({ did, by }) => [did, by?.name])).toEqual([
    ['retired', undefined],
    ['unretired', 'Rita Revoker'],
    ['disabled', undefined],
    ['keptRevoked', undefined],
  ]);
});

it('A drill has its steps and whether it passed', async () => {
  const steps = [{ step: 'revoke', passed: true, provenAfter: 3.5, detail: 'the share refused' }];
  const details = { endedOn: '2026-11-02T10:00:00.000Z', steps, why: 'quarterly' };
  const entry = { id: 'drill.run/1', action: 'drill.run', reason: 'DrillPassed', resource: KEY, details };
  const { drills } = await keyOf([['2026-11-02T10:00:01Z', entry]]);
  expect(drills).toMatchObject([{ passed: true, endedOn: details.endedOn, steps, why: 'quarterly' }]);
});

it('Records outside of the period are no facts, and the rest of the trail is verified all the same', async () => {
  const { keys, records, others, trail } = await collect([
    ['2026-10-31T23:59:59Z', moved('stone', NEW)],
    ['2026-11-01T00:00:00Z', { action: 'fleet.pause', reason: 'Paused', resource: 'cmk-autopilot/keys' }],
    ['2026-12-01T00:00:00Z', moved('sttwo', NEW)],
  ]);
  expect(keys.size).toBe(0);
  expect(records).toBe(1);
  expect([...others]).toEqual([['fleet.pause Paused', 1]]);
  expect(trail).toMatchObject({ findings: [], records: 5, last: { seq: 5 } });
});

it('A record that was changed after it was written is no fact, and the verification finds it', async () => {
  const trail = new PeriodTrail();
  trail.append('2026-11-02T10:00:00Z', moved('stone', NEW));
  trail.append('2026-11-02T10:00:01Z', moved('sttwo', NEW));
  trail.tamper('2026-11-02.jsonl', (text) => text.replace('storageAccounts/stone', 'storageAccounts/stxyz'));

  const { keys, trail: report } = await collectEvidence(trail.files, NOVEMBER);
  expect(
    keys
      .get(KEY)
      ?.versions.get(NEW)
      ?.moves.map(({ account }) => account),
  ).toEqual([accountId('sttwo').toLowerCase()]);
  expect(report.findings.map(({ reason }) => reason)).toEqual(['LineChanged']);
});

it('A read that is aborted ends with the reason of the signal', async () => {
  const trail = new PeriodTrail();
  trail.append('2026-11-02T10:00:00Z', moved('stone', NEW));
  const read = collectEvidence(trail.files, NOVEMBER, AbortSignal.abort(new Error('too late')));
  await expect(read).rejects.toThrow('too late');
});
