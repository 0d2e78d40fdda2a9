import { describe, expect, it } from 'vitest';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import {
  formatRevocation,
  isNewer,
  isRevoker,
  MAX_TAGS,
  openRevocation,
  parseRevocation,
  RESTORED_TAG,
  REVOCATION_TAG,
  type RevocationStamp,
  readRevocation,
  revocationOf,
  stampAfter,
} from '../../src/revocation/revocation.ts';
import { isByHand, planKeepRevoked, planRevocation } from '../../src/revocation/revocation-plans.ts';
import { shortOf } from '../../src/revocation/revokers.ts';
import { day, keyVersion, versionName } from '../support/keys.ts';
import {
  ALICE,
  BOB,
  CAROL,
  changed,
  fullOfTags,
  later,
  NOON,
  NOW,
  record,
  restored,
  revoked,
  stamp,
} from './records.ts';

describe('the record of a revocation', () => {
  it.each([
    { wasEnabled: true, restoringBy: undefined },
    { wasEnabled: false, restoringBy: undefined },
    { wasEnabled: true, restoringBy: BOB },
    { wasEnabled: false, restoringBy: BOB },
  ])('A revocation record is parsed as it was written, and fits into a tag: %o', (words) => {
    const revocation = { ...stamp, id: 'f'.repeat(64), version: versionName(1), ...words };
    const text = formatRevocation(revocation);
    expect(parseRevocation(text)).toEqual(revocation);
    expect(text.length).toBeLessThanOrEqual(256);
  });

  const good = formatRevocation({ ...stamp, version: versionName(1), wasEnabled: true });

  it.each([
    ['is empty', ''],
    ['lacks the version', `f00d ${NOON.toISOString()} ${ALICE}`],
    ['has text behind the version', `${good} more`],
    ['has text behind the restorer', `${good} restoring ${BOB} more`],
    ['lacks the restorer', `${good} restoring`],
    ["has a name in place of the restorer's object id", `${good} off restoring bob`],
    ['has its words in another order', `${good} restoring ${BOB} off`],
    ['has a word in place of the time', `f00d yesterday ${ALICE} ${versionName(1)}`],
    ['has a time in another form', `f00d 2026-01-20 ${ALICE} ${versionName(1)}`],
    ['has a malformed id', `f/00d ${NOON.toISOString()} ${ALICE} ${versionName(1)}`],
    ['has an empty part', `f00d  ${ALICE} ${versionName(1)}`],
    ['names a person by no object id', `f00d ${NOON.toISOString()} alice ${versionName(1)}`],
    ['is a person’s own text', 'do not use'],
  ])('A revocation record is invalid, and reported, when it %s', (_, tag) => {
    const version = keyVersion(1, { enabled: false, tags: { [REVOCATION_TAG]: tag } });
    expect(parseRevocation(tag)).toBeUndefined();
    expect(readRevocation([version], NOW)).toMatchObject({ open: undefined, unbelieved: [version.version] });
    expect(revocationOf(version, NOW)).toBeUndefined();
  });

  it.each([
    ['a minute from now', 60_000, true],
    ['six minutes from now, within the tolerance of clocks', 6 * 60_000, true],
    ['a moment later than that', 6 * 60_000 + 1, false],
    ['at the end of time', Date.UTC(9999, 0, 1) - NOW.getTime(), false],
  ])('A revocation record is valid only within the tolerance of clocks: %s', (_, ms, believed) => {
    const revokedOn = new Date(NOW.getTime() + ms);
    const version = revoked(1, { tags: record(1, { revokedOn }) });
    expect(openRevocation([version], NOW) !== undefined).toBe(believed);
    expect(readRevocation([version], NOW).unbelieved).toEqual(believed ? [] : [version.version]);
  });

  it('A revocation record applies to the version that it names, and to no version onto which a rotation copied it', () => {
    const copy = keyVersion(21, { tags: { ...record(20), ...restored(20) } });
    expect(revocationOf(revoked(20), NOW)).toMatchObject({ id: 'f00d', version: versionName(20) });
    expect(revocationOf(copy, NOW)).toBeUndefined();
    expect(readRevocation([copy], NOW)).toMatchObject({ open: undefined, restored: undefined, unbelieved: [] });
  });

  it('A record that a rotation copied is not reported as invalid, whatever its time', () => {
    const tags = record(20, { revokedOn: day(300) });
    expect(readRevocation([keyVersion(21, { tags })], NOW).unbelieved).toEqual([]);
  });

  it('The open revocation is the newest of several', () => {
    const versions = [revoked(1, { tags: record(1, later) }), revoked(2), revoked(3)];
    expect(openRevocation(versions, NOW)?.id).toBe('beef');
    expect(openRevocation(versions.reverse(), NOW)?.id).toBe('beef');
  });

  it('A restorer counts only in the record of the open revocation', () => {
    const marked = revoked(1, { tags: record(1, { restoringBy: BOB }) });
    expect(readRevocation([marked, revoked(2)], NOW).restoringBy).toBe(BOB);
    expect(readRevocation([marked, revoked(2, { tags: record(2, later) })], NOW).restoringBy).toBeUndefined();
  });
});

