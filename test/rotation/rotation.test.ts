import { describe, expect, it } from 'vitest';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import {
  completeRotation,
  decideRotation,
  describeHsmPolicy,
  findUnfinishedRotation,
  isRotatedByTag,
  MIN_LIFETIME_DAYS,
} from '../../src/rotation/rotation.ts';
import { day, keyVersion, REVOKER, versionName } from '../support/keys.ts';

const NO_POLICY = { rotates: false };
const NOW = day(20);

/** A version that expires within the month. */
const soon = (change: Parameters<typeof keyVersion>[1] = {}) => keyVersion(2, { expiresOn: day(40), ...change });

/** The record of a revocation, as it stands on version `n`. */
const revocationOn = (n: number) => ({
  [REVOCATION_TAG]: formatRevocation({ ...REVOKER, revokedOn: day(10), version: versionName(n), wasEnabled: true }),
});

describe('decideRotation', () => {
  const revoked = keyVersion(2, { enabled: false, tags: revocationOn(2) });

  it('decideRotation rotates the newest version if no policy or operator does', () => {
    expect(decideRotation([keyVersion(1), soon()], NO_POLICY, NOW)).toMatchObject({
      rotate: true,
      from: soon(),
    });
  });

  it.each([
    ['leaves it to a policy that rotates by itself', [soon()], { rotates: true }, 'PolicyRotates', false],
    [
      'notifies when the key is tagged to be rotated by hand',
      [soon({ tags: { 'cmk-rotation': 'Manual' } })],
      NO_POLICY,
      'ManualRotation',
      true,
    ],
    [
      'notifies when the key was imported',
      [soon({ tags: { 'cmk-origin': 'imported' } })],
      NO_POLICY,
      'ImportedKey',
      true,
    ],
    [
      'does nothing when it is an older version that nears its expiry',
      [soon(), keyVersion(3)],
      NO_POLICY,
      'NotNearExpiry',
      false,
    ],
    ['does not rotate a disabled key', [soon({ enabled: false })], NO_POLICY, 'KeyDisabled', true],
    ['does not rotate a key under revocation', [revoked], NO_POLICY, 'RevocationOpen', false],
    ['notifies when the key is gone', [], NO_POLICY, 'KeyNotFound', true],
  ] as const)('decideRotation %s', (_, versions, policy, reason, needsPerson) => {
    expect(decideRotation(versions, policy, NOW)).toEqual({ rotate: false, reason, needsPerson });
  });
});

describe('a key whose lifetime is shorter than the notice of its expiry', () => {
  // Seen on the local Azure: such a key was rotated again and again, since each new version was near its expiry at once.
  const first = keyVersion(1, { expiresOn: day(21) });

  it('A key whose lifetime is shorter than the notice of its expiry is rotated once, and its new version is not near its expiry', () => {
    expect(decideRotation([first], NO_POLICY, day(1))).toMatchObject({ rotate: true });
    const second = keyVersion(2);
    expect(completeRotation(first, second)).toEqual({ expiresOn: day(2 + MIN_LIFETIME_DAYS) });
  });

  it('A key whose lifetime is shorter than the notice of its expiry is never rotated again within a week, and a finding says so', () => {
    const second = keyVersion(2, { expiresOn: day(22) });
    const decide = (now: number) => decideRotation([first, second], NO_POLICY, day(now));
    expect(decide(3)).toEqual({ rotate: false, reason: 'RotatedRecently', needsPerson: true });
    expect(decide(10)).toMatchObject({ rotate: true });
  });
});

describe('completeRotation', () => {
  it('completeRotation gives the new version the lifetime and the tags of the one before', () => {
    const from = keyVersion(10, { expiresOn: day(110), tags: { owner: 'files', team: 'old' } });
    const to = keyVersion(80, { tags: { team: 'new' } });
    expect(completeRotation(from, to)).toEqual({ tags: { owner: 'files', team: 'new' }, expiresOn: day(180) });
  });

  it('completeRotation counts the lifetime from when the version before became active', () => {
    const from = keyVersion(10, { notBefore: day(20), expiresOn: day(110) });
    expect(completeRotation(from, keyVersion(80))).toEqual({ expiresOn: day(170) });
  });

  it('completeRotation keeps an expiry that a rotation policy set, and sets none on a key that never expired', () => {
    expect(
      completeRotation(keyVersion(1, { expiresOn: day(50) }), keyVersion(2, { expiresOn: day(90) })),
    ).toBeUndefined();
    expect(completeRotation(keyVersion(1), keyVersion(2))).toBeUndefined();
    const tags = { owner: 'files' };
    expect(completeRotation(keyVersion(1, { tags }), keyVersion(2))).toEqual({ tags });
  });

  it('completeRotation never copies a revocation', () => {
    expect(
      completeRotation(keyVersion(1, { tags: { [REVOCATION_TAG]: 'x', 'cmk-restored': 'y' } }), keyVersion(2)),
    ).toBeUndefined();
  });
});

describe('a key that the app is meant to rotate', () => {
  it.each([
    [{ 'cmk-rotation': 'Auto' }, true],
    [{ 'cmk-rotation': 'manual' }, false],
    [{}, false],
  ])('A key is one that the app is to rotate by its tags %j: %s', (tags, expected) =>
    expect(isRotatedByTag(keyVersion(1, { tags }))).toBe(expected),
  );
});

describe('findUnfinishedRotation', () => {
  const from = keyVersion(10, { expiresOn: day(110) });
  const to = keyVersion(80);
  const soonAfter = new Date(to.createdOn.getTime() + 3_600_000);

  it('findUnfinishedRotation returns a newest version without the expiry that the one before has', () => {
    expect(findUnfinishedRotation([from, to], soonAfter)).toEqual({ from, to });
  });

  it.each([
    ['there is one version', [from], soonAfter],
    ['the new version is off', [from, keyVersion(80, { enabled: false })], soonAfter],
    ['the version before had expired before it was active', [keyVersion(10, { expiresOn: day(9) }), to], soonAfter],
    ['it is more than a day old: an operator meant it', [from, to], day(82)],
    [
      'the key is revoked',
      [
        { ...from, enabled: false, tags: revocationOn(10) },
        { ...to, enabled: true },
      ],
      soonAfter,
    ],
  ])('findUnfinishedRotation returns nothing when %s', (_, versions, now) =>
    expect(findUnfinishedRotation(versions, now)).toBeUndefined(),
  );
});

it('The advice for a refused rotation names a rotation policy in a Managed HSM, and not in a vault', () => {
  expect(describeHsmPolicy({ vault: { kind: 'vault' } })).toBe('');
  expect(describeHsmPolicy({ vault: { kind: 'managedHsm' } })).toContain('only with a rotation policy');
});
