import { describe, expect, it } from 'vitest';
import type { RotationPolicy } from '../../src/keys/key-client.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { decideRotation } from '../../src/rotation/rotation.ts';
import { computeCryptoPeriodEnd, predictNextRotation } from '../../src/status/next-rotation.ts';
import { day, keyVersion, REVOKER, versionName } from '../support/keys.ts';

const NOW = day(200);
const NONE: RotationPolicy = { rotates: false };
/** Notice is 30 days before. */
const EXPIRES = { expiresOn: day(300) };
const DUE = day(270).toISOString();
const revoked = {
  [REVOCATION_TAG]: formatRevocation({ ...REVOKER, revokedOn: day(150), version: versionName(100), wasEnabled: true }),
};

describe('predictNextRotation', () => {
  const [auto, manual] = ['auto', 'manual'].map((rotation) => ({ tags: { 'cmk-rotation': rotation } }));
  const imported = { tags: { 'cmk-origin': 'imported' } };
  const by = (rotatedBy: string, on?: string, reason?: string) => ({ by: rotatedBy, on, reason });
  const policy = (of: Partial<RotationPolicy>) => ({ ...NONE, ...of });
  const at = (n: number) => day(n).toISOString();

  it.each<[string, Partial<KeyVersion>, RotationPolicy, boolean, object]>([
    ['is the policy’s', EXPIRES, policy({ rotates: true, beforeExpiry: 'P60D' }), true, by('policy', at(240))],
    [
      'is the policy’s, after a time',
      {},
      policy({ rotates: true, afterCreate: 'P110D' }),
      false,
      by('policy', at(210)),
    ],
    ['is the policy’s, at an unknown time', {}, policy({ rotates: true, beforeExpiry: 'P60D' }), true, by('policy')],
    ['is the app’s, near the expiry', EXPIRES, NONE, true, by('app', DUE)],
    ['is the app’s, by the notice', EXPIRES, policy({ notifyBeforeExpiry: 'P90D' }), true, by('app', at(210))],
    ['is none, where nothing uses it', EXPIRES, NONE, false, by('none', DUE, 'NoDependents')],
    ['is the app’s, where a tag says so', { ...EXPIRES, ...auto }, NONE, false, by('app', DUE)],
    ['is a person’s, by a tag', { ...EXPIRES, ...manual }, NONE, true, by('person', DUE, 'ManualRotation')],
    ['is a person’s, of imported material', imported, NONE, true, by('person', undefined, 'ImportedKey')],
    [
      'is a person’s, when it is disabled',
      { ...EXPIRES, enabled: false },
      NONE,
      true,
      by('person', DUE, 'KeyDisabled'),
    ],
    ['is none, where it never expires', {}, NONE, true, by('none', undefined, 'NoExpiry')],
    [
      'is none, while it is revoked',
      { ...EXPIRES, enabled: false, tags: revoked },
      NONE,
      true,
      by('none', undefined, 'RevocationOpen'),
    ],
  ])('The next rotation of a key %s', (_, change, policy, isUsed, expected) => {
    expect(predictNextRotation([keyVersion(100, change)], policy, isUsed, NOW)).toEqual(expected);
  });

  it('predictNextRotation returns nothing for a key without versions', () => {
    expect(predictNextRotation([], NONE, true, NOW)).toBeUndefined();
  });

  it('predictNextRotation returns the day when decideRotation rotates', () => {
    const version = keyVersion(100, EXPIRES);
    const { on } = predictNextRotation([version], NONE, true, NOW) ?? {};
    const due = new Date(on ?? '');
    const before = new Date(due.getTime() - 24 * 3_600_000);
    expect(decideRotation([version], NONE, before)).toMatchObject({ rotate: false, reason: 'NotNearExpiry' });
    expect(decideRotation([version], NONE, due)).toMatchObject({ rotate: true });
  });
});

describe('The crypto-period of a key', () => {
  it.each<[string, Pick<RotationPolicy, 'expiresIn'> | undefined, Date]>([
    ['the lifetime in its rotation policy', { expiresIn: 'P90D' }, day(190)],
    ['two years, where the policy allows longer', { expiresIn: 'P5Y' }, day(830)],
    ['two years, where the policy has no lifetime', {}, day(830)],
    ['two years, where the policy could not be read', undefined, day(830)],
  ])('The crypto-period of a key ends after %s', (_, policy, end) => {
    expect(computeCryptoPeriodEnd([keyVersion(1), keyVersion(100)], policy, NOW)).toEqual(end);
  });

  it('The crypto-period of a key has no end where there is no version', () => {
    expect(computeCryptoPeriodEnd([], undefined, NOW)).toBeUndefined();
  });
});
