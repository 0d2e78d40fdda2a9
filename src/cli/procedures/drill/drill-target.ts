import type { Account } from '../../../accounts/account.ts';
import { findAccountKeyUse, isUseOfKey } from '../../../accounts/key-use.ts';
import { isSameResource, parseStorageAccountId } from '../../../azure/resource-id.ts';
import { CmkError } from '../../../errors/errors.ts';
import { formatFirst } from '../../../formats/text.ts';
import type { KeyVersion } from '../../../keys/key-versions.ts';
import { createManagedKey, type ManagedKey } from '../../../keys/managed-vaults.ts';
import { formatVaultOption } from '../../../keys/vault-options.ts';
import { createKeyNotFound, formatKeyName } from '../../../revocation/usable-key.ts';
import { readBlastRadiusAsOperator } from '../key/blast-radius-of.ts';
import type { Operation } from '../operator-azure.ts';
import { findAppVaults } from '../vault/vault-ensure.ts';

/** Tag of a drill's key, whose value is the ARM id of the account; of the account, it is the identifier of the key. */
export const DRILL_TAG = 'cmk-drill';

/** Deadline for reading every user of the key, in milliseconds. */
const READ_MS = 60_000;

/** A key that exists for drills, and the only account that uses it. */
export interface DrillTarget {
  readonly key: ManagedKey;
  readonly account: Account;
}

/**
 * Finds the account of a drill's key. Key and account have to name each other in their tags, so that no tag alone makes
 * a key of the fleet a target.
 *
 * @throws {@link CmkError} `VaultNotManaged`, `KeyNotFound`, `NotForDrills`
 */
export async function findDrillTarget(named: ManagedKey, operation: Operation): Promise<DrillTarget> {
  const { azure } = operation;
  const key = requireManaged(named, operation);
  const versions = await azure.keys.listVersions(key);
  if (versions.length === 0) throw createKeyNotFound(key);

  const accountId = findDrillAccountId(versions);
  const id = accountId === undefined ? undefined : parseStorageAccountId(accountId);
  if (!id) throw createNotForDrills(key, `${formatKeyName(key)} has no tag ${DRILL_TAG} with the id of an account`);

  const account = await azure.accounts.find(id);
  if (!account) throw createNotForDrills(key, `The account ${id.name} of its tag does not exist`);
  requireDrillAccount(account, key);

  return { key, account };
}

/** @throws {@link CmkError} `NotForDrills` */
export function requireDrillAccount({ name, tags, encryption }: Account, key: ManagedKey): void {
  if (tags[DRILL_TAG]?.toLowerCase() !== key.id) {
    throw createNotForDrills(key, `The account ${name} has no tag ${DRILL_TAG} with the identifier of the key`);
  }
  if (!isUseOfKey(findAccountKeyUse(encryption), key)) {
    throw createNotForDrills(key, `The account ${name} does not use the key`);
  }
}

/**
 * The key in its managed vault.
 *
 * @throws {@link CmkError} `VaultNotManaged`, also if CMK_VAULTS is unknown: only the app moves the account
 */
export function requireManaged({ vault, name }: ManagedKey, { azure, environment }: Operation): ManagedKey {
  const managed = findAppVaults(environment, azure.cloud)?.byUri(vault.uri);
  if (managed) return createManagedKey(managed, name);

  throw new CmkError(
    'VaultNotManaged',
    `${vault.name} is not among CMK_VAULTS: a drill proves that the app moves the account of the key.`,
    'Set CMK_VAULTS as the app has it, and name a key of one of these vaults.',
  );
}

/** The account that the newest version with the tag names: a rotation that was interrupted has not copied the tag yet. */
export function findDrillAccountId(versions: readonly KeyVersion[]): string | undefined {
  return versions.findLast(({ tags }) => tags[DRILL_TAG] !== undefined)?.tags[DRILL_TAG];
}

export function createNotForDrills({ name, vault }: ManagedKey, why: string): CmkError {
  return new CmkError(
    'NotForDrills',
    `${why}. Nothing was changed.`,
    `A drill needs a key and an account of its own: cmk drill ensure ${name} ${formatVaultOption(vault)} --account <new account>`,
  );
}

/**
 * Reads every user of the key anew.
 *
 * @throws {@link CmkError} `DrillKeyInUse` if the key has another user, `DependentsUnknown` if that is not known
 */
export async function refuseOtherUsers({ key, account }: DrillTarget, operation: Operation): Promise<void> {
  const { azure, environment = {} } = operation;
  const radius = await readBlastRadiusAsOperator(key, azure, environment, READ_MS);
  const users = [...radius.accounts, ...radius.otherResources].filter(({ id }) => !isSameResource(id, account.id));

  if (users.length > 0 || radius.selfLockout === true) {
    const names = users.map(({ name }) => name);
    throw new CmkError(
      'DrillKeyInUse',
      `${formatKeyName(key)} is used by more than ${account.name}: ${formatFirst(names, 5) || "the app's own storage"}.`,
      'Move them to another key: cmk account change-key',
    );
  }

  if (radius.complete && radius.selfLockout === false) return;

  const gaps = radius.unread.map(({ what, detail }) => `${what}: ${detail}`);
  const own = "whether the app's own storage uses it (AzureWebJobsStorage__accountName, and Reader on that account)";
  throw new CmkError(
    'DependentsUnknown',
    `It is unknown whether anything but ${account.name} uses ${formatKeyName(key)}: ${formatFirst([...gaps, ...(radius.selfLockout === false ? [] : [own])], 3)}`,
    'Give your sign-in Reader on every subscription of the app, and set the settings of its storage.',
  );
}
