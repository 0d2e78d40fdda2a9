import { parseResourceId, type ResourceId, sameResource } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { VaultSetup } from '../vaults/vault-client.ts';
import type { Authorization } from './authorization-client.ts';
import { letsUseKeys } from './key-access.ts';
import type { KeyGrant } from './key-grant.ts';
import type { AssignedRole, KeyRoleAssignments } from './key-role-client.ts';
import { ENCRYPTION_USER } from './key-roles.ts';
import type { LocalRoles } from './local-role-client.ts';
import { covers, placeOfRole } from './role-grant.ts';

interface KeyGrantServices {
  readonly vaults: Pick<VaultSetup, 'get' | 'addPolicy' | 'clearKeyPermissions'>;
  readonly authorization: Pick<Authorization, 'grantsTo' | 'endsAt'>;
  readonly keyRoles: KeyRoleAssignments;
  readonly localRoles: Pick<LocalRoles, 'give'>;
}

/**
 * Reads every grant by which a principal may use a key of a vault.
 *
 * @throws {@link CmkError} `AccountNotRevocable` when one of them cannot be removed and granted again alone
 */
export async function readKeyGrants(
  principalId: string,
  key: ManagedKey,
  { vaults, authorization, keyRoles }: KeyGrantServices,
): Promise<readonly KeyGrant[]> {
  const { accessModel, policies, tenantId } = await vaults.get(key.vault);
  if (accessModel === 'accessPolicies') {
    const keyPermissions = policies
      .filter(({ objectId }) => isSame(objectId, principalId))
      .flatMap((policy) => policy.keyPermissions);
    const grant = { kind: 'policy', vault: key.vault.id, tenantId, principalId, keyPermissions } as const;
    return keyPermissions.length === 0 ? [] : [grant];
  }
  const keyId = `${key.vault.id}/keys/${key.name}`;
  const [grants, assigned, ends] = await Promise.all([
    authorization.grantsTo(principalId, keyId),
    keyRoles.assignedTo(principalId, keyId),
    // An operator who may not read the ends of roles must still be able to revoke.
    authorization.endsAt(keyId).catch(() => new Map<string, Date>()),
  ]);
  const counting = new Set(
    grants.filter((grant) => covers(grant.scope, keyId) && letsUseKeys(grant)).map(({ id = '' }) => id.toLowerCase()),
  );
  return assigned
    .filter(({ id }) => counting.has(id.toLowerCase()))
    .map((one) => toGrant(one, principalId, key, ends.get(one.id.toLowerCase())));
}

function toGrant(
  { id, roleId, ...role }: AssignedRole,
  principalId: string,
  key: ManagedKey,
  ends: Date | undefined,
): KeyGrant {
  const refuse = (why: string): CmkError =>
    new CmkError(
      'AccountNotRevocable',
      `${why} Nothing was changed.`,
      `Revoke the key ${key.vault.name}/${key.name}, or disable an encryption scope of the account; or remove the access by hand.`,
    );
  if (!isSame(role.principalId, principalId)) {
    throw refuse(`The identity reaches the key as a member of the group ${role.principalId} (${id}).`);
  }
  if (!sameResource(placeOfRole(role.scope).vaultId, key.vault.id)) {
    throw refuse(`The identity reaches the key by a role that is assigned above the vault, at ${role.scope}.`);
  }
  if (roleId !== ENCRYPTION_USER.id) {
    throw refuse(`The identity reaches the key by another role than "${ENCRYPTION_USER.name}" (${id}).`);
  }
  if (ends) {
    throw refuse(`The identity reaches the key by a role that ends on ${ends.toISOString()} (${id}).`);
  }
  return { kind: 'role', ...role };
}

/** Idempotent. */
export async function removeKeyGrant(grant: KeyGrant, { vaults, keyRoles }: KeyGrantServices): Promise<void> {
  if (grant.kind === 'role') await keyRoles.remove(grant.scope, grant.name);
  if (grant.kind === 'policy') await vaults.clearKeyPermissions(vaultOf(grant.vault), grant.principalId);
}

/** Grants exactly the same again, a role under its former name. Idempotent. */
export async function restoreKeyGrant(
  grant: KeyGrant,
  { vaults, keyRoles, localRoles }: KeyGrantServices,
): Promise<void> {
  if (grant.kind === 'role') await keyRoles.recreate(grant);
  else if (grant.kind === 'policy')
    await vaults.addPolicy(vaultOf(grant.vault), grant.tenantId, grant.principalId, grant.keyPermissions);
  else {
    const { hsm, scope, principalId, name } = grant;
    await localRoles.give({ uri: hsm }, scope, principalId, ENCRYPTION_USER.local.id, name);
  }
}

function vaultOf(id: string): ResourceId {
  const vault = parseResourceId(id);
  if (!vault) throw new TypeError(`${id} is not the ARM id of a vault.`);
  return vault;
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
