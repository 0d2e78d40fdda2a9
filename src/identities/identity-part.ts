import { CmkError } from '../errors.ts';
import type { Account } from '../fleet/account.ts';
import { accountKeyUse } from '../fleet/key-use.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { AccountPart } from '../revocation/account-part.ts';
import type { Taken, TakenAccess } from '../revocation/account-record.ts';
import { type AccessRoles, isSamePrincipal, notRevocable } from './access-roles.ts';
import { keyIdentity } from './key-access.ts';
import { type LocalRoleServices, localAccessRoles } from './local-access-roles.ts';
import { type VaultAccessServices, vaultAccessRoles } from './vault-access-roles.ts';

export interface IdentityPartServices extends VaultAccessServices, LocalRoleServices {
  readonly accounts: Pick<StorageAccounts, 'get'>;
}

/**
 * What an account's identity reaches its key by: its assignments of the one role that Storage's identities have, on the vault
 * and on the key. Nothing else is taken away, since the record, and the right to give back, are of that role alone.
 */
export function identityPart(account: Account, key: ManagedKey, services: IdentityPartServices): AccountPart {
  const { accounts } = services;
  const roles: AccessRoles =
    key.vault.kind === 'vault' ? vaultAccessRoles(key, services) : localAccessRoles(key, services);
  const mine = (taken: Taken): TakenAccess => {
    const identity = keyIdentity(account);
    const principal = 'principalId' in identity ? identity.principalId : '';
    if (roles.isHere(taken) && isSamePrincipal(principal, taken.principalId)) return taken;
    throw new CmkError(
      'Refused',
      `The record names what the identity of ${account.name} cannot have had on ${key.vault.name}: nothing of it is given.`,
      'Where account or key have another identity or vault since, put that back and repeat the restore; or give by hand what is missing (`cmk role ensure`), then take the tags `cmk-revoked-…` of the open ids away. Else find out who wrote the tags.',
    );
  };
  return {
    account,
    part: 'identity',
    rights: roles.rights,
    async held() {
      const now = await accounts.get(account);
      // What was begun before the record stood may have moved it meanwhile.
      if (!isSameWay(now, account)) throw movedMeanwhile(account);
      const identity = keyIdentity(account);
      if ('principalId' in identity) return roles.heldBy(identity.principalId);
      throw notRevocable('missing' in identity ? identity.missing : identity.unknown, key);
    },
    doubt: () => roles.doubt(),
    async isHeld(taken) {
      const role = mine(taken);
      // Given by hand meanwhile, under a name of its own: Azure takes no second one beside it.
      return (await roles.find(role)) !== undefined || (await roles.isAssigned(role));
    },
    standing: async (taken) => roles.find(mine(taken)),
    async take(taken) {
      const role = mine(taken);
      if (await roles.find(role)) await roles.remove(role);
    },
    give: async (taken) => roles.giveBack(mine(taken)),
  };
}

/** Whether it reaches the same key by the same identity. */
function isSameWay(now: Account, before: Account): boolean {
  const way = (account: Account): string => {
    const use = accountKeyUse(account.encryption);
    return JSON.stringify([use?.vaultUri, use?.keyName, keyIdentity(account)]).toLowerCase();
  };
  return way(now) === way(before);
}

function movedMeanwhile({ name }: Account): CmkError {
  return new CmkError(
    'AccountNotRevocable',
    `${name} was put onto another key, or another identity, in the middle of it.`,
    'Repeat the same call: it is about the key that the account uses by then.',
  );
}
