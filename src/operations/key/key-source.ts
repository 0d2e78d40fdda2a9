import { describeFailure } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { checkKeyAccess } from '../../identities/check-key-access.ts';
import { ENCRYPTION_USER, roleNameIn } from '../../identities/key-roles.ts';
import { parseVault } from '../../keys/key-identifier.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import { checkName } from '../names.ts';
import type { Operation } from '../operator-azure.ts';
import { findVault, keyIn } from '../resolve.ts';
import { unprotected } from '../vault/vault-ensure.ts';
import { noteVault } from '../vault/vault-notes.ts';
import { checkSupported, usableVersion } from './usable-key.ts';

/** Which key, and how: arguments of every operation that points an account at a key. */
export interface KeyChoice {
  /** Name, ARM id or URI. */
  readonly vault: string;
  readonly key: string;
  /** `newest`, or a version; undefined: automatic. */
  readonly pin?: string | undefined;
  /** The key is in another tenant: what is there can neither be seen nor checked from here. */
  readonly otherTenant?: boolean | undefined;
}

/** A key that has been checked as far as it can be seen. */
export interface KeySource {
  /** As Azure writes it. */
  readonly vaultUri: string;
  readonly keyName: string;
  readonly pin: string | undefined;
  /** Undefined in another tenant. */
  readonly vault: Vault | undefined;
  readonly key: ManagedKey | undefined;
}

/** `kv-files/files-key, automatic`. */
export function describeSource({ vault, vaultUri, keyName, pin }: KeySource): string {
  return `${vault?.name ?? vaultUri}/${keyName}, ${pin === undefined ? 'automatic' : `pinned to ${pin}`}`;
}

/**
 * Looks at a key as Storage would, so that every refusal is said in words before Azure says it in codes.
 *
 * @throws {@link CmkError} for a vault without purge protection, or a key that cannot be used
 */
export async function readKeySource(choice: KeyChoice, operation: Operation): Promise<KeySource> {
  if (choice.otherTenant) return foreignKey(choice, operation);
  const { azure, journal } = operation;
  const vault = await findVault(choice.vault, azure);
  const key = keyIn(vault, choice.key, azure.cloud);
  noteVault(vault, operation);
  if (!vault.purgeProtection || !vault.softDelete) throw unprotected(vault);
  const wanted = choice.pin === undefined || choice.pin === 'newest' ? undefined : choice.pin;
  if (wanted !== undefined) checkName('version', wanted);
  let version: KeyVersion;
  try {
    const [description, versions] = await Promise.all([azure.keyAdmin.describe(key), azure.keys.listVersions(key)]);
    if (description) checkSupported(key, description);
    version = usableVersion(key, versions, wanted, azure.now());
  } catch (error) {
    // Storage reads the key with the account's identity: the operator need not be able to.
    if (describeFailure(error).kind !== 'forbidden' || choice.pin === 'newest') throw error;
    journal.note(
      `Your sign-in may not read ${vault.name}/${choice.key}: whether it can be used is left to Azure to say.`,
    );
    return { vaultUri: vault.uri, keyName: choice.key, pin: wanted?.toLowerCase(), vault, key };
  }
  journal.found(`key ${vault.name}/${key.name}, version ${version.version}`);
  const pin = choice.pin === undefined ? undefined : version.version;
  return { vaultUri: vault.uri, keyName: key.name, pin, vault, key };
}

function foreignKey({ vault, key, pin }: KeyChoice, { azure, journal }: Operation): KeySource {
  const uri = vault.includes(':') ? vault : `https://${vault}.${azure.cloud.keyVaultSuffix}`;
  const parsed = parseVault(uri);
  if (!parsed) checkName('vault', vault);
  if (!parsed || pin === 'newest') {
    throw new CmkError(
      'ArgumentInvalid',
      parsed
        ? 'The newest version of a key in another tenant cannot be read from here.'
        : `"${vault}" is no vault URI.`,
      parsed ? 'Name the version, or leave --pin out.' : 'Give it as https://<vault>.vault.azure.net',
    );
  }
  checkName('key', key);
  if (pin !== undefined) checkName('version', pin);
  journal.note(
    `The key is in another tenant: purge protection, key and role have to be checked there. The application whose client id is given with --federated-client-id needs Key Vault Crypto Service Encryption User on it.`,
  );
  return { vaultUri: `${parsed.vaultUri}/`, keyName: key, pin: pin?.toLowerCase(), vault: undefined, key: undefined };
}

/**
 * Whether an account's identity may use the key.
 *
 * @param account as it is to be: with the identity that its encryption settings are to name
 * @throws {@link CmkError} `IdentityHasNoAccess` when it certainly may not
 */
export async function checkRole(
  account: Account,
  { vault, key }: KeySource,
  identityName: string,
  { azure, journal }: Operation,
): Promise<void> {
  if (!vault || !key) return;
  const [access] = await checkKeyAccess([account], key, azure);
  if (access?.ready === true) {
    journal.found(`${identityName} may use ${vault.name}/${key.name}`);
    return;
  }
  if (access?.ready === 'unknown' || !access) {
    journal.note(`Whether ${identityName} may use the key cannot be told: ${access?.missing.join(' ') ?? ''}`);
    return;
  }
  if (access.reason === 'IdentityDeleted' || access.reason === 'IdentityMissing') {
    throw new CmkError(
      'IdentityHasNoAccess',
      access.missing.join(' '),
      'Give the account another identity first: `cmk account enable … --identity <identity> --replace-identity`.',
    );
  }
  const command = /^the system/.test(identityName)
    ? `cmk admin grant-role --assignee ${access.principalId} ${vaultOption(vault)}`
    : `cmk admin ensure-identity ${identityName} ${vaultOption(vault)}`;
  throw new CmkError(
    'IdentityHasNoAccess',
    `${identityName} may not use ${vault.name}/${key.name}: ${access.missing[0] ?? ''}`,
    `Give it ${roleNameIn(ENCRYPTION_USER, vault)}: ${command}`,
  );
}
