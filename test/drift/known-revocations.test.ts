import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { findOpenRevocations, type KeyEvent, parseKeyRecord } from '../../src/drift/gather/known-revocations.ts';
import type { KnownRevocation } from '../../src/drift/report/report.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import {
  formatRevocation,
  RESTORED_TAG,
  REVOCATION_TAG,
  type RevocationName,
} from '../../src/revocation/revocation.ts';
import type { VersionReport } from '../../src/revocation/version-report.ts';
import { DAYS, KEY, key, NOW, UNREAD, version } from './checks/subjects.ts';

const REVOKER = '33333333-3333-4333-8333-333333333333';
const on = (daysAgo: number) => new Date(NOW.getTime() - daysAgo * DAYS);
const FIRST: RevocationName = { id: 'rev-1', revokedOn: on(5) };
const SECOND: RevocationName = { id: 'rev-2', revokedOn: on(3) };

function event(did: KeyEvent['did'], of: RevocationName): KeyEvent {
  const found = parseKeyRecord(entry(did, did === 'revoke' ? 'Revoked' : 'Restored', of));
  if (!found) throw new Error('The record is no event.');
  return found;
}

/** What a revocation leaves in the trail of which Key Vault answered some calls, or none. */
function incomplete(of: RevocationName, details: object): KeyEvent[] {
  const found = parseKeyRecord(entry('revoke', 'RevocationIncomplete', of, details));
  return found ? [found] : [];
}

function entry(did: KeyEvent['did'], reason: string, { id, revokedOn }: RevocationName, details = {}): AuditEntry {
  const revocation = { id, revokedOn: revokedOn.toISOString(), revokedBy: REVOKER };
  return {
    action: `key.${did}`,
    reason,
    resource: KEY.id,
    caller: { objectId: REVOKER, appId: 'app' },
    details: { ...details, revocation },
  };
}

function knownAs({ id, revokedOn }: RevocationName): KnownRevocation {
  return { key: KEY.id, id, revokedOn: revokedOn.toISOString(), revokedBy: REVOKER };
}

const reported = (recorded: boolean): VersionReport => ({
  version: bare().version,
  createdOn: bare().createdOn.toISOString(),
  before: 'Usable',
  after: 'Unknown',
  recorded,
});
const bare = (change: Partial<KeyVersion> = {}) => version(100, change);
const recorded = (of: RevocationName) => {
  const record = { ...of, revokedBy: REVOKER, version: bare().version, wasEnabled: true };
  return bare({ enabled: false, tags: { [REVOCATION_TAG]: formatRevocation(record) } });
};
const closed = ({ id, revokedOn }: RevocationName) =>
  bare({ tags: { [RESTORED_TAG]: [id, revokedOn.toISOString(), REVOKER, bare().version].join(' ') } });

/** What the check reports as lost, and what the next check knows. */
function find(before: readonly KnownRevocation[], events: readonly KeyEvent[], ...versions: readonly KeyVersion[]) {
  const subject = key({ versions: { value: versions } });
  const next = findOpenRevocations(before, events, [subject], NOW);
  return { lost: subject.lostRevocation?.id, next: next.map(({ id }) => id) };
}

describe('a revocation whose record is on no version', () => {
  it.each<[string, KnownRevocation[], KeyEvent[]]>([
    ['by its audit record', [], [event('revoke', FIRST)]],
    ['by the report of the previous check', [knownAs(FIRST)], []],
    [
      'by its audit record, though it is incomplete: Key Vault answered for a version',
      [],
      incomplete(FIRST, { carriers: [{ version: bare().version, wasEnabled: true }] }),
    ],
    [
      'by its audit record, though no call was answered: the last list shows the record',
      [],
      incomplete(FIRST, { carriers: [], versions: [reported(true)] }),
    ],
    [
      'after the restore of an older one',
      [],
      [event('restore', { ...FIRST, revokedOn: on(6) }), event('revoke', FIRST)],
    ],
  ])('A revocation whose record is on no version is found %s', (_, before, events) => {
    expect(find(before, events, bare())).toEqual({ lost: 'rev-1', next: ['rev-1'] });
  });

  it('A revocation whose record is on no version is found beside the record of an older restore, too', () => {
    expect(find([], [event('revoke', SECOND)], closed(FIRST))).toEqual({ lost: 'rev-2', next: ['rev-2'] });
  });
});

describe('a revocation that is not lost', () => {
  it('A revocation is not called lost while a version has its record, by which alone the next check finds it', () => {
    expect(find([], [], recorded(FIRST))).toEqual({ lost: undefined, next: ['rev-1'] });
    expect(find([knownAs(FIRST)], [], recorded(SECOND))).toEqual({ lost: undefined, next: ['rev-2'] });
  });

  it.each<[string, KeyEvent[], KeyVersion]>([
    ['in the audit trail, in any order', [event('restore', FIRST), event('revoke', FIRST)], bare()],
    ['in the audit trail, of a newer one', [event('revoke', FIRST), event('restore', SECOND)], bare()],
    ['in the tags', [event('revoke', FIRST)], closed(FIRST)],
  ])('A revocation is not called lost after its restore: %s', (_, events, one) => {
    expect(find([], events, one)).toEqual({ lost: undefined, next: [] });
  });

  it('A revocation that failed at every version is not called lost: no version had its record', () => {
    const failed = incomplete(FIRST, { carriers: [], versions: [reported(false)] });
    expect(find([], failed, bare())).toEqual({ lost: undefined, next: [] });
  });

  it('A revocation is not called lost if every version was created after it: it concerned another key of that name', () => {
    expect(find([knownAs(FIRST)], [], version(1))).toEqual({ lost: undefined, next: [] });
  });

  it('A revocation is not called lost if the versions could not be read, and the next check still knows it', () => {
    const subject = key({ versions: UNREAD });
    expect(findOpenRevocations([knownAs(FIRST)], [], [subject], NOW)).toEqual([knownAs(FIRST)]);
    expect(subject.lostRevocation).toBeUndefined();
  });
});
