import { ArmError } from '../arm/errors.ts';
import { letsStorageIn } from '../key-vault/firewall.ts';
import { findKeyVersion, findVault } from '../key-vault/keys.ts';
import { hasKeyPermission } from '../key-vault/permissions.ts';
import type { KeyVersion, Vault, World } from '../world.ts';
import type { EncryptionIdentity } from './encryption-identity.ts';

/** The key a storage account or an encryption scope is to be encrypted with. */
export interface KeyReference {
  readonly vaultUri: string;
  readonly keyName: string;
  /** Absent or empty: the newest. */
  readonly version: string | undefined;
}

/**
 * The refusals of the Storage resource provider when a key is set. Codes and messages are those seen in public reports
 * where there is one; the report says 400 for the vault's policy and 403 for access, and nothing for the others.
 */
export const refusals = {
  noIdentity: (detail: string) =>
    new ArmError(
      400,
      'MissingMsiHeaders',
      `Missing pre-requisites to enable EncryptionAtRest/Customer Managed Key for this storage account. ${detail} For more information, see - https://aka.ms/storagecmkconfiguration`,
    ),
  noKeyProperties: () =>
    new ArmError(400, 'MissingKeyvaultProperties', 'The encryption keyvault properties are missing from the request.'),
  vaultPolicy: () => new ArmError(400, 'KeyVaultPolicyError', 'Keyvault policy recoverable is not set'),
  noAccess: () =>
    new ArmError(
      403,
      'KeyVaultAuthenticationFailure',
      'The operation failed because of authentication issue on the keyvault. For more information, see - https://aka.ms/storagekeyvaultaccesspolicy',
    ),
  noKey: ({ vaultUri, keyName, version }: KeyReference) =>
    new ArmError(
      404,
      'HttpResourceNotFound',
      `The request url ${vaultUri.replace(/\/$/, '')}/keys/${keyName}/${version ?? ''}?api-version=2016-10-01 is not found.`,
    ),
  // Not documented: only that Storage takes RSA and RSA-HSM keys of these sizes.
  wrongKey: (version: KeyVersion) =>
    new ArmError(
      400,
      'KeyVaultKeyNotSupported',
      `The key is of type ${version.kty} and ${version.keySize} bits. Only RSA and RSA-HSM keys of 2048, 3072 and 4096 bits are supported.`,
    ),
} as const;

/** Whether the identity has what Storage needs on the key: the way to the vault, and get, wrap and unwrap. */
export function identityHasAccess(world: World, vault: Vault, keyName: string, identity: EncryptionIdentity): boolean {
  // What Storage answers is not documented where the firewall keeps it out, so it is the answer to a missing role.
  if (!letsStorageIn(vault)) return false;
  if (identity.kind !== 'principal') return identity.kind === 'crossTenant';
  return (['get', 'wrapKey', 'unwrapKey'] as const).every((permission) =>
    hasKeyPermission(world, vault, identity.principalId, keyName, permission),
  );
}

/** Whether Storage can wrap with the version now: enabled, active, not expired, and allowed to wrap and unwrap. */
export function isUsable(world: World, version: KeyVersion): boolean {
  const now = world.clock.nowSeconds();
  const isInTime = (version.nbf ?? 0) <= now && (version.exp ?? Number.POSITIVE_INFINITY) > now;
  return version.enabled && isInTime && ['wrapKey', 'unwrapKey'].every((one) => version.keyOps.includes(one));
}

/** The version that a reference stands for, once everything Storage demands of it holds. Throws the refusal. */
export function checkKey(world: World, reference: KeyReference, identity: EncryptionIdentity): KeyVersion {
  if (identity.kind === 'none') throw refusals.noIdentity(identity.message);

  const vault = findVault(world, reference.vaultUri);
  if (!vault) throw refusals.noKey(reference);
  if (!identityHasAccess(world, vault, reference.keyName, identity)) throw refusals.noAccess();

  const found = findKeyVersion(world, reference.vaultUri, reference.keyName, reference.version);
  if (!found) throw refusals.noKey(reference);

  // Soft delete cannot be off any more unless the vault says so; purge protection must be on.
  if (vault.properties.enableSoftDelete === false || vault.properties.enablePurgeProtection !== true) {
    throw refusals.vaultPolicy();
  }

  if (!found.version.kty.startsWith('RSA') || ![2048, 3072, 4096].includes(found.version.keySize)) {
    throw refusals.wrongKey(found.version);
  }

  // A disabled key answers the wrap with 403, and so does an expired one when it is being enabled (seen in reports). What
  // Storage makes of the 403 of a key that may not wrap or unwrap is not documented: the same is assumed.
  if (!isUsable(world, found.version)) throw refusals.noAccess();

  return found.version;
}

/** `https://<vault>.vault.azure.net/keys/<name>/<version>` as Storage writes it. */
export function versionedIdentifier(reference: KeyReference, version: KeyVersion): string {
  return `${reference.vaultUri.replace(/\/$/, '')}/keys/${reference.keyName}/${version.version}`;
}

/** The parts of a key identifier, versioned or not; undefined when it is none. */
export function parseKeyUri(keyUri: string): KeyReference | undefined {
  const match = /^(https:\/\/[^/?#]+)\/keys\/([^/?#]+)(?:\/([^/?#]+))?\/?$/i.exec(keyUri);
  const [, vaultUri, keyName, version] = match ?? [];
  return vaultUri && keyName ? { vaultUri, keyName, version } : undefined;
}
