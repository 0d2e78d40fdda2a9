import { describe, expect, it } from 'vitest';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import {
  formatRevocation,
  openRevocation,
  parseRevocation,
  planKeepRevoked,
  planRestore,
  planRevocation,
  REVOCATION_TAG,
  revocationOf,
  revokers,
  stampRevocation,
} from '../../src/revocation/revocation.ts';
import { day, KEY, keyVersion, versionName } from '../support/keys.ts';

const ALICE = 'a11ce000-0000-4000-8000-000000000001';
const BOB = 'b0b00000-0000-4000-8000-000000000002';
const NOON = new Date(day(20).getTime() + 12 * 3_600_000);

const stamp = { id: 'f00d', revokedOn: NOON, revokedBy: ALICE };

/** The record as it stands on version `n`. */
function record(n: number, change: Partial<typeof stamp> = {}): Record<string, string> {
  return { [REVOCATION_TAG]: formatRevocation({ ...stamp, ...change, version: versionName(n), wasEnabled: true }) };
}

/** The record on a version that was off before. */
function offRecord(n: number): Record<string, string> {
  return { [REVOCATION_TAG]: formatRevocation({ ...stamp, version: versionName(n), wasEnabled: false }) };
}

function revoked(n: number, change: Partial<KeyVersion> = {}): KeyVersion {
  return keyVersion(n, { enabled: false, updatedOn: NOON, tags: record(n), ...change });
}

function fullOfTags(more: Record<string, string> = {}): Record<string, string> {
  return { ...Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`tag-${n}`, 'x'])), ...more };
}

/** Numbers of the versions that a plan changes, in its order. */
function changed(plan: ReturnType<typeof planRevocation>): number[] {
  return plan.map(({ version }) => Number.parseInt(version.version, 16));
}

describe('the record of a revocation', () => {
  it.each([true, false])('is read back as it was written, and fits into a tag', (wasEnabled) => {
    const revocation = { ...stamp, id: 'f'.repeat(16), version: versionName(1), wasEnabled };
    const text = formatRevocation(revocation);
    expect(parseRevocation(text)).toEqual(revocation);
    expect(text.length).toBeLessThanOrEqual(256);
  });

  it.each([
    ['is empty', ''],
    ['lacks the version', `f00d ${NOON.toISOString()} ${ALICE}`],
    [
      'has something behind the version',
      `${formatRevocation({ ...stamp, version: versionName(1), wasEnabled: true })} more`,
    ],
    ['has no time where the time belongs', `f00d yesterday ${ALICE} ${versionName(1)}`],
    ['has an empty part', `f00d  ${ALICE} ${versionName(1)}`],
    ['is a person’s own text', 'do not use'],
  ])('counts for nothing when it %s', (_, tag) => {
    const version = keyVersion(1, { enabled: false, tags: { [REVOCATION_TAG]: tag } });
    expect(parseRevocation(tag)).toBeUndefined();
    expect(openRevocation([version])).toBeUndefined();
    expect(planRestore([version])).toEqual([]);
  });

  it('counts for the version that it names, and for no other that a rotation copied it onto', () => {
    const copy = keyVersion(21, { tags: record(20) });
    expect(revocationOf(revoked(20))).toMatchObject({ id: 'f00d', version: versionName(20) });
    expect(revocationOf(copy)).toBeUndefined();
    expect(openRevocation([copy])).toBeUndefined();
  });

  it('names everybody who revoked, each once', () => {
    const versions = [revoked(1), revoked(2), revoked(3, { tags: record(3, { revokedBy: BOB }) }), keyVersion(4)];
    expect([...revokers(versions)].sort()).toEqual([ALICE, BOB].sort());
  });

  it('is the earliest one, should there be several', () => {
    const later = { id: 'beef', revokedOn: day(25) };
    expect(openRevocation([revoked(1, { tags: record(1, later) }), revoked(2)])?.id).toBe('f00d');
  });
});

