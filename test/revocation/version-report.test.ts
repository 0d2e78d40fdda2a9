import { describe, expect, it } from 'vitest';
import type { Failure } from '../../src/azure/failure.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import type { AppliedChange } from '../../src/revocation/apply-changes.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { listUnrecorded, reportVersions } from '../../src/revocation/version-report.ts';
import { day, keyVersion, versionName } from '../support/keys.ts';
import { stamp } from './records.ts';

const NOW = day(100);
const throttled: Failure = {
  kind: 'throttled',
  status: 429,
  code: 'Throttled',
  message: 'Too many requests.',
  retryAfterSeconds: 1,
};

const on = keyVersion(1);
const off: KeyVersion = { ...on, enabled: false, tags: tagged(1) };

function tagged(n: number): Record<string, string> {
  const revoked = { ...stamp, version: versionName(n), wasEnabled: true };
  return { [REVOCATION_TAG]: formatRevocation(revoked) };
}

function applied(version: KeyVersion, answer: KeyVersion | undefined, failure?: Failure): AppliedChange {
  return { change: { version, enabled: false, tags: undefined }, answer, failure, written: true };
}

describe('reportVersions', () => {
  it.each<[string, AppliedChange[], KeyVersion[] | undefined, string, boolean]>([
    ['the last read, where there is one', [applied(on, off)], [off], 'Disabled', true],
    ['the last read against the answer: a caller enabled it since', [applied(on, off)], [on], 'Usable', false],
    [
      'the last read against a failure: its answer was lost',
      [applied(on, undefined, throttled)],
      [off],
      'Disabled',
      true,
    ],
    ['the answer, without a last read', [applied(on, off)], undefined, 'Disabled', true],
    ['Unknown, without answer and last read', [applied(on, undefined, throttled)], undefined, 'Unknown', false],
    ['the first read, for a version that was not touched', [], undefined, 'Usable', false],
    ['Unknown, for a version that is gone', [], [], 'Unknown', false],
  ])('The report of a version shows what is proved: %s', (_, changes, proof, after, recorded) => {
    const [report] = reportVersions([on], changes, proof, NOW);
    expect(report).toMatchObject({ version: on.version, before: 'Usable', after, recorded });
  });

  it('The report of a version shows the error of its write', () => {
    const [report] = reportVersions([on], [applied(on, undefined, throttled)], [on], NOW);
    expect(report?.error).toBe('429 Throttled: Too many requests.');
  });

  it('The report includes versions that appeared between the first read and the last, the newest first', () => {
    const later = keyVersion(3);
    const reports = reportVersions([on], [applied(on, off)], [off, later], NOW);
    expect(reports.map(({ version, before, after }) => ({ version, before, after }))).toEqual([
      { version: later.version, before: 'Unknown', after: 'Usable' },
      { version: on.version, before: 'Usable', after: 'Disabled' },
    ]);
  });
});

describe('unrecorded', () => {
  it('listUnrecorded returns only the versions that were disabled without the revocation record', () => {
    const bare = keyVersion(2, { enabled: false });
    const changes = [applied(on, off), applied(keyVersion(2), bare), applied(keyVersion(3), undefined, throttled)];
    expect(listUnrecorded(changes, NOW)).toEqual([bare.version]);
  });

  it('listUnrecorded ignores a record that a rotation copied onto a version', () => {
    const copied = keyVersion(2, { enabled: false, tags: tagged(1) });
    expect(listUnrecorded([applied(keyVersion(2), copied)], NOW)).toEqual([copied.version]);
  });
});
