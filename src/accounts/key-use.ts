import type { UseRow } from '../index/use-row.ts';
import { formatKeyIdentifier, parseKeyIdentifier, parseVault } from '../keys/key-identifier.ts';
import { getVersionInUse } from '../keys/version-in-use.ts';
import type { AccountEncryption, Scope } from './account.ts';

/**
 * The key of an account or encryption scope. Without `pinned`, Storage checks daily for a new version
 * ("Customer-managed keys for Azure Storage encryption").
 */
export interface KeyUse {
  readonly vaultUri: string;
  readonly keyName: string;
  /** Pinned version: 32 characters in lower case; undefined for automatic updates. */
  readonly pinned: string | undefined;
  /** The version that wraps the data's key, as Storage returns it; undefined if Storage omits it. */
  readonly current: string | undefined;
}

/** Returns undefined for Microsoft-managed keys and for a key URI outside Key Vault. */
export function findAccountKeyUse(encryption: AccountEncryption): KeyUse | undefined {
  if (encryption.keySource?.toLowerCase() !== 'microsoft.keyvault') return undefined;

  const properties = encryption.keyVaultProperties;
  const vault = parseVault(properties?.keyVaultUri ?? '');
  if (!vault || !properties?.keyName) return undefined;

  return {
    vaultUri: vault.vaultUri,
    keyName: properties.keyName,
    // Absent and "" both mean automatic updates.
    pinned: properties.keyVersion ? properties.keyVersion.toLowerCase() : undefined,
    current: versionOf(properties.currentVersionedKeyIdentifier),
  };
}

export function findScopeKeyUse(scope: Pick<Scope, 'keyUri' | 'currentKeyId'>): KeyUse | undefined {
  const key = parseKeyIdentifier(scope.keyUri);
  if (!key) return undefined;
  const { vaultUri, keyName, version } = key;
  return { vaultUri, keyName, pinned: version, current: versionOf(scope.currentKeyId) ?? version };
}

export function toKeyUse({ key, pinned, current, mode }: UseRow): KeyUse {
  const { vaultUri = '', keyName = '' } = parseKeyIdentifier(key) ?? {};
  return { vaultUri, keyName, pinned: mode === 'pinned' ? pinned : undefined, current };
}

/** Returns whether the use has that key. Vault URIs have `parseVault`'s format; key names are case-insensitive. */
export function isUseOfKey(use: KeyUse | undefined, key: { vault: { uri: string }; name: string }): use is KeyUse {
  return use !== undefined && use.vaultUri === key.vault.uri && use.keyName.toLowerCase() === key.name.toLowerCase();
}

function versionOf(identifier: string | undefined): string | undefined {
  return identifier ? parseKeyIdentifier(identifier)?.version : undefined;
}

/** Returns the identifier of the version in use, or of the pinned version if Azure omits the version in use. */
export function getUsedVersionId(use: KeyUse): string | undefined {
  const version = getVersionInUse(use);
  return version === undefined ? undefined : formatKeyIdentifier(use, version);
}
