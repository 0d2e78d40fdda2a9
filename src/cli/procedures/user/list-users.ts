import { CmkError } from '../../../errors/errors.ts';
import { listKeyUsers, type UserList } from '../../../key-users/user-list.ts';
import { isSameKeyName } from '../../../keys/key-identifier.ts';
import type { ManagedKey, ManagedVault } from '../../../keys/managed-vaults.ts';
import type { Operation } from '../operator-azure.ts';
import { findVault, toManagedVault } from '../resolve.ts';
import { findAppVaults } from '../vault/vault-ensure.ts';

export interface UserFilters {
  /** Names, ARM ids or URIs; empty: those of the app, or that of the key. */
  readonly vault: readonly string[];
  readonly key?: ManagedKey | undefined;
  /** Full types, or their last words. */
  readonly type?: readonly string[] | undefined;
  readonly mode?: readonly string[] | undefined;
}

/** Lists the users of keys with the operator's sign-in. @throws {@link CmkError} `ArgumentInvalid` if no vault is named */
export async function listUsers(filters: UserFilters, operation: Operation): Promise<UserList> {
  const { azure } = operation;
  const { key } = filters;
  const vaults = await vaultsOf(filters, operation);
  const { resourceGraph, keys, now } = azure;
  const isWanted = ({ name }: ManagedKey): boolean => key === undefined || isSameKeyName(name, key.name);
  const list = await listKeyUsers(vaults, isWanted, {
    resourceGraph,
    listVersions: (one) => keys.listVersions(one),
    now,
  });

  const value = list.value
    .filter(({ type }) => isOneOf(type, filters.type))
    .filter(({ mode }) => filters.mode === undefined || filters.mode.includes(mode));

  return { ...list, value };
}

async function vaultsOf({ vault, key }: UserFilters, { azure, environment }: Operation): Promise<ManagedVault[]> {
  if (key) return [key.vault];

  if (vault.length > 0) {
    return Promise.all(vault.map(async (one) => toManagedVault(await findVault(one, azure), azure.cloud)));
  }

  const known = findAppVaults(environment, azure.cloud)?.all ?? [];
  if (known.length > 0) return [...known];

  throw new CmkError(
    'ArgumentInvalid',
    'No vault is named.',
    'Name vaults with --vault <vault>, or a key with --key, or set CMK_VAULTS.',
  );
}

function isOneOf(type: string, wanted: readonly string[] | undefined): boolean {
  const all = wanted?.map((one) => one.toLowerCase());
  return all === undefined || all.some((one) => one === type || one === type.split('/').at(-1));
}
