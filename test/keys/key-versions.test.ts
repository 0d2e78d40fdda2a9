import { describe, expect, it } from 'vitest';
import {
  findNewestUsableVersion,
  findNewestVersion,
  findNextActivation,
  getUsability,
} from '../../src/keys/key-versions.ts';
import { day, keyVersion } from '../support/keys.ts';

const NOW = day(100);

describe('getUsability', () => {
  it.each([
    ['enabled, without dates', {}, 'Usable'],
    ['disabled', { enabled: false }, 'Disabled'],
    ['disabled and expired', { enabled: false, expiresOn: day(50) }, 'Disabled'],
    ['expired at this moment', { expiresOn: NOW }, 'Expired'],
    ['about to expire', { expiresOn: new Date(NOW.getTime() + 1) }, 'Usable'],
    ['active from this moment', { notBefore: NOW }, 'Usable'],
    ['active in a moment', { notBefore: new Date(NOW.getTime() + 1) }, 'NotYetActive'],
  ] as const)('getUsability judges a version that is %s', (_, change, expected) => {
    expect(getUsability(keyVersion(1, change), NOW)).toBe(expected);
  });
});

describe('findNewestUsableVersion', () => {
  it.each([
    ['the youngest, in whatever order they are listed', [keyVersion(3), keyVersion(1), keyVersion(2)], 3],
    ['not a disabled one', [keyVersion(1), keyVersion(2, { enabled: false })], 1],
    ['not one that becomes active later', [keyVersion(1), keyVersion(2, { notBefore: day(101) })], 1],
    ['not an expired one', [keyVersion(1), keyVersion(2, { expiresOn: day(99) })], 1],
    [
      'of two of the same second, the one Key Vault calls the latest',
      [keyVersion(9, { createdOn: day(1) }), keyVersion(1, { latest: true })],
      1,
    ],
  ])('findNewestUsableVersion returns %s', (_, versions, expected) => {
    expect(findNewestUsableVersion(versions, NOW)).toBe(
      versions.find((v) => v.version === keyVersion(expected).version),
    );
  });

  it('findNewestUsableVersion returns nothing if no version is usable', () => {
    expect(findNewestUsableVersion([keyVersion(1, { enabled: false })], NOW)).toBeUndefined();
    expect(findNewestUsableVersion([], NOW)).toBeUndefined();
  });
});

it('findNewestVersion counts unusable versions too', () => {
  expect(findNewestVersion([keyVersion(2, { enabled: false }), keyVersion(1)])?.version).toBe(keyVersion(2).version);
});

describe('findNextActivation', () => {
  it.each([
    ['when the younger version becomes active', [keyVersion(1), keyVersion(2, { notBefore: day(120) })], day(120)],
    [
      'the earliest of several',
      [keyVersion(2, { notBefore: day(130) }), keyVersion(3, { notBefore: day(120) })],
      day(120),
    ],
    [
      'never for a version older than the one in use',
      [keyVersion(2), keyVersion(1, { notBefore: day(120) })],
      undefined,
    ],
    ['never for a disabled one', [keyVersion(1), keyVersion(2, { notBefore: day(120), enabled: false })], undefined],
    ['never when all are active', [keyVersion(1), keyVersion(2)], undefined],
  ])('findNextActivation returns %s', (_, versions, expected) => {
    expect(findNextActivation(versions, NOW)).toEqual(expected);
  });
});
