import { describeFailure } from '../../../azure/failure.ts';
import { CmkError } from '../../../errors/errors.ts';
import { createAccessReader } from '../../../identities/check-key-access.ts';
import { listMissingRights } from '../../../identities/key-access.ts';
import { ENCRYPTION_USER, getRoleName } from '../../../identities/key-roles.ts';
import type { KeyVersion } from '../../../keys/key-versions.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import { formatVaultOption } from '../../../keys/vault-options.ts';
import { checkSupported, requireUsableVersion } from '../../../revocation/usable-key.ts';
import type { Vault } from '../../../vaults/vault-client.ts';
import { checkName } from '../names.ts';
import type { Operation } from '../operator-azure.ts';
import { createKeyIn, findVault } from '../resolve.ts';
import { createUnprotected, noteVault } from '../vault/vault-ensure.ts';

/** Key and mode: arguments of every operation that sets the key of an account. */
export interface KeyChoice {
  /** Name, ARM id or URI. */
  readonly vault: string;
  readonly key: string;
  /** `newest`, or a version; undefined: automatic. */
  readonly pin?: string | undefined;
}

/** A key after all checks that the sign-in allows. */
export interface KeySource {
  /** As Azure returns it. */
  readonly vaultUri: string;
  readonly keyName: string;
  readonly pin: string | undefined;
  readonly vault: Vault;
  readonly key: ManagedKey;
}

/** `kv-files/files-key, automatic`. */
export function describeSource({ vault, keyName, pin }: KeySource): string {
  return `${vault.name}/${keyName}, ${pin === undefined ? 'automatic' : `pinned to ${pin}`}`;
}

/**
 * Checks a key as Storage would, so that errors come in plain words before Azure returns codes.
 *
 * @throws {@link CmkError} for a vault without purge protection, or an unusable key
 */
export async function readKeySource(choice: KeyChoice, operation: Operation): Promise<KeySource> {
  const { azure, journal } = operation;
  const vault = await findVault(choice.vault, azure);
  const key = createKeyIn(vault, choice.key, azure.cloud);

  noteVault(vault, operation);

  if (!vault.purgeProtection || !vault.softDelete) throw createUnprotected(vault);

  const wanted = choice.pin === undefined || choice.pin === 'newest' ? undefined : choice.pin;
  if (wanted !== undefined) checkName('version', wanted);

  let version: KeyVersion;
  try {
    const [description, versions] = await Promise.all([azure.keyAdmin.describe(key), azure.keys.listVersions(key)]);
    if (description) checkSupported(key, description);
    version = requireUsableVersion(key, versions, wanted, azure.now());
  } catch (error) {
    // Storage reads the key with the account's identity, so the operator needs no right to read it.
    if (describeFailure(error).kind !== 'forbidden' || choice.pin === 'newest') throw error;
    journal.note(`Your sign-in may not read ${vault.name}/${choice.key}: Azure checks it when it writes the account.`);
    return { vaultUri: vault.uri, keyName: choice.key, pin: wanted?.toLowerCase(), vault, key };
  }

  journal.found(`key ${vault.name}/${key.name}, version ${version.version}`);

  const pin = choice.pin === undefined ? undefined : version.version;

  return { vaultUri: vault.uri, keyName: key.name, pin, vault, key };
}

/**
 * Checks whether an identity may use the key.
 *
 * @throws {@link CmkError} `IdentityHasNoAccess` if the identity may not use the key
 */
export async function checkRole(
  principalId: string,
  identityName: string,
  { vault, key }: KeySource,
  { azure, journal }: Operation,
): Promise<void> {
  const access = await createAccessReader(key.vault, vault, azure)(principalId, key.name);
  const { lacking, undetermined } = listMissingRights(principalId, { vaultId: vault.id, name: key.name }, access);
  if (lacking.length === 0) {
    journal.found(`${identityName} may use ${vault.name}/${key.name}`);
    return;
  }

  if (undetermined !== undefined) {
    journal.note(`It is unknown whether ${identityName} may use the key: ${undetermined}`);
    return;
  }

  const command = /^the system/.test(identityName)
    ? `cmk admin grant-role --assignee ${principalId} ${formatVaultOption(vault)}`
    : `cmk admin ensure-identity ${identityName} ${formatVaultOption(vault)}`;
  throw new CmkError(
    'IdentityHasNoAccess',
    `${identityName} may not use ${vault.name}/${key.name}: ${lacking[0]}`,
    `Assign it ${getRoleName(ENCRYPTION_USER, vault)}: ${command}`,
  );
}