describe('stampRevocation', () => {
  const versions = [keyVersion(1, { enabled: false }), keyVersion(2)];

  it('gives two callers who have read the same state the same revocation', () => {
    const alice = stampRevocation(KEY.id, versions, ALICE, NOON);
    const bob = stampRevocation(KEY.id, [...versions].reverse(), BOB, day(21));
    expect(bob.id).toBe(alice.id);
    expect(bob.revokedBy).toBe(BOB);
  });

  it('joins a revocation that is open, under the name of who joins', () => {
    const joined = stampRevocation(KEY.id, [revoked(1), keyVersion(2)], BOB, day(25));
    expect(joined).toEqual({ id: 'f00d', revokedOn: NOON, revokedBy: BOB });
  });

  it.each([
    ['another version', [...versions, keyVersion(3)]],
    ['a version switched on', [keyVersion(1), keyVersion(2)]],
    ['a version changed at another time', [keyVersion(1, { enabled: false, updatedOn: day(3) }), keyVersion(2)]],
  ])('starts another revocation from another state: %s', (_, other) => {
    expect(stampRevocation(KEY.id, other, ALICE, NOON).id).not.toBe(stampRevocation(KEY.id, versions, ALICE, NOON).id);
  });

  it('starts another revocation for another key', () => {
    expect(stampRevocation(`${KEY.id}2`, versions, ALICE, NOON).id).not.toBe(
      stampRevocation(KEY.id, versions, ALICE, NOON).id,
    );
  });
});

describe('planRevocation', () => {
  it('disables every enabled version, whether it can be used now or not, newest first', () => {
    const expired = keyVersion(2, { expiresOn: day(3) });
    const notYet = keyVersion(9, { notBefore: day(300) });
    const plan = planRevocation([keyVersion(1), expired, keyVersion(3, { enabled: false }), notYet], stamp);
    expect(changed(plan)).toEqual([9, 2, 1]);
    expect(plan.every(({ enabled }) => !enabled)).toBe(true);
  });

  it('keeps the tags that are there beside the record', () => {
    const [change] = planRevocation([keyVersion(1, { tags: { owner: 'files' } })], stamp);
    expect(change?.tags).toEqual({ owner: 'files', ...record(1) });
  });

  it('disables a version without a tag to spare, and leaves its tags alone', () => {
    const [change] = planRevocation([keyVersion(1, { tags: fullOfTags() })], stamp);
    expect(change).toMatchObject({ enabled: false, tags: undefined });
  });

  it.each([
    ['copied by a rotation', record(7)],
    ['malformed', { [REVOCATION_TAG]: 'do not use' }],
    ['of its own, enabled by hand since', record(1, { revokedBy: BOB })],
  ])('writes the record over one that is %s, also when no other tag is to spare', (_, tag) => {
    const { 'tag-0': _one, ...fourteen } = fullOfTags();
    const [change] = planRevocation([keyVersion(1, { tags: { ...fourteen, ...tag } })], stamp);
    expect(change?.tags).toEqual({ ...fourteen, ...record(1) });
  });
});

