import { CLOUDS, type Cloud } from '../../src/azure/cloud.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { createManagedKey, ManagedVaults, parseManagedVault } from '../../src/keys/managed-vaults.ts';

export const SUBSCRIPTION = '11111111-1111-1111-1111-111111111111';
export const PUBLIC = CLOUDS[0] as Cloud;
export const VAULT_ID = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files`;
const vault = parseManagedVault(VAULT_ID, PUBLIC);
if (!vault) throw new Error('The sample vault id does not parse.');
export const VAULT = vault;
export const VAULTS = new ManagedVaults([VAULT]);
export const KEY = createManagedKey(VAULT, 'files-key');

/** Who revoked, where it does not matter. */
export const REVOKER = { id: 'rev-1', revokedBy: '33333333-3333-3333-3333-333333333333' };

/** A version name out of a small number: 32 hexadecimal digits. */
export function versionName(n: number): string {
  return n.toString(16).padStart(32, '0');
}

/** A usable version created on day `n` of 2026, with the given changes. */
export function keyVersion(n: number, change: Partial<KeyVersion> = {}): KeyVersion {
  const version = versionName(n);

  return {
    id: `${KEY.id}/${version}`,
    keyName: KEY.name,
    version,
    enabled: true,
    createdOn: day(n),
    updatedOn: undefined,
    notBefore: undefined,
    expiresOn: undefined,
    tags: {},
    latest: false,
    ...change,
  };
}

/** Midnight (UTC) of the n-th day of 2026. */
export function day(n: number): Date {
  return new Date(Date.UTC(2026, 0, n));
}
