import { ArmError } from '../arm/errors.ts';
import { letsStorageIn } from '../key-vault/firewall.ts';
import { findKeyVersion, findVault } from '../key-vault/keys.ts';
import { hasKeyPermission } from '../key-vault/permissions.ts';
import type { KeyVersion, Vault, World } from '../world.ts';
import type { EncryptionIdentity } from './encryption-identity.ts';

/** The key that is to encrypt a storage account or an encryption scope. */
export interface KeyReference {
  readonly vaultUri: string;
  readonly keyName: string;
  /** Absent or empty: the newest. */
  readonly version: string | undefined;
}

/**
 * The refusals of the Storage resource provider for a new key. Codes and messages are from public reports where one
 * exists: a report has 400 for the vault's policy and 403 for access, and no status for the others.
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
  // Documented is only that Storage accepts RSA and RSA-HSM keys of these sizes.
  wrongKey: (version: KeyVersion) =>
    new ArmError(
      400,
      'KeyVaultKeyNotSupported',
      `The key is of type ${version.kty} and ${version.keySize} bits. Only RSA and RSA-HSM keys of 2048, 3072 and 4096 bits are supported.`,
    ),
} as const;

/** Whether the identity has what Storage needs: network access to the vault, and get, wrap and unwrap on the key. */
export function identityHasAccess(world: World, vault: Vault, keyName: string, identity: EncryptionIdentity): boolean {
  // Storage's answer is not documented if the firewall excludes it: assumed to be that for a missing role.
  if (!letsStorageIn(vault)) return false;
  if (identity.kind !== 'principal') return identity.kind === 'crossTenant';
  return (['get', 'wrapKey', 'unwrapKey'] as const).every((permission) =>
    hasKeyPermission(world, vault, identity.principalId, keyName, permission),
  );
}

/** Whether Storage can wrap with the version now: it is enabled, active, not expired, and allows wrap and unwrap. */
export function isUsable(world: World, version: KeyVersion): boolean {
  const now = world.clock.nowSeconds();
  const isInTime = (version.nbf ?? 0) <= now && (version.exp ?? Number.POSITIVE_INFINITY) > now;
  return version.enabled && isInTime && ['wrapKey', 'unwrapKey'].every((one) => version.keyOps.includes(one));
}

/** The version that a reference means, after all of Storage's checks. Throws its refusal. */
export function checkKey(world: World, reference: KeyReference, identity: EncryptionIdentity): KeyVersion {
  if (identity.kind === 'none') throw refusals.noIdentity(identity.message);

  const vault = findVault(world, reference.vaultUri);
  if (!vault) throw refusals.noKey(reference);
  if (!identityHasAccess(world, vault, reference.keyName, identity)) throw refusals.noAccess();

  const found = findKeyVersion(world, reference.vaultUri, reference.keyName, reference.version);
  if (!found) throw refusals.noKey(reference);

  // Soft delete is on unless the vault says otherwise; purge protection has to be on.
  if (vault.properties.enableSoftDelete === false || vault.properties.enablePurgeProtection !== true) {
    throw refusals.vaultPolicy();
  }

  if (!found.version.kty.startsWith('RSA') || ![2048, 3072, 4096].includes(found.version.keySize)) {
    throw refusals.wrongKey(found.version);
  }

  // A disabled key refuses the wrap with 403, and so does an expired one when it is set (seen in reports). The answer
  // for a key that must not wrap or unwrap is not documented: assumed to be the same.
  if (!isUsable(world, found.version)) throw refusals.noAccess();

  return found.version;
}

/** `https://<vault>.vault.azure.net/keys/<name>/<version>` in Storage's spelling. */
export function versionedIdentifier(reference: KeyReference, version: KeyVersion): string {
  return `${reference.vaultUri.replace(/\/$/, '')}/keys/${reference.keyName}/${version.version}`;
}

/** The parts of a key identifier, with or without a version; undefined if it is none. */
export function parseKeyUri(keyUri: string): KeyReference | undefined {
  const match = /^(https:\/\/[^/?#]+)\/keys\/([^/?#]+)(?:\/([^/?#]+))?\/?$/i.exec(keyUri);
  const [, vaultUri, keyName, version] = match ?? [];
  return vaultUri && keyName ? { vaultUri, keyName, version } : undefined;
}
