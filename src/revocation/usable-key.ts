import { readUnless } from '../azure/failure.ts';
import { CmkError } from '../errors/errors.ts';
import type { KeyCatalog, KeyKind } from '../keys/key-client.ts';
import { findNewestVersion, findVersion, getUsability, isStorageKind, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { formatVaultOption, getAzVaultOption } from '../keys/vault-options.ts';
import { formatRestoreCommand } from './restore-command.ts';
import { openRevocation } from './revocation.ts';

/** `kv-files/files-key`. */
export function formatKeyName({ vault, name }: ManagedKey): string {
  return `${vault.name}/${name}`;
}

export function createKeyNotFound(key: ManagedKey): CmkError {
  return new CmkError(
    'KeyNotFound',
    `The key ${formatKeyName(key)} does not exist; nothing was changed.`,
    `Check the names of vault and key, or create it: cmk key ensure ${key.name} ${formatVaultOption(key.vault)}`,
  );
}

/**
 * @param why consequence for the command
 * @throws {@link CmkError} `RevocationOpen`
 */
export function refuseRevoked(key: ManagedKey, versions: readonly KeyVersion[], why: string, now: Date): void {
  const open = openRevocation(versions, now);
  if (!open) return;
  throw new CmkError(
    'RevocationOpen',
    `The key ${formatKeyName(key)} was revoked on ${open.revokedOn.toISOString()}: ${why}.`,
    `Restore it first: ${formatRestoreCommand(key, open)}`,
  );
}

/**
 * The next step for a disabled version whose tags show no revocation. It enables and creates no version: another tool may
 * have removed the record of a revocation.
 */
export function describeDisabledVersion(key: ManagedKey): string {
  return `Ask who disabled it, and why, before you enable it or create a new version: the vault's log and \`cmk audit list --key ${formatKeyName(key)}\` tell. If the key was revoked, restore it: cmk key restore`;
}

/** @throws {@link CmkError} `UnknownVersion` */
export function requireVersion(key: ManagedKey, versions: readonly KeyVersion[], version: string): KeyVersion {
  const found = findVersion(versions, version);
  if (found) return found;
  throw new CmkError(
    'UnknownVersion',
    `The key ${formatKeyName(key)} has no version ${version}.`,
    `List its versions: cmk key show ${key.name} ${formatVaultOption(key.vault)}`,
  );
}

/**
 * Returns the named version for an account, else the newest. An older usable version is no substitute: without a named
 * version Storage always uses the newest.
 *
 * @throws {@link CmkError} if the version is unusable, with the reason and the next step
 */
export function requireUsableVersion(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  version: string | undefined,
  now: Date,
): KeyVersion {
  const newest = findNewestVersion(versions);
  if (!newest) throw createKeyNotFound(key);

  refuseRevoked(key, versions, 'the app moves no account onto or off it', now);

  const chosen = version === undefined ? newest : requireVersion(key, versions, version);
  const which =
    version === undefined
      ? `The newest version of ${formatKeyName(key)}`
      : `Version ${version} of ${formatKeyName(key)}`;
  const state = getUsability(chosen, now);
  if (state === 'Usable') return chosen;

  const refusals = {
    Disabled: ['KeyDisabled', `${which} is disabled. Its tags show no revocation.`, describeDisabledVersion(key)],
    Expired: [
      'KeyExpired',
      `${which} expired on ${chosen.expiresOn?.toISOString()}. Storage accepts no expired key for a change, but accounts that already use it keep working.`,
      `Create a new version: cmk key rotate ${key.name} ${formatVaultOption(key.vault)}`,
    ],
    NotYetActive: [
      'VersionNotYetActive',
      `${which} is not active before ${chosen.notBefore?.toISOString()}.`,
      'Wait until then, or name another version.',
    ],
  } as const;

  const [reason, message, nextStep] = refusals[state];

  throw new CmkError(reason, message, nextStep);
}

/**
 * A soft-deleted key blocks its name. An operator without the right to check gets Azure's conflict later.
 *
 * @throws {@link CmkError} `NameTaken`
 */
export async function refuseDeleted(
  key: ManagedKey,
  { keyAdmin }: { readonly keyAdmin: Pick<KeyCatalog, 'isDeleted'> },
): Promise<void> {
  if (!(await readUnless('forbidden', () => keyAdmin.isDeleted(key)))) return;
  throw new CmkError(
    'NameTaken',
    `The key ${formatKeyName(key)} was deleted and can still be recovered: its name is unavailable until the key is purged.`,
    `Recover it with \`az keyvault key recover ${getAzVaultOption(key.vault)} ${key.vault.name} --name ${key.name}\`, or choose another name.`,
  );
}

/**
 * Checks whether Storage supports this kind of key (Azure Storage, "Customer-managed keys overview").
 *
 * @throws {@link CmkError} `KeyUnsupported`
 */
export function checkSupported(key: ManagedKey, kind: KeyKind): void {
  if (isStorageKind(kind)) return;
  const size = kind.size === undefined ? '' : ` of ${kind.size} bits`;
  throw new CmkError(
    'KeyUnsupported',
    `${formatKeyName(key)}: Storage supports no key of type ${kind.type}${size}, only RSA and RSA-HSM keys of 2048, 3072 and 4096 bits.`,
    'Create a key under another name: cmk key ensure <name> --size 3072',
  );
}

/** @throws {@link CmkError} `ArgumentInvalid` */
export function checkExpiry(expiresOn: Date | undefined, now: Date): void {
  if (!expiresOn || expiresOn > now) return;
  throw new CmkError(
    'ArgumentInvalid',
    `${expiresOn.toISOString()} is in the past: the key would be unusable.`,
    'Choose an expiry in the future.',
  );
}
