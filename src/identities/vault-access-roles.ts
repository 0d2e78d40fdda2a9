import { sameResource } from '../azure/resource-id.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { TakenRole } from '../revocation/account-record.ts';
import type { Vaults } from '../vaults/vault-client.ts';
import { type AccessRoles, isSamePrincipal, notRevocable } from './access-roles.ts';
import type { Authorization } from './authorization-client.ts';
import { letsUseKeys } from './key-access.ts';
import type { AssignedRole, KeyRoleAssignments } from './key-role-client.ts';
import { ENCRYPTION_USER } from './key-roles.ts';
import { covers, placeOfRole } from './role-grant.ts';

export interface VaultAccessServices {
  readonly vaults: Pick<Vaults, 'get'>;
  readonly authorization: Pick<Authorization, 'grantsTo' | 'endsAt'>;
  readonly keyRoles: KeyRoleAssignments;
}

/** Assignments of "Key Vault Crypto Service Encryption User" on a vault, or on a key of it. */
export function vaultAccessRoles(key: ManagedKey, services: VaultAccessServices): AccessRoles<TakenRole> {
  const { keyRoles } = services;
  return {
    rights:
      'It takes Microsoft.Authorization/roleAssignments/delete and /write on the vault, which the deployment parameter allowAccountRevocation gives the app, for that role alone. Or run `cmk account revoke` on a sign-in that has it.',
    heldBy: (principalId) => rolesHeld(principalId, key, services),
    // Azure lists what counts by groups too.
    doubt: async () => undefined,
    isHere: (taken): taken is TakenRole => taken.kind === 'role' && isOnVault(taken.scope, key),
    async find({ scope, name, principalId }) {
      const found = await keyRoles.find(scope, name);
      const isIt = found?.roleId === ENCRYPTION_USER.id && isSamePrincipal(found.principalId, principalId);
      return isIt ? { changedOn: found.changedOn } : undefined;
    },
    async isAssigned({ scope, principalId }) {
      const assigned = await keyRoles.assignedTo(principalId, scope);
      return assigned.some(
        (one) =>
          one.roleId === ENCRYPTION_USER.id &&
          one.scope.toLowerCase() === scope.toLowerCase() &&
          isSamePrincipal(one.principalId, principalId),
      );
    },
    remove: ({ scope, name }) => keyRoles.remove(scope, name),
    giveBack: (role) => keyRoles.giveBack(role),
  };
}

async function rolesHeld(principalId: string, key: ManagedKey, services: VaultAccessServices): Promise<TakenRole[]> {
  const { accessModel } = await services.vaults.get(key.vault);
  if (accessModel !== 'rbac') {
    const why = `${key.vault.name} has access policies: whoever may take one away may give themselves every key.`;
    throw notRevocable(why, key);
  }
  const keyId = `${key.vault.id}/keys/${key.name}`;
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
  if (!isSamePrincipal(role.principalId, principalId)) {
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

/** The vault itself, or a key of it. */
function isOnVault(scope: string, { vault }: ManagedKey): boolean {
  return sameResource(placeOfRole(scope).vaultId, vault.id);
}
