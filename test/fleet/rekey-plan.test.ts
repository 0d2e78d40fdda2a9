import { describe, expect, it } from 'vitest';
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

describe('A use that a standing order moves to another key', () => {
  it('is pinned to the newest usable version of that key when it was pinned', () => {
    const to = [keyVersion(51), keyVersion(52), keyVersion(53, { enabled: false })];
    expect(plan(versionName(1), [keyVersion(1)], to)).toMatchObject({ write: true, pin: versionName(52), to: OTHER });
  });

  it('stays automatic, and waits while the newest version of that key cannot be used', () => {
    expect(plan(undefined, [keyVersion(1)], [keyVersion(51), keyVersion(52)])).toMatchObject({
      write: true,
      reason: 'RekeyOrdered',
      pin: '',
      target: { version: versionName(52) },
    });
    const unusable = [keyVersion(51), keyVersion(52, { enabled: false })];
    expect(plan(undefined, [keyVersion(1)], unusable)).toMatchObject({ write: false, reason: 'NewestVersionUnusable' });
  });

  it('is not moved while either key is revoked or deleted, or the other key cannot be used', () => {
    expect(plan('', [revoked(1)], [keyVersion(51)])).toMatchObject({ write: false, reason: 'RevocationOpen' });
    expect(plan('', [keyVersion(1)], [revoked(51)])).toMatchObject({ write: false, reason: 'RevocationOpen' });
    expect(plan('', [], [keyVersion(51)])).toMatchObject({ write: false, reason: 'KeyNotFound' });
    expect(plan('', [keyVersion(1)], [])).toMatchObject({ write: false, reason: 'KeyNotFound' });
    const off = [keyVersion(51, { enabled: false })];
    expect(plan('', [keyVersion(1)], off)).toMatchObject({ write: false, reason: 'NoUsableVersion' });
  });

  it('is moved off a key that has no usable version', () => {
    expect(plan('x', [keyVersion(1, { enabled: false })], [keyVersion(51)])).toMatchObject({ write: true });
  });
});

it('withOtherKey changes only the key fields', () => {
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
