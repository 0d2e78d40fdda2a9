import { z } from 'zod';
import { isSameResource } from '../azure/resource-id.ts';
import { createShellCommand, renderCommandOr } from '../azure/shell-command.ts';
import { CmkError } from '../errors/errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { KeyPolicy, Vaults } from '../vaults/vault-client.ts';
import type { Authorization, RoleAssignments } from './authorization-client.ts';
import { canUseKeys, isPermitted, listMissingRights, type PolicyAccess } from './key-access.ts';
import { ENCRYPTION_USER, STORAGE_PERMISSIONS } from './key-roles.ts';
import { createPolicyAccessReader } from './policy-access-reader.ts';
import type { Principals } from './principal-client.ts';
import { getVaultOfRole, isCovering, type RoleGrant } from './role-grant.ts';

/**
 * An assignment of "Key Vault Crypto Service Encryption User" on a vault or a key, with all fields needed to restore
 * it.
 */
export const KEY_GRANT = z.object({
  kind: z.literal('role'),
  name: z.guid(),
  scope: z.string().startsWith('/subscriptions/'),
  principalId: z.guid(),
  // Absent from records of earlier versions.
  principalType: z.enum(['ServicePrincipal', 'Group']).default('ServicePrincipal'),
  description: z.string().optional(),
  condition: z.string().optional(),
  conditionVersion: z.string().optional(),
});
export type KeyGrant = z.output<typeof KEY_GRANT>;

/** Access of a principal to a key that cannot be removed and restored for the principal alone. */
export interface StandingAccess {
  /** How the principal reaches the key: `by a role that …`. */
  readonly how: string;
  /** Who may remove it, and how. */
  readonly remedy: string;
}

export interface KeyGrants {
  /** Assignments that can be removed and restored on their own. */
  readonly removable: readonly KeyGrant[];
  readonly standing: readonly StandingAccess[];
}

interface GrantServices {
  readonly vaults: Vaults;
  readonly authorization: Authorization;
  readonly principals: Principals;
}

/** Reads everything that lets a principal use a key of a vault. */
export async function readKeyGrants(
  principalId: string,
  key: ManagedKey,
  { vaults, authorization, principals }: GrantServices,
): Promise<KeyGrants> {
  const { accessModel, policies } = await vaults.get(key.vault);
  if (accessModel === 'local') return { removable: [], standing: [describeLocalAccess(key)] };

  if (accessModel === 'accessPolicies') {
    const access = await createPolicyAccessReader(key.vault, policies, { principals }, undefined)(principalId);
    return { removable: [], standing: findPolicyAccess(principalId, key, access) };
  }

  const keyId = `${key.vault.id}/keys/${key.name}`;
  const [grants, ends] = await Promise.all([
    authorization.grantsTo(principalId, keyId),
    // An operator without the right to read when roles end must still be able to revoke.
    authorization.endsAt(keyId).catch(() => new Map<string, Date>()),
  ]);

  const removable: KeyGrant[] = [];
  const standing: StandingAccess[] = [];

  for (const grant of grants) {
    if (!isCovering(grant.scope, keyId) || !canUseKeys(grant) || !grant.assignment) continue;

    const access = standingAccess(grant, grant.assignment, key, ends.get((grant.id ?? '').toLowerCase()));
    if (access) {
      standing.push(access);
      continue;
    }

    removable.push(toKeyGrant(grant.scope, grant.assignment));
  }

  return { removable, standing };
}

function toKeyGrant(
  scope: string,
  { roleId: _, assignee: principalId, principalType, ...role }: NonNullable<RoleGrant['assignment']>,
): KeyGrant {
  const type = principalType === 'Group' ? 'Group' : 'ServicePrincipal';
  return { kind: 'role', scope, principalId, principalType: type, ...role };
}

/**
 * Reads by what a key of a vault is reachable for encryption: every assignment of "Key Vault Crypto Service Encryption
 * User" of a service principal or a group, and every other role of the known users. An assignment is removable only at
 * the key or the vault, and only if it is known not to end by itself.
 *
 * @param userIds principals of the resources that use the key
 */
export async function readGrantsOfKey(
  key: ManagedKey,
  userIds: readonly string[],
  { vaults, authorization }: Pick<GrantServices, 'vaults' | 'authorization'>,
): Promise<KeyGrants> {
  const { accessModel } = await vaults.get(key.vault);
  if (accessModel === 'local') return { removable: [], standing: [describeLocalAccess(key)] };
  if (accessModel === 'accessPolicies') return { removable: [], standing: [describePolicies(key)] };

  const keyId = `${key.vault.id}/keys/${key.name}`;
  const [all, ends, ...ofUsers] = await Promise.all([
    authorization.grantsAt(keyId),
    authorization.endsAt(keyId).catch(() => undefined),
    ...userIds.map((id) => authorization.grantsTo(id, keyId)),
  ]);

  const encryption = all.filter(({ assignment }) => isEncryptionGrant(assignment));
  const removable = new Map<string, KeyGrant>();
  const standing = new Map<string, StandingAccess>();

  for (const grant of [...encryption, ...ofUsers.flat()]) {
    const { id = '', scope, assignment } = grant;
    if (!assignment || !isCovering(scope, keyId) || !canUseKeys(grant)) continue;

    const isOfKey = isEncryptionGrant(assignment) && isSameResource(getVaultOfRole(scope), key.vault.id);
    // An assignment to a group at the vault is removed as such: no member has to leave the group.
    const owned = isOfKey ? { ...grant, principalId: assignment.assignee } : grant;
    const unreadEnd = isOfKey && ends === undefined ? [describeUnreadEnd(id)] : [];
    const access = unreadEnd[0] ?? standingAccess(owned, assignment, key, ends?.get(id.toLowerCase()));

    if (access) standing.set(id.toLowerCase(), access);
    else removable.set(id.toLowerCase(), toKeyGrant(scope, assignment));
  }

  return { removable: [...removable.values()], standing: [...standing.values()] };
}