describe('the tombstone of a restore', () => {
  it('A tombstone closes every record that is not newer, and no other', () => {
    const closed = keyVersion(1, { tags: restored(1, later) });
    expect(openRevocation([closed, revoked(2)], NOW)).toBeUndefined();
    expect(openRevocation([keyVersion(1, { tags: restored(1) }), revoked(2)], NOW)).toBeUndefined();
    expect(
      openRevocation([keyVersion(1, { tags: restored(1) }), revoked(2, { tags: record(2, later) })], NOW)?.id,
    ).toBe('beef');
  });

  it('The tombstone of the newest revocation counts if there are several', () => {
    const versions = [keyVersion(1, { tags: restored(1, later) }), keyVersion(2, { tags: restored(2) })];
    expect(readRevocation(versions, NOW).restored?.id).toBe('beef');
    expect(readRevocation(versions.reverse(), NOW).restored).toMatchObject({ id: 'beef', restoredBy: BOB });
  });

  it.each([
    ['is from the future', { revokedOn: day(300) }],
    ['has a malformed id', { id: 'a' }],
    ['names no object id', { restoredBy: 'bob' }],
    ['has text behind the version', { version: `${versionName(1)} more` }],
    ['names another version', { version: versionName(9) }],
    ['has no time', { time: 'noon' }],
  ])('A tombstone closes nothing when it %s', (_, change) => {
    const version = keyVersion(1, { tags: restored(1, change) });
    expect(openRevocation([version, revoked(2)], NOW)?.id).toBe('f00d');
  });
});

describe('a revoker', () => {
  it('Each caller of an open revocation is a revoker, whatever the case of the object id', () => {
    const versions = [
      revoked(1, { tags: record(1, { revokedBy: ALICE.toUpperCase() }) }),
      revoked(2),
      revoked(3, { tags: record(3, { ...later, revokedBy: BOB }) }),
      keyVersion(4),
    ];
    expect([ALICE, BOB.toUpperCase(), CAROL].map((one) => isRevoker(versions, one, NOW))).toEqual([true, true, false]);
  });

  it('A caller whose revocation was restored is no revoker', () => {
    const versions = [revoked(1), revoked(2, { tags: record(2, { ...later, revokedBy: CAROL }) })];
    const after = [...versions, keyVersion(3, { tags: restored(3) })];
    expect([ALICE, CAROL].map((one) => isRevoker(after, one, NOW))).toEqual([false, true]);
  });
});

describe('isNewer', () => {
  it.each([
    ['a later time', { ...stamp, revokedOn: later.revokedOn }, stamp, true],
    ['an earlier time', stamp, { ...stamp, revokedOn: later.revokedOn }, false],
    ['the same time, by the id', { ...stamp, id: 'f00e' }, stamp, true],
    ['the same time, by the id in the other order', stamp, { ...stamp, id: 'f00e' }, false],
    ['itself', stamp, stamp, false],
  ])('isNewer compares two revocations by %s', (_, a, b, newer) => expect(isNewer(a, b)).toBe(newer));
});

describe('stampAfter', () => {
  it.each<[string, KeyVersion[], number]>([
    ['a version without a record', [keyVersion(1)], 0],
    ['an older record', [revoked(1, { tags: record(1, { id: 'older', revokedOn: day(19) }) })], 0],
    ['its own record', [revoked(1, { tags: record(1, { revokedOn: later.revokedOn }) })], 0],
    ['a record of the same time', [revoked(1, { tags: record(1, { id: 'other' }) })], 1],
    ['a newer record', [revoked(1, { tags: record(1, later) })], later.revokedOn.getTime() - NOON.getTime() + 1],
    ['a restored one', [keyVersion(1, { tags: restored(1, later) })], later.revokedOn.getTime() - NOON.getTime() + 1],
    ['an invalid one', [revoked(1, { tags: record(1, { id: 'fake', revokedOn: day(300) }) })], 0],
  ])('stampAfter makes a revocation newer than %s', (_, versions, ms) => {
    expect(stampAfter(stamp, versions, NOW)).toEqual({ ...stamp, revokedOn: new Date(NOON.getTime() + ms) });
  });

  it('stampAfter stays valid after a record that is as far in the future as clocks may differ', () => {
    const ahead = { id: 'ahead', revokedOn: new Date(NOW.getTime() + 5 * 60_000) };
    const after = stampAfter({ ...stamp, revokedOn: NOW }, [revoked(1, { tags: record(1, ahead) })], NOW);
    const tags = record(2, after);
    expect(openRevocation([revoked(1, { tags: record(1, ahead) }), revoked(2, { tags })], NOW)?.id).toBe(stamp.id);
  });
});

