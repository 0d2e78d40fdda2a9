import { CmkError } from '../../errors.ts';
import type { KeyDescription } from '../../keys/key-admin-client.ts';
import {
  findVersion,
  isStorageKind,
  type KeyVersion,
  newestVersion,
  STORAGE_KEY_SIZES,
  usability,
} from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { azVaultOption, vaultOption } from '../../keys/vault-options.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import { openRevocation } from '../../revocation/revocation.ts';

/**
 * The version that an account is to use: the one named, else the newest. Storage takes the newest version of a key that
 * is given without one, so an older usable one does not help.
 *
 * @throws {@link CmkError} saying why it cannot be used, and what to do
 */
export function usableVersion(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  version: string | undefined,
  now: Date,
): KeyVersion {
  const name = `${key.vault.name}/${key.name}`;
  const here = vaultOption(key.vault);
  if (versions.length === 0) {
    throw new CmkError('KeyNotFound', `There is no key ${name}.`, `Create it: cmk key ensure ${key.name} ${here}`);
  }
  const revocation = openRevocation(versions, now);
  if (revocation) {
    throw new CmkError(
      'RevocationOpen',
      `The key ${name} was revoked on ${revocation.revokedOn.toISOString()}.`,
      `The app moves no account onto or off it. Restore it first: ${restoreCommand(key, revocation)}`,
    );
  }
  const chosen = version === undefined ? newestVersion(versions) : findVersion(versions, version);
  if (!chosen) {
    throw new CmkError(
      'UnknownVersion',
      `The key ${name} has no version ${version}.`,
      `See its versions: cmk key show ${key.name} ${here}`,
    );
  }
  const which = version === undefined ? `The newest version of ${name}` : `Version ${version} of ${name}`;
  switch (usability(chosen, now)) {
    case 'Usable':
      return chosen;
    case 'Disabled':
      throw new CmkError(
        'KeyDisabled',
        `${which} is disabled.`,
        `Enable it (az keyvault key set-attributes ${azVaultOption(key.vault)} ${key.vault.name} --name ${key.name} --version ${chosen.version} --enabled true), or make a new one: az keyvault key create with the same name.`,
      );
    case 'Expired':
      throw new CmkError(
        'KeyExpired',
        `${which} expired on ${chosen.expiresOn?.toISOString()}. Storage takes no expired key, though accounts that use it go on.`,
        `Make a new version: cmk key rotate ${key.name} ${here}`,
      );
    case 'NotYetActive':
      throw new CmkError(
        'VersionNotYetActive',
        `${which} is not active before ${chosen.notBefore?.toISOString()}.`,
        'Wait until then, or name another version.',
      );
  }
}

/**
 * Whether Storage takes keys of this kind (Azure Storage, "Customer-managed keys overview").
 *
 * @throws {@link CmkError} `KeyUnsupported`
 */
export function checkSupported(key: ManagedKey, { kty, size }: Pick<KeyDescription, 'kty' | 'size'>): void {
  if (isStorageKind({ type: kty, size })) return;
  throw new CmkError(
    'KeyUnsupported',
    `${key.vault.name}/${key.name} is a key of type ${kty}${size === undefined ? '' : ` and ${size} bits`}. Storage takes RSA and RSA-HSM keys of 2048, 3072 and 4096 bits only.`,
    'Create a key under another name: cmk key ensure <name> --size 3072',
  );
}

/**
 * A size for a new key.
 *
 * @throws {@link CmkError} `KeyUnsupported`
 */
export function checkSize(size: number): void {
  if (STORAGE_KEY_SIZES.includes(size)) return;
  throw new CmkError(
    'KeyUnsupported',
    `Storage takes no RSA key of ${size} bits.`,
    'Take a key of 2048, 3072 or 4096 bits.',
  );
}