describe('a revocation that finds nothing to disable', () => {
  const off = [keyVersion(1, { enabled: false }), keyVersion(2, { enabled: false, tags: { owner: 'files' } })];
  const anchor = keyVersion(2, { enabled: false, updatedOn: NOON, tags: { owner: 'files', ...offRecord(2) } });

  it('leaves its record on the newest version all the same, so that the key is kept shut', () => {
    expect(planRevocation(off, stamp)).toEqual([{ version: off[1], enabled: false, tags: anchor.tags }]);
    expect(openRevocation([anchor])).toMatchObject({ id: 'f00d', revokedBy: ALICE });
    expect(changed(planKeepRevoked([anchor, keyVersion(21)]))).toEqual([21]);
  });

  it.each([
    ['is off', false],
    ['was enabled by hand meanwhile', true],
  ])('is restored by taking the record away: the version stays as it is when it %s', (_, enabled) => {
    const { createdOn: _created, ...expected } = { ...anchor, enabled };
    expect(planRestore([{ ...anchor, enabled }])).toMatchObject([
      { version: expected, enabled, tags: { owner: 'files' } },
    ]);
  });

  it('needs no second record when it is repeated', () => {
    expect(planRevocation([keyVersion(1, { enabled: false }), anchor], stamp)).toEqual([]);
  });

  it('puts the record beside the versions that have no tag to spare for it', () => {
    const full = keyVersion(3, { tags: fullOfTags() });
    expect(planRevocation([...off, full], stamp).map(({ version, tags }) => [version.version, tags])).toEqual([
      [full.version, undefined],
      [versionName(2), anchor.tags],
    ]);
  });

  it('has no record when no version has a tag to spare, or there is no version', () => {
    expect(planRevocation([keyVersion(1, { enabled: false, tags: fullOfTags() })], stamp)).toEqual([]);
    expect(planRevocation([], stamp)).toEqual([]);
  });

  it('counts as one that disabled the version once it has: it was enabled by hand, and revoked again', () => {
    const [change] = planRevocation([{ ...anchor, enabled: true }], stamp);
    expect(change?.tags).toEqual({ owner: 'files', ...record(2) });
  });

  it('is not one of the version that a rotation copied the record onto', () => {
    expect(revocationOf(keyVersion(3, { tags: offRecord(2) }))).toBeUndefined();
  });
});

describe('planKeepRevoked', () => {
  it('does nothing without an open revocation', () => {
    expect(planKeepRevoked([keyVersion(1), keyVersion(30, { tags: record(1) })])).toEqual([]);
  });

  it.each([
    ['made later', keyVersion(21), [21]],
    ['made later, with a record that the rotation copied', keyVersion(21, { tags: record(20) }), [21]],
    ['made in the same second', keyVersion(21, { createdOn: new Date(NOON.getTime()) }), [21]],
    ['made later and off already', keyVersion(21, { enabled: false }), []],
    // Tagged: the revocation disabled it and a person enabled it again. Reported, not fought.
    ['disabled by the revocation and enabled by hand since', revoked(21, { enabled: true }), []],
    ['there before, and enabled by hand since', keyVersion(3), []],
  ])('a version %s', (_, version, shut) => {
    expect(changed(planKeepRevoked([revoked(20), version]))).toEqual(shut);
  });

  it('puts what it disables under the same revocation, and the same person', () => {
    const [change] = planKeepRevoked([revoked(20), keyVersion(21)]);
    expect(change?.tags).toEqual(record(21));
  });

  it.each([
    ['goes for one that was made later', -4 * 60_000, [21]],
    ['is not doubted without end', -6 * 60_000, []],
  ])(
    'the app’s clock may be ahead of Key Vault’s: a version that looks older than the revocation %s',
    (_, ms, shut) => {
      const made = keyVersion(21, { createdOn: new Date(NOON.getTime() + ms) });
      expect(changed(planKeepRevoked([revoked(20), made]))).toEqual(shut);
    },
  );
});

describe('planRestore', () => {
  it('enables what carries the record and nothing else, newest first, and takes the record away', () => {
    const byHand = keyVersion(3, { enabled: false });
    const plan = planRestore([
      revoked(1, { tags: { ...record(1), owner: 'files' } }),
      byHand,
      revoked(2),
      keyVersion(4),
    ]);
    expect(changed(plan)).toEqual([2, 1]);
    expect(plan.map(({ enabled, tags }) => ({ enabled, tags }))).toEqual([
      { enabled: true, tags: {} },
      { enabled: true, tags: { owner: 'files' } },
    ]);
  });

  it('takes the record from a version that was enabled by hand meanwhile', () => {
    expect(planRestore([revoked(1, { enabled: true })])).toMatchObject([{ enabled: true, tags: {} }]);
  });

  it('gives back what the revocation shut later under its record', () => {
    expect(changed(planRestore([revoked(20), revoked(21)]))).toEqual([21, 20]);
  });
});
