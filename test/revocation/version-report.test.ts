import { describe, expect, it } from 'vitest';
import type { Failure } from '../../src/azure/failure.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import type { AppliedChange } from '../../src/revocation/apply-changes.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { reportVersions, unrecorded } from '../../src/revocation/version-report.ts';
import { day, keyVersion, versionName } from '../support/keys.ts';

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
  const revocation = {
    id: 'f00d',
    revokedOn: day(90),
    revokedBy: 'a11ce000-0000-4000-8000-000000000001',
    version: versionName(n),
    wasEnabled: true,
  };
  return { [REVOCATION_TAG]: formatRevocation(revocation) };
}

function applied(version: KeyVersion, answer: KeyVersion | undefined, failure?: Failure): AppliedChange {
  return { change: { version, enabled: false, tags: undefined }, answer, failure, written: true };
}

describe('reportVersions', () => {
  it.each<[string, AppliedChange[], KeyVersion[] | undefined, { before: string; after: string; recorded: boolean }]>([
    [
      'the last read, where there is one',
      [applied(on, off)],
      [off],
      { before: 'Usable', after: 'Disabled', recorded: true },
    ],
    [
      'the last read against the answer: someone enabled it in between',
      [applied(on, off)],
      [on],
      { before: 'Usable', after: 'Usable', recorded: false },
    ],
    [
      'the last read against a failure: the change took effect, its answer was lost',
      [applied(on, undefined, throttled)],
      [off],
      { before: 'Usable', after: 'Disabled', recorded: true },
    ],
    [
      'the answer, without a last read',
      [applied(on, off)],
      undefined,
      { before: 'Usable', after: 'Disabled', recorded: true },
    ],
    [
      'Unknown, without an answer and a last read',
      [applied(on, undefined, throttled)],
      undefined,
      { before: 'Usable', after: 'Unknown', recorded: false },
    ],
    [
      'the first read, for a version that was not touched',
      [],
      undefined,
      { before: 'Usable', after: 'Usable', recorded: false },
    ],
    ['Unknown, for a version that is gone', [], [], { before: 'Usable', after: 'Unknown', recorded: false }],
  ])('says what is proved: %s', (_, changes, proof, expected) => {
    const [report] = reportVersions([on], changes, proof, NOW);
    expect(report).toMatchObject({ version: on.version, ...expected });
  });

  it('says what went wrong with a version', () => {
    const [report] = reportVersions([on], [applied(on, undefined, throttled)], [on], NOW);
    expect(report?.error).toBe('429 Throttled: Too many requests.');
  });

  it('has versions that appeared between the first read and the last, and shows the newest first', () => {
    const later = keyVersion(3);
    const reports = reportVersions([on], [applied(on, off)], [off, later], NOW);
    expect(reports.map(({ version, before, after }) => ({ version, before, after }))).toEqual([
      { version: later.version, before: 'Unknown', after: 'Usable' },
      { version: on.version, before: 'Usable', after: 'Disabled' },
    ]);
  });

  it.each([
    ['Expired', keyVersion(1, { expiresOn: day(2) })],
    ['NotYetActive', keyVersion(1, { notBefore: day(200) })],
    ['Disabled', keyVersion(1, { enabled: false, expiresOn: day(2) })],
  ])('calls a version %s by the time of the call', (state, version) => {
    expect(reportVersions([version], [], [version], NOW)[0]).toMatchObject({ before: state, after: state });
  });
});

describe('unrecorded', () => {
  it('names the versions that were disabled without the record, and no other', () => {
    const bare = keyVersion(2, { enabled: false });
    const changes = [applied(on, off), applied(keyVersion(2), bare), applied(keyVersion(3), undefined, throttled)];
    expect(unrecorded(changes, NOW)).toEqual([bare.version]);
  });

  it('takes a record that a rotation copied onto a version for none', () => {
    const copied = keyVersion(2, { enabled: false, tags: tagged(1) });
    expect(unrecorded([applied(keyVersion(2), copied)], NOW)).toEqual([copied.version]);
  });
});
