import { describe, expect, it } from 'vitest';
import type { VersionUsers } from '../../src/key-users/version-users.ts';
import { listHalfRetired } from '../../src/retirement/retire-versions.ts';
import {
  createKeptTags,
  createRetiredTags,
  createSettledTags,
  findRetiredRecord,
  listReasonsOfKey,
  listReasonsOfOperator,
  listReasonsToKeep,
  listRetirable,
  withoutRetiredTag,
} from '../../src/retirement/retirement.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { day, keyVersion, REVOKER, versionName } from '../support/keys.ts';

const NOW = day(20);
const OLD = keyVersion(1);
const NEW = keyVersion(10);
const ACCOUNT = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1';
const DISK = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/diskEncryptionSets/des1';

const UNUSED: VersionUsers = { uses: [], gaps: [] };
const used = (who: string, ...versions: number[]): VersionUsers => ({
  uses: [{ who, versions: versions.map(versionName) }],
  gaps: [],
});
const revoked = keyVersion(1, {
  enabled: false,
  tags: {
    [REVOCATION_TAG]: formatRevocation({
      ...REVOKER,
      revokedOn: day(19),
      version: versionName(1),
      wasEnabled: true,
    }),
  },
});

describe('whether a version may be retired', () => {
  it.each<[string, Parameters<typeof listReasonsToKeep>[1], VersionUsers]>([
    ['no account uses the key', [OLD, NEW], UNUSED],
    ['every account uses the new version', [OLD, NEW], used(ACCOUNT, 10)],
    ['an account uses a third version', [OLD, keyVersion(2), NEW], used(ACCOUNT, 2)],
    ['the successor is just old enough', [OLD, keyVersion(19)], UNUSED],
    ['a younger version is not usable', [OLD, NEW, keyVersion(20, { enabled: false })], UNUSED],
  ])('A version may be retired when %s', (_, versions, users) => {
    expect(listReasonsToKeep(OLD, versions, users, NOW)).toEqual([]);
  });

  it.each<[string, Parameters<typeof listReasonsToKeep>[1], VersionUsers, RegExp]>([
    ['there is no other version', [OLD], UNUSED, /^No newer version is usable\.$/],
    ['no newer one is enabled', [OLD, keyVersion(10, { enabled: false })], UNUSED, /^No newer version is usable/],
    ['a newer one has expired', [OLD, keyVersion(10, { expiresOn: day(11) })], UNUSED, /^No newer version/],
    ['a newer one is not active yet', [OLD, keyVersion(10, { notBefore: day(21) })], UNUSED, /^No newer version/],
    [
      'the successor is too young',
      [OLD, keyVersion(19, { createdOn: new Date(NOW.getTime() - 23.9 * 3_600_000) })],
      UNUSED,
      new RegExp(`^Its successor ${versionName(19)} has been usable for 23 hours, which has to be at least 24\\.$`),
    ],
    [
      'the successor became active too recently',
      [OLD, keyVersion(10, { notBefore: new Date(NOW.getTime() - 3_600_000) })],
      UNUSED,
      / usable for 1 hour,/,
    ],
    [
      'the successor was enabled, or changed, too recently',
      [OLD, keyVersion(10, { updatedOn: new Date(NOW.getTime() - 3_600_000) })],
      UNUSED,
      / usable for 1 hour,/,
    ],
    [
      'the newest usable version is too young, whatever the next one is',
      [OLD, NEW, keyVersion(20)],
      UNUSED,
      / 0 hours,/,
    ],
    [
      'the clock of the successor is ahead',
      [OLD, keyVersion(20, { createdOn: new Date(NOW.getTime() + 240_000) })],
      UNUSED,
      / 0 hours,/,
    ],
    ['a revocation is open', [revoked, OLD, NEW], UNUSED, /^A revocation of the key is open/],
    ['an account uses it', [OLD, NEW], used(ACCOUNT, 1), /^It is used by st1\.$/],
    ['an account is pinned to it and shows another', [OLD, NEW], used(ACCOUNT, 1, 10), /used by st1/],
    ['a scope uses it', [OLD, NEW], used(`${ACCOUNT}/encryptionScopes/s1`, 1), /used by st1\/s1/],
    ['another resource uses it', [OLD, NEW], used(DISK, 1), new RegExp(`used by ${DISK}`)],
    [
      'something is unknown',
      [OLD, NEW],
      { uses: [], gaps: ['A is not read.', 'B is not read.'] },
      /^Not everything is known: A is not read\.; B is not read\.$/,
    ],
    [
      'many resources use it',
      [OLD, NEW],
      { uses: Array.from({ length: 5 }, (_, n) => ({ who: `a${n}`, versions: [OLD.version] })), gaps: [] },
      /^It is used by a0, a1, a2 and 2 more\.$/,
    ],
  ])('A version may not be retired when %s', (_, versions, users, reason) => {
    expect(listReasonsToKeep(OLD, versions, users, NOW).join(' ')).toMatch(reason);
  });

  it('The newest usable version, and a newer one, may not be retired', () => {
    const later = keyVersion(19, { notBefore: day(30) });
    for (const version of [NEW, later]) {
      expect(listReasonsOfKey(version, [OLD, NEW, later], NOW)).toEqual(['No newer version is usable.']);
    }
    expect(listRetirable([OLD, keyVersion(2, { enabled: false }), NEW, later], NOW)).toEqual([OLD]);
  });
});

