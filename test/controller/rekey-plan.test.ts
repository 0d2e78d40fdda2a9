import { describe, expect, it } from 'vitest';
import type { AccountEncryption } from '../../src/accounts/account.ts';
import { findRekeyBlocker, planRekey, withKeyVersion } from '../../src/controller/plan.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { day, KEY, keyVersion, REVOKER, VAULT, versionName } from '../support/keys.ts';

const OTHER = createManagedKey(VAULT, 'new-key');
const now = day(200);
const keys = (from: KeyVersion[], to: KeyVersion[]) =>
  [
    { key: KEY, versions: from },
    { key: OTHER, versions: to },
  ] as const;
const plan = (pinned: string | undefined, from: KeyVersion[], to: KeyVersion[]) =>
  planRekey({ pinned }, ...keys(from, to), now);
const blocker = (from: KeyVersion[], to: KeyVersion[]) => findRekeyBlocker(...keys(from, to), now);
const revoked = (n: number): KeyVersion =>
  keyVersion(n, {
    enabled: false,
    tags: { [REVOCATION_TAG]: `${REVOKER.id} ${day(150).toISOString()} ${REVOKER.revokedBy} ${versionName(n)}` },
  });

describe('A use that a standing order moves to another key', () => {
  it('A pinned use that an order moves is pinned to the newest usable version of the other key', () => {
    const to = [keyVersion(51), keyVersion(52)];
    expect(plan(versionName(1), [keyVersion(1)], to)).toMatchObject({ write: true, pin: versionName(52), to: OTHER });
  });

  it("A use that an order moves gets Key Vault's own spelling of the other key, whatever spelling the order has", () => {
    const to = [keyVersion(51, { keyName: 'New-Key' })];
    expect(plan('x', [keyVersion(1)], to)).toMatchObject({ to: { name: 'New-Key', id: OTHER.id } });
  });

  it('An automatic use that an order moves stays automatic, and waits while the newest version of that key cannot be used', () => {
    expect(plan(undefined, [keyVersion(1)], [keyVersion(51), keyVersion(52)])).toMatchObject({
      write: true,
      reason: 'RekeyOrdered',
      pin: '',
      target: { version: versionName(52) },
    });

    const unusable = [keyVersion(51), keyVersion(52, { enabled: false })];
    expect(blocker([keyVersion(1)], unusable)).toEqual({ reason: 'NewestVersionUnusable', key: OTHER });
    expect(plan(undefined, [keyVersion(1)], unusable)).toBeUndefined();
    expect(plan('x', [keyVersion(1)], unusable)).toBeUndefined();
  });

  it('An order moves no use while either key is revoked or deleted, or the other key cannot be used', () => {
    expect(blocker([revoked(1)], [keyVersion(51)])).toEqual({ reason: 'RevocationOpen', key: KEY });
    expect(blocker([keyVersion(1)], [revoked(51)])).toEqual({ reason: 'RevocationOpen', key: OTHER });
    expect(blocker([], [keyVersion(51)])).toEqual({ reason: 'KeyNotFound', key: KEY });
    expect(blocker([keyVersion(1)], [])).toEqual({ reason: 'KeyNotFound', key: OTHER });
    const off = [keyVersion(51, { enabled: false })];
    expect(blocker([keyVersion(1)], off)).toEqual({ reason: 'NoUsableVersion', key: OTHER });
    expect(plan('x', [revoked(1)], [keyVersion(51)])).toBeUndefined();
  });

  it('An order moves a use off a key that has no usable version', () => {
    expect(plan('x', [keyVersion(1, { enabled: false })], [keyVersion(51)])).toMatchObject({ write: true });
  });
});

it('withKeyVersion changes only the key fields', () => {
  const encryption: AccountEncryption = {
    keySource: 'Microsoft.Keyvault',
    requireInfrastructureEncryption: true,
    services: { file: { enabled: true } },
    encryptionIdentity: { encryptionUserAssignedIdentity: 'id' },
    keyVaultProperties: { keyName: KEY.name, keyVaultUri: `${VAULT.uri}/`, keyVersion: versionName(1) },
  };

  expect(withKeyVersion(encryption, versionName(51), OTHER)).toEqual({
    ...encryption,
    keyVaultProperties: { keyName: 'new-key', keyVaultUri: VAULT.uri, keyVersion: versionName(51) },
  });
});