describe('planRevocation', () => {
  it('A revocation disables every enabled version, usable or not, the newest first', () => {
    const expired = keyVersion(2, { expiresOn: day(3) });
    const notYet = keyVersion(9, { notBefore: day(300) });
    const plan = planRevocation([keyVersion(1), expired, keyVersion(3, { enabled: false }), notYet], stamp, NOW);
    expect(changed(plan)).toEqual([9, 2, 1]);
    expect(plan.every(({ enabled }) => enabled === false)).toBe(true);
  });

  it('A revocation keeps the other tags of a version', () => {
    const [change] = planRevocation([keyVersion(1, { tags: { owner: 'files' } })], stamp, NOW);
    expect(change?.tags).toEqual({ owner: 'files', ...record(1) });
  });

  it('A revocation disables a version without a free tag, and does not change its tags', () => {
    const [change] = planRevocation([keyVersion(1, { tags: fullOfTags() })], stamp, NOW);
    expect(change).toMatchObject({ enabled: false, tags: undefined });
  });

  it.each([
    ['copied by a rotation', record(7)],
    ['malformed', { [REVOCATION_TAG]: 'do not use' }],
    ['a tombstone', restored(1)],
  ])('A revocation replaces a record that is %s, even without a free tag', (_, tag) => {
    const { 'tag-0': _one, ...fourteen } = fullOfTags();
    const [change] = planRevocation([keyVersion(1, { tags: { ...fourteen, ...tag } })], stamp, NOW);
    expect(change?.tags).toEqual({ ...fourteen, ...record(1) });
  });

  it('A revocation adds to its record the callers of the record that it replaces', () => {
    const [change] = planRevocation([keyVersion(1, { tags: record(1, { revokedBy: BOB }) })], stamp, NOW);
    expect(change?.tags).toEqual(record(1, { joined: [shortOf(BOB)] }));
  });

  it.each<[string, KeyVersion, KeyVersion[]]>([
    ['that a rotation copied from another version', keyVersion(1, { tags: record(2, { revokedBy: BOB }) }), []],
    [
      'that a restore closed, as another version shows',
      revoked(1, { tags: record(1, { revokedBy: BOB, revokedOn: day(1) }) }),
      [keyVersion(2, { enabled: false, tags: restored(2, { revokedOn: day(2) }) })],
    ],
  ])('A revocation adds no caller from a record %s', (_, version, others) => {
    const [change] = planRevocation([version, ...others], stamp, NOW);
    expect(change?.tags).toEqual(record(1));
  });

  const joined = { ...later, revokedBy: BOB, joined: [shortOf(ALICE)] };

  it('A revocation replaces an older record, and keeps whether the version was enabled before', () => {
    const versions = [revoked(1), revoked(2, { tags: record(2, { wasEnabled: false }) })];
    expect(
      planRevocation(versions, { ...stamp, ...joined }, NOW).map(({ enabled, tags }) => ({ enabled, tags })),
    ).toEqual([
      { enabled: undefined, tags: record(2, { ...joined, wasEnabled: false }) },
      { enabled: undefined, tags: record(1, joined) },
    ]);
  });

  it('A revocation replaces a record that is being restored, so that the restore detects it', () => {
    const [change] = planRevocation(
      [revoked(1, { tags: record(1, { restoringBy: CAROL }) })],
      { ...stamp, ...joined },
      NOW,
    );
    expect(change?.tags).toEqual(record(1, joined));
  });

  it('A revocation does not change a newer record, its own, or a disabled version without one', () => {
    const versions = [revoked(1, { tags: record(1, joined) }), revoked(2), keyVersion(3, { enabled: false })];
    expect(planRevocation(versions, stamp, NOW)).toEqual([]);
  });

  it('A revocation writes no record on a version that a person disabled right before', () => {
    const [change] = planRevocation([keyVersion(1, { tags: { owner: 'files' } })], stamp, NOW);
    expect(change?.again?.(keyVersion(1, { enabled: false }))).toEqual({});
    expect(change?.again?.(revoked(1, { tags: record(1, { id: 'older', revokedOn: day(1) }) }))).toEqual({
      tags: record(1),
    });
    expect(change?.again?.(keyVersion(1, { tags: { owner: 'mail' } }))).toEqual({
      enabled: false,
      tags: { owner: 'mail', ...record(1) },
    });
  });

  it('A revocation of a key without versions plans nothing', () => expect(planRevocation([], stamp, NOW)).toEqual([]));
});