describe('the tag of a retired version', () => {
  const tags = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`tag-${n}`, 'x']));

  it('The tag of a retired version names its time and successor, beside the other tags', () => {
    const kept = keyVersion(1, { tags: { team: 'a' } });
    const retired = createRetiredTags(kept, NEW, NOW);

    expect(retired).toEqual({ team: 'a', 'cmk-retired': `${NOW.toISOString()} ${NEW.version} unsettled` });

    const settled = createSettledTags(retired ?? {});
    expect(settled).toEqual({ team: 'a', 'cmk-retired': `${NOW.toISOString()} ${NEW.version}` });

    const off = (of: Record<string, string> | undefined) =>
      findRetiredRecord({ ...kept, enabled: false, tags: of ?? {} });
    expect(off(retired)).toEqual({ on: NOW, isConfirmed: false });
    expect(off(settled)).toEqual({ on: NOW, isConfirmed: true });

    const restored = createRetiredTags(kept, NEW, NOW, 'rev-1');
    expect(off(restored)).toEqual({ on: NOW, isConfirmed: false, restored: 'rev-1' });
    expect(createSettledTags(restored ?? {})).toEqual(settled);

    // As versions before wrote it.
    expect(off({ 'cmk-retired': 'something else' })).toBeUndefined();
    expect(findRetiredRecord({ ...kept, tags: settled })).toBeUndefined();
    expect(withoutRetiredTag(retired ?? {})).toEqual({ team: 'a' });

    // An operator has removed the tag in the meantime.
    expect(createSettledTags({ team: 'a' })).toEqual({ team: 'a' });
  });

  it('The tag of a retired version is omitted without a free tag, and replaces an earlier one', () => {
    expect(createRetiredTags(keyVersion(1, { tags: tags(15) }), NEW, NOW)).toBeUndefined();
    const again = createRetiredTags(keyVersion(1, { tags: { ...tags(14), 'cmk-retired': 'before' } }), NEW, NOW);
    expect(again?.['cmk-retired']).toContain(NEW.version);
  });

  it('A version that a person enabled again gets the tag cmk-kept, and the app does not retire it', () => {
    const retired = keyVersion(1, { tags: { team: 'a', 'cmk-retired': `${NOW.toISOString()} ${NEW.version}` } });
    const tags = createKeptTags(retired, 'oid-1', NOW);
    expect(tags).toEqual({ team: 'a', 'cmk-kept': `${NOW.toISOString()} oid-1` });
    expect(listReasonsOfOperator({ ...retired, tags })).toEqual([expect.stringContaining('oid-1')]);
    expect(listReasonsOfOperator({ ...retired, enabled: false })).toEqual([]);
  });

  it('A retirement counts as half done only while no operator has changed the version', () => {
    const half = keyVersion(1, { enabled: false, tags: createRetiredTags(OLD, NEW, NOW) ?? {} });
    const later = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);
    const touched = (minutes: number) => listHalfRetired([{ ...half, updatedOn: later(minutes) }, NEW], later(60));
    expect(listHalfRetired([half, NEW], later(14))).toEqual([]);
    expect(touched(-5)).toHaveLength(1);
    expect(touched(6)).toHaveLength(1);
    expect(touched(11)).toEqual([]);
    expect(listHalfRetired([{ ...half, tags: createSettledTags(half.tags) }, NEW], later(60))).toEqual([]);
  });

  it('An enabled version with the tag of a retired one counts as enabled by a person', () => {
    const enabled = keyVersion(1, { tags: createRetiredTags(OLD, NEW, NOW) ?? {} });
    expect(listReasonsOfOperator(enabled)).toEqual([
      expect.stringMatching(/was retired.*enabled again.*does not retire it/),
    ]);
    expect(listReasonsOfOperator(keyVersion(1, { tags: { 'cmk-retired': 'something else' } }))).toEqual([]);
  });
});