/** Whether it is the role of Storage, of a principal that can be an encryption identity or a group of some. */
function isEncryptionGrant(assignment: RoleGrant['assignment']): boolean {
  return assignment?.roleId === ENCRYPTION_USER.id && assignment.principalType !== 'User';
}

/** Removed as if it were permanent, a time-bound role would come back as a permanent one. */
function describeUnreadEnd(id: string): StandingAccess {
  return {
    how: `by a role of which Azure does not say whether it ends by itself (${id})`,
    remedy: 'Run it again with Owner or User Access Administrator on the vault, which may read role schedules.',
  };
}

function describePolicies({ vault }: ManagedKey): StandingAccess {
  const command = createShellCommand('az keyvault show', [
    ['--name', vault.name],
    ['--query', 'properties.accessPolicies'],
  ]);
  const remedy = 'A Key Vault Contributor removes those of the identities (az keyvault delete-policy). To list them';
  return {
    how: 'by access policies of the vault, which no role assignment limits',
    remedy: `${remedy}: ${renderCommandOr(command, vault.name)}`,
  };
}

/** Access to a Managed HSM, whose local roles the command does not read. */
function describeLocalAccess({ vault }: ManagedKey): StandingAccess {
  const remedy = `An administrator of ${vault.name} removes the role, if the identity has one.`;
  return { how: 'perhaps by a local role of the Managed HSM', remedy };
}

/** Empty if neither a policy of the principal nor one that may be of a group lets it use keys. */
function findPolicyAccess(principalId: string, { vault, name }: ManagedKey, access: PolicyAccess): StandingAccess[] {
  if (access.policies.some((policy) => isOfPrincipal(policy, principalId) && permitsUse(policy))) {
    const command = createShellCommand('az keyvault delete-policy', [
      ['--name', vault.name],
      ['--object-id', principalId],
    ]);
    const remedy = 'A Key Vault Contributor removes the access policy, with every permission that it gives';
    return [{ how: 'by an access policy of the vault', remedy: `${remedy}: ${renderCommandOr(command, principalId)}` }];
  }

  const { undetermined } = listMissingRights(principalId, { vaultId: vault.id, name }, access);
  if (undetermined === undefined) return [];

  const remedy = `Ask an owner of the group whether it contains the identity ${principalId}, and to remove it. ${undetermined}`;

  return [{ how: 'perhaps by an access policy of a group', remedy }];
}

function isOfPrincipal({ objectId }: KeyPolicy, principalId: string): boolean {
  return objectId.toLowerCase() === principalId.toLowerCase();
}

/** Whether a policy gives any key permission that Storage uses. */
function permitsUse(policy: KeyPolicy): boolean {
  return STORAGE_PERMISSIONS.some((permission) => isPermitted(policy, permission));
}

/** Undefined if the assignment can be removed and restored on its own. */
function standingAccess(
  { id = '', scope, principalId }: RoleGrant,
  { roleId, assignee }: NonNullable<RoleGrant['assignment']>,
  key: ManagedKey,
  end: Date | undefined,
): StandingAccess | undefined {
  if (assignee.toLowerCase() !== principalId.toLowerCase()) {
    const leave = createShellCommand('az ad group member remove', [
      ['--group', assignee],
      ['--member-id', principalId],
    ]);
    const remedy = `An owner of the group removes the identity from it: ${renderCommandOr(leave, assignee)}`;
    return { how: `as a member of the group ${assignee} (${id})`, remedy };
  }

  const command = renderCommandOr(createShellCommand('az role assignment delete', [['--ids', id]]), id);
  const owner = `An Owner or User Access Administrator of ${scope} removes it`;

  if (!isSameResource(getVaultOfRole(scope), key.vault.id)) {
    const remedy = `${owner}, for every vault below that scope: ${command}`;
    return { how: `by a role that is assigned above the vault, at ${scope}`, remedy };
  }

  if (roleId !== ENCRYPTION_USER.id) {
    return { how: `by a role other than "${ENCRYPTION_USER.name}" (${id})`, remedy: `${owner}: ${command}` };
  }

  if (end) {
    const remedy = `${owner} in Privileged Identity Management.`;
    return { how: `by a role that ends on ${end.toISOString()} (${id})`, remedy };
  }

  return undefined;
}

/** The refusal to revoke while a principal has access that cannot be removed for it alone. */
export function createNotRevocable({ vault, name }: ManagedKey, standing: readonly StandingAccess[]): CmkError {
  const ways = standing.map(({ how }) => how).join(', and ');
  const remedies = standing.map(({ remedy }) => remedy);
  return new CmkError(
    'AccountNotRevocable',
    `The identity reaches the key ${ways}. Nothing was changed.`,
    [...remedies, `Or revoke the key ${vault.name}/${name}, or disable an encryption scope of the account.`].join('\n'),
  );
}

/** Creates the removed assignment again, under the same name. Idempotent. */
export async function restoreKeyGrant(
  { kind: _, ...role }: KeyGrant,
  { roles }: { readonly roles: Pick<RoleAssignments, 'create'> },
): Promise<void> {
  await roles.create({ ...role, role: ENCRYPTION_USER });
}
