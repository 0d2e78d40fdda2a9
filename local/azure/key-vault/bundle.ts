import type { DeletedKey, Key, KeyVersion, Vault } from '../world.ts';
import { publicMaterial } from './key-material.ts';
import { keyIdentifier } from './keys.ts';

/** A key with its public material, as create, get, update and rotate return it. */
export function keyBundle(vault: Vault, key: Key, version: KeyVersion, apiVersion: string): Record<string, unknown> {
  return {
    key: {
      kid: keyIdentifier(vault, key.name, version.version),
      kty: version.kty,
      key_ops: version.keyOps,
      ...publicMaterial(version.privateKey),
      // The HSM of a premium vault writes the exponent of a key that it generated in four bytes (seen in a recording).
      ...(version.kty === 'RSA-HSM' && !version.imported && !vault.local ? { e: 'AAEAAQ' } : {}),
    },
    attributes: {
      ...attributes(vault, version, apiVersion),
      ...(atLeast(apiVersion, 7.4) ? { exportable: false } : {}),
      ...(atLeast(apiVersion, 7.5) ? { hsmPlatform: platformOf(version) } : {}),
    },
    ...(version.tags ? { tags: version.tags } : {}),
  };
}

/** Software keys have 0; each new version in hardware is on the current platform ("About keys", `hsmPlatform`). */
function platformOf({ kty, hsmPlatform = '2' }: KeyVersion): string {
  return kty.endsWith('-HSM') ? hsmPlatform : '0';
}

/** An item in a list of keys (`kid` without a version) or of versions. */
export function keyItem(
  vault: Vault,
  key: Key,
  version: KeyVersion,
  apiVersion: string,
  withVersion: boolean,
): Record<string, unknown> {
  return {
    kid: keyIdentifier(vault, key.name, withVersion ? version.version : undefined),
    // Lists show it with every api-version, keys only with newer ones (seen in recordings of 2023).
    attributes: { ...attributes(vault, version, apiVersion), exportable: false },
    ...(version.tags ? { tags: version.tags } : {}),
  };
}

/** The additional fields of a soft-deleted key. */
export function deletion(vault: Vault, key: DeletedKey): Record<string, unknown> {
  return {
    recoveryId: `${vault.properties.vaultUri.replace(/\/$/, '')}/deletedkeys/${key.name}`,
    deletedDate: key.deletedDate,
    scheduledPurgeDate: key.scheduledPurgeDate,
  };
}

/** Days in which a deleted key can be recovered; 0 without soft delete. */
export function recoverableDays(vault: Vault): number {
  return vault.properties.enableSoftDelete === false ? 0 : (vault.properties.softDeleteRetentionInDays ?? 90);
}

function attributes(vault: Vault, version: KeyVersion, apiVersion: string): Record<string, unknown> {
  return {
    enabled: version.enabled,
    ...(version.nbf !== undefined ? { nbf: version.nbf } : {}),
    ...(version.exp !== undefined ? { exp: version.exp } : {}),
    created: version.created,
    updated: version.updated,
    recoveryLevel: recoveryLevel(vault),
    ...(atLeast(apiVersion, 7.1) ? { recoverableDays: recoverableDays(vault) } : {}),
  };
}

function recoveryLevel(vault: Vault): string {
  const days = recoverableDays(vault);
  if (days === 0) return 'Purgeable';
  const level = days < 90 ? 'CustomizedRecoverable' : 'Recoverable';
  return vault.properties.enablePurgeProtection ? level : `${level}+Purgeable`;
}

/** `7.6-preview.2` and `2025-07-01` are at least 7.5; `2016-10-01` is not, since dates before 2020 precede 7.0. */
function atLeast(apiVersion: string, minimum: number): boolean {
  const dated = /^(20\d\d)-/.exec(apiVersion);
  return dated ? Number(dated[1]) >= 2020 : Number.parseFloat(apiVersion) >= minimum;
}
