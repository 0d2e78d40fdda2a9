import type { Account } from '../accounts/account.ts';
import { accountKeyUse } from '../accounts/key-use.ts';
import type { StorageAccounts } from '../accounts/storage-client.ts';
import { sameResource } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { AccountPart } from '../revocation/account-part.ts';
import type { Taken, TakenRole } from '../revocation/account-record.ts';
import type { Vaults } from '../vaults/vault-client.ts';
import type { Authorization } from './authorization-client.ts';
import { keyIdentity, letsUseKeys } from './key-access.ts';
import type { AssignedRole, FoundRole, KeyRoleAssignments } from './key-role-client.ts';
import { ENCRYPTION_USER } from './key-roles.ts';
import { covers, placeOfRole } from './role-grant.ts';

export interface IdentityPartServices {
  readonly accounts: Pick<StorageAccounts, 'get'>;
  readonly vaults: Pick<Vaults, 'get'>;
  readonly authorization: Pick<Authorization, 'grantsTo' | 'endsAt'>;
  readonly keyRoles: KeyRoleAssignments;
}

/**
 * What an account's identity reaches its key by: its assignments of the role "Key Vault Crypto Service Encryption User" on
 * the vault and on the key. Nothing else is taken away, since the record, and the right to give back, are of that role alone.
 */
export function identityPart(account: Account, key: ManagedKey, services: IdentityPartServices): AccountPart {
  const { accounts, keyRoles } = services;
  const mine = (taken: Taken): TakenRole => {
    const identity = keyIdentity(account);
    const principal = 'principalId' in identity ? identity.principalId : undefined;
    if (taken.kind === 'role' && principal?.toLowerCase() === taken.principalId.toLowerCase()) {
      if (isOnVault(taken.scope, key)) return taken;
    }
    throw new CmkError(
      'Refused',
      `The record names what the identity of ${account.name} cannot have had on ${key.vault.name}: nothing of it is given.`,
      'If account or key have another identity or vault since, give the role by hand (`cmk role ensure`); else find out who wrote the tag.',
    );
  };
  /** It is there, and is what the record says: an edited one may have the name of somebody else's. */
  const there = async ({ scope, name, principalId }: TakenRole): Promise<FoundRole | undefined> => {
    const found = await keyRoles.find(scope, name);
    return found?.roleId === ENCRYPTION_USER.id && isSame(found.principalId, principalId) ? found : undefined;
  };
  return {
    account,
    part: 'identity',
    async held() {
      const now = await accounts.get(account);
      // What was begun before the record stood may have moved it meanwhile.
      if (!isSameWay(now, account)) throw movedMeanwhile(account);
      return rolesHeld(account, key, services);
    },
    async isHeld(taken) {
      const role = mine(taken);
      if (await there(role)) return true;
      const { scope, principalId } = role;
      // Given by hand meanwhile, under a name of its own: Azure takes no second one beside it.
      const assigned = await keyRoles.assignedTo(principalId, scope);
      return assigned.some(
        (one) => one.roleId === ENCRYPTION_USER.id && isSame(one.scope, scope) && isSame(one.principalId, principalId),
      );
    },
    async standing(taken) {
      const found = await there(mine(taken));
      return found && { changedOn: found.changedOn };
    },
    async take(taken) {
      const role = mine(taken);
      if (await there(role)) await keyRoles.remove(role.scope, role.name);
    },
    give: async (taken) => keyRoles.giveBack(mine(taken)),
  };
}

async function rolesHeld(account: Account, key: ManagedKey, services: IdentityPartServices): Promise<TakenRole[]> {
  const identity = keyIdentity(account);
  if (!('principalId' in identity)) {
    throw notRevocable('missing' in identity ? identity.missing : identity.unknown, key);
  }
  if (key.vault.kind === 'managedHsm') {
    const why = `${key.vault.name} is a Managed HSM: a right to take away its local roles cannot be confined to one role.`;
    throw notRevocable(why, key);
  }
  const { accessModel } = await services.vaults.get(key.vault);
  if (accessModel !== 'rbac') {
    const why = `${key.vault.name} has access policies: whoever may take one away may give themselves every key.`;
    throw notRevocable(why, key);
  }
  const keyId = `${key.vault.id}/keys/${key.name}`;
  const { principalId } = identity;
  const [grants, assigned, ends] = await Promise.all([
    services.authorization.grantsTo(principalId, keyId),
    services.keyRoles.assignedTo(principalId, keyId),
    // Who may not read that, in an emergency, takes the role away all the same.
    services.authorization.endsAt(keyId).catch(() => new Map<string, Date>()),
  ]);
  const counts = new Set(
    grants.filter((grant) => covers(grant.scope, keyId) && letsUseKeys(grant)).map(({ id = '' }) => id.toLowerCase()),
  );
  return assigned
    .filter(({ id }) => counts.has(id.toLowerCase()))
    .map((one) => toTaken(one, principalId, key, ends.get(one.id.toLowerCase())));
}

/** @throws {@link CmkError} `AccountNotRevocable` */
function toTaken(
  { id, roleId, ...role }: AssignedRole,
  principalId: string,
  key: ManagedKey,
  ends: Date | undefined,
): TakenRole {
  if (role.principalId.toLowerCase() !== principalId.toLowerCase()) {
    throw notRevocable(`It reaches the key as a member of the group ${role.principalId} (${id}).`, key);
  }
  if (!isOnVault(role.scope, key)) {
    throw notRevocable(`It reaches the key by a role that is assigned above the vault, at ${role.scope}.`, key);
  }
  if (roleId !== ENCRYPTION_USER.id) {
    throw notRevocable(`It reaches the key by another role than "${ENCRYPTION_USER.name}" (${id}).`, key);
  }
  if (ends) {
    const why = `It reaches the key by a role that ends on ${ends.toISOString()} (${id}): given back, it would have no end.`;
    throw notRevocable(why, key);
  }
  return { kind: 'role', ...role };
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

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The vault itself, or a key of it. */
function isOnVault(scope: string, { vault }: ManagedKey): boolean {
  return sameResource(placeOfRole(scope).vaultId, vault.id);
}

function notRevocable(why: string, { vault, name }: ManagedKey): CmkError {
  return new CmkError(
    'AccountNotRevocable',
    `${why} Nothing was changed.`,
    `Revoke the key ${vault.name}/${name}, or an encryption scope of the account; or take the access away by hand.`,
  );
}
