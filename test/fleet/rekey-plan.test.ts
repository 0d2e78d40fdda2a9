import { describe, expect, it } from 'vitest';
import { judge, judgeLater, newIntent } from '../../src/accounts/intent.ts';
import type { AccountEncryption } from '../../src/fleet/account.ts';
import { planRekey, withOtherKey } from '../../src/fleet/rekey-plan.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import { REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { day, KEY, keyVersion, REVOKER, VAULT, versionName } from '../support/keys.ts';

const OTHER = managedKey(VAULT, 'new-key');
const now = day(200);
const plan = (pinned: string | undefined, from: KeyVersion[], to: KeyVersion[]) =>
  planRekey({ pinned }, { key: KEY, versions: from }, { key: OTHER, versions: to }, now);
const revoked = (n: number): KeyVersion =>
  keyVersion(n, {
    enabled: false,
    tags: { [REVOCATION_TAG]: `${REVOKER.id} ${day(150).toISOString()} ${REVOKER.revokedBy} ${versionName(n)}` },
  });

describe('a use that a standing order moves to another key', () => {
  it('is pinned to the newest usable version of it, when it was pinned', () => {
    const to = [keyVersion(51), keyVersion(52), keyVersion(53, { enabled: false })];
    expect(plan(versionName(1), [keyVersion(1)], to)).toMatchObject({ write: true, pin: versionName(52), to: OTHER });
  });

  it('stays automatic, and waits while the newest version of all cannot be used', () => {
    expect(plan(undefined, [keyVersion(1)], [keyVersion(51), keyVersion(52)])).toMatchObject({
      write: true,
      reason: 'RekeyOrdered',
      pin: '',
      target: { version: versionName(52) },
    });
    const unusable = [keyVersion(51), keyVersion(52, { enabled: false })];
    expect(plan(undefined, [keyVersion(1)], unusable)).toMatchObject({ write: false, reason: 'NewestVersionUnusable' });
  });

  it('stays where it is while either key is revoked, is gone or cannot be used', () => {
    expect(plan('', [revoked(1)], [keyVersion(51)])).toMatchObject({ write: false, reason: 'RevocationOpen' });
    expect(plan('', [keyVersion(1)], [revoked(51)])).toMatchObject({ write: false, reason: 'RevocationOpen' });
    expect(plan('', [], [keyVersion(51)])).toMatchObject({ write: false, reason: 'KeyNotFound' });
    expect(plan('', [keyVersion(1)], [])).toMatchObject({ write: false, reason: 'KeyNotFound' });
    const off = [keyVersion(51, { enabled: false })];
    expect(plan('', [keyVersion(1)], off)).toMatchObject({ write: false, reason: 'NoUsableVersion' });
  });

  it('leaves off the old key although no version of that can be used', () => {
    expect(plan('x', [keyVersion(1, { enabled: false })], [keyVersion(51)])).toMatchObject({ write: true });
  });
});

it('alters the key fields alone', () => {
  const encryption: AccountEncryption = {
    keySource: 'Microsoft.Keyvault',
    requireInfrastructureEncryption: true,
    services: { file: { enabled: true } },
    encryptionIdentity: { encryptionUserAssignedIdentity: 'id' },
    keyVaultProperties: { keyName: KEY.name, keyVaultUri: `${VAULT.uri}/`, keyVersion: versionName(1) },
  };
  expect(withOtherKey(encryption, OTHER, versionName(51))).toEqual({
    ...encryption,
    keyVaultProperties: { keyName: 'new-key', keyVaultUri: VAULT.uri, keyVersion: versionName(51) },
  });
});

describe('a move to another key that was begun', () => {
  const move = newIntent({
    account: '/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/st1',
    ...{ key: KEY.id, toKey: OTHER.id, rekey: 'order', mode: 'pinned', from: versionName(1), to: versionName(51) },
    cause: { by: 'rekey', ref: '', since: '' },
    at: now.toISOString(),
  });
  const use = (keyName: string, pinned: string | undefined) => ({
    ...{ vaultUri: VAULT.uri, keyName, pinned, current: pinned },
  });

  it('is proved by the key that is used, whichever of its versions that is by now', () => {
    expect(judge(move, use('new-key', versionName(52)), [])).toEqual({ verdict: 'moved', to: versionName(52) });
    expect(judge({ ...move, mode: 'automatic' }, use('new-key', undefined), [])).toEqual({
      verdict: 'moved',
      to: versionName(51),
    });
  });

  it('was not made while the old key is used, and cannot be told of a third', () => {
    expect(judge(move, use(KEY.name, versionName(2)), [])).toEqual({ verdict: 'notMoved' });
    expect(judge(move, use('third', versionName(1)), [])).toEqual({ verdict: 'unproven' });
    expect(judge(move, use('new-key', undefined), [])).toEqual({ verdict: 'unproven' });
    expect(judge(move, undefined, [])).toEqual({ verdict: 'unproven' });
  });

  it.each<[string, number | undefined, string]>([
    ['it says no time', undefined, 'moved'],
    ['it was so long before', -6, 'notMoved'],
    ['it was so at that time, as far as clocks go', -4, 'moved'],
    ['it happened while the write may have taken effect', 3, 'moved'],
    ['it happened long after the write can have', 30, 'unproven'],
  ])(
    'is told from a person’s at a later look, where Storage says when the key was wrapped: %s',
    (_, minutes, verdict) => {
      const rotatedOn = minutes === undefined ? undefined : new Date(now.getTime() + minutes * 60_000);
      expect(judgeLater(move, use('new-key', versionName(51)), [], rotatedOn)).toMatchObject({ verdict });
    },
  );

  it('is proved by a newer version of the other key, which came after it', () => {
    const rotatedOn = new Date(now.getTime() + 3_600_000);
    expect(judgeLater(move, use('new-key', versionName(52)), [], rotatedOn)).toMatchObject({ verdict: 'moved' });
    const automatic = { ...use('new-key', undefined), current: versionName(51) };
    expect(judgeLater({ ...move, mode: 'automatic' }, automatic, [], rotatedOn)).toMatchObject({ verdict: 'moved' });
  });
});