describe('planKeepRevoked', () => {
  const made = (ms: number) => keyVersion(21, { createdOn: new Date(NOON.getTime() + ms) });
  const at = (ms: number) => new Date(NOON.getTime() + ms);

  it('planKeepRevoked plans nothing without an open revocation', () => {
    expect(planKeepRevoked([keyVersion(1), keyVersion(30, { tags: record(1) })], NOW)).toEqual([]);
    expect(planKeepRevoked([keyVersion(1, { tags: restored(1) }), revoked(2), keyVersion(30)], NOW)).toEqual([]);
  });

  it('planKeepRevoked plans nothing while a caller restores the key', () => {
    const marked = revoked(20, { tags: record(20, { restoringBy: BOB }) });
    expect(planKeepRevoked([marked, keyVersion(21)], NOW, { alsoLate: true })).toEqual([]);
  });

  it.each<[string, KeyVersion, number[], number[]]>([
    ['created later', keyVersion(21), [21], [21]],
    ['created later, with a record that the rotation copied', keyVersion(21, { tags: record(20) }), [21], [21]],
    ['created in the same second', made(0), [21], [21]],
    ['created later and disabled already', keyVersion(21, { enabled: false }), [], []],
    ['that looks older by less than the tolerance of clocks', made(-4 * 60_000), [21], [21]],
    ['that is older, and was never changed', keyVersion(3), [3], [3]],
    ['that is older, enabled ten minutes after', keyVersion(3, { updatedOn: at(10 * 60_000) }), [3], [3]],
    ['that is older, enabled by hand after that', keyVersion(3, { updatedOn: at(10 * 60_000 + 1) }), [], []],
    ['with the record, enabled within ten minutes', revoked(3, { enabled: true, updatedOn: at(60_000) }), [], [3]],
    ['with the record, enabled by hand later', revoked(3, { enabled: true, updatedOn: at(11 * 60_000) }), [], []],
    [
      'with another, older record',
      revoked(3, { enabled: true, tags: record(3, { id: 'older', revokedOn: day(2) }) }),
      [3],
      [3],
    ],
  ])('While a key is revoked, planKeepRevoked decides about a version %s', (_, version, ordinary, late) => {
    expect(changed(planKeepRevoked([revoked(20), version], NOW))).toEqual(ordinary);
    expect(changed(planKeepRevoked([revoked(20), version], NOW, { alsoLate: true }))).toEqual(late);
  });

  it('planKeepRevoked spares a version that was restored since it was listed, but not one with an older tombstone', () => {
    const [change] = planKeepRevoked([revoked(20), keyVersion(21)], NOW);
    expect(change?.again?.(keyVersion(21))).toMatchObject({ enabled: false, tags: record(21) });
    expect(change?.again?.(keyVersion(21, { tags: restored(21) }))).toEqual({});
    const older = restored(21, { id: 'older', revokedOn: day(2) });
    expect(change?.again?.(keyVersion(21, { tags: older }))).toMatchObject({ enabled: false });
  });

  it('planKeepRevoked records the open revocation and its caller on what it disables', () => {
    const [change] = planKeepRevoked([revoked(20), keyVersion(21)], NOW);
    expect(change).toMatchObject({ enabled: false, tags: record(21) });
  });

  it('planKeepRevoked uses the newest revocation', () => {
    const [change] = planKeepRevoked([revoked(19), revoked(20, { tags: record(20, later) }), keyVersion(21)], NOW);
    expect(change?.tags).toEqual(record(21, later));
  });
});

describe('isByHand', () => {
  it('A version counts as changed by hand only if it is older than the revocation and has a time of change', () => {
    expect(isByHand(keyVersion(1), stamp)).toBe(false);
    expect(isByHand(keyVersion(21, { updatedOn: day(40) }), stamp)).toBe(false);
    expect(isByHand(keyVersion(1, { updatedOn: day(40) }), stamp)).toBe(true);
  });
});

it('A revocation never exceeds the fifteen tags that Key Vault allows', () => {
  const { tags } =
    planRevocation([keyVersion(1, { tags: { owner: 'files' } })], stamp as RevocationStamp, NOW)[0] ?? {};
  expect(Object.keys(tags ?? {}).length).toBeLessThanOrEqual(MAX_TAGS);
  expect(Object.keys(tags ?? {})).not.toContain(RESTORED_TAG);
});
