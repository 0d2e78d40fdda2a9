import { formatKeyIdentifier, parseKeyIdentifier, parseVault } from '../keys/key-identifier.ts';
import type { AccountEncryption, Scope } from './account.ts';
import type { UseRow } from './use-row.ts';

/**
 * How an account or an encryption scope uses a key. Without `pinned`, Storage checks for a new version once a day ("Customer-managed keys for Azure Storage encryption").
 */
export interface KeyUse {
  readonly vaultUri: string;
  readonly keyName: string;
  /** The version it is pinned to: 32 characters, lower case; undefined when automatic. */
  readonly pinned: string | undefined;
  /** The version that data is wrapped with, as Storage reports it; undefined if it does not. */
  readonly current: string | undefined;
}

/** Undefined for Microsoft-managed keys, and for a key URI that does not lead to Key Vault. */
export function accountKeyUse(encryption: AccountEncryption): KeyUse | undefined {
  if (encryption.keySource?.toLowerCase() !== 'microsoft.keyvault') return undefined;
  const properties = encryption.keyVaultProperties;
  const vault = parseVault(properties?.keyVaultUri ?? '');
  if (!vault || !properties?.keyName) return undefined;
  return {
    vaultUri: vault.vaultUri,
    keyName: properties.keyName,
    // Absent and "" both mean automatic.
    pinned: properties.keyVersion ? properties.keyVersion.toLowerCase() : undefined,
    current: versionOf(properties.currentVersionedKeyIdentifier),
  };
}

export function scopeKeyUse(scope: Pick<Scope, 'keyUri' | 'currentKeyId'>): KeyUse | undefined {
  const key = parseKeyIdentifier(scope.keyUri);
  if (!key) return undefined;
  const { vaultUri, keyName, version } = key;
  return { vaultUri, keyName, pinned: version, current: versionOf(scope.currentKeyId) ?? version };
}

/** The use that a row of the index describes. */
export function keyUseOf({ key, pinned, current, mode }: UseRow): KeyUse {
  const { vaultUri = '', keyName = '' } = parseKeyIdentifier(key) ?? {};
  return { vaultUri, keyName, pinned: mode === 'pinned' ? pinned : undefined, current };
}

/** Whether a use is of that key. Vault URIs are as `parseVault` returns them; key names compare without letter case. */
export function usesKey(use: KeyUse | undefined, key: { vault: { uri: string }; name: string }): use is KeyUse {
  return use !== undefined && use.vaultUri === key.vault.uri && use.keyName.toLowerCase() === key.name.toLowerCase();
}

function versionOf(identifier: string | undefined): string | undefined {
  return identifier ? parseKeyIdentifier(identifier)?.version : undefined;
}

/** Identifier of the version that data is wrapped with; where Azure does not show it, of the pinned version. */
export function usedVersionId(use: KeyUse): string | undefined {
  const version = use.current ?? use.pinned;
  return version === undefined ? undefined : formatKeyIdentifier(use, version);
}
