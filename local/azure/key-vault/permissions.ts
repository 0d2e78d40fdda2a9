import { isAllowed } from '../roles.ts';
import type { Caller } from '../service.ts';
import type { Vault, World } from '../world.ts';
import { forbidden } from './errors.ts';
import { mayLocally, requireLocally } from './local-access.ts';

/** The data action of Azure RBAC for each permission of access policies. */
const dataActions = {
  get: 'keys/read',
  list: 'keys/read',
  create: 'keys/create/action',
  import: 'keys/import/action',
  update: 'keys/update/action',
  delete: 'keys/delete',
  recover: 'keys/recover/action',
  purge: 'keys/purge/action',
  backup: 'keys/backup/action',
  restore: 'keys/restore/action',
  rotate: 'keys/rotate/action',
  getrotationpolicy: 'keyrotationpolicies/read',
  setrotationpolicy: 'keyrotationpolicies/write',
  encrypt: 'keys/encrypt/action',
  decrypt: 'keys/decrypt/action',
  wrapKey: 'keys/wrap/action',
  unwrapKey: 'keys/unwrap/action',
  sign: 'keys/sign/action',
  verify: 'keys/verify/action',
} as const;

/** Different names in a Managed HSM. */
const localActions: Partial<Record<keyof typeof dataActions, string>> = {
  get: 'keys/read/action',
  list: 'keys/read/action',
  create: 'keys/create',
  update: 'keys/write/action',
  recover: 'keys/deletedKeys/recover/action',
  purge: 'keys/deletedKeys/delete',
  getrotationpolicy: 'keys/read/action',
  setrotationpolicy: 'keys/write/action',
};

/** A key permission, as access policies name it. */
export type KeyPermission = keyof typeof dataActions;

/**
 * Whether a principal has `permission` on a key (or, without a name, on the vault's keys), by role assignment or, in a
 * vault with access policies, by policy. The rule is the same for callers and for the identities of storage accounts.
 */
export function hasKeyPermission(
  world: World,
  vault: Vault,
  principalId: string,
  keyName: string | undefined,
  permission: KeyPermission,
): boolean {
  if (vault.local) return mayLocally(vault.local, principalId, keyName, localActionOf(permission));

  if (vault.properties.enableRbacAuthorization) {
    return isAllowed(world, principalId, keyScope(vault, keyName), dataAction(permission), 'dataAction');
  }

  const policies = (vault.properties.accessPolicies ?? []) as {
    objectId?: string;
    permissions?: { keys?: string[] };
  }[];
  const wanted = permission.toLowerCase();

  return policies.some(
    ({ objectId, permissions }) =>
      objectId?.toLowerCase() === principalId.toLowerCase() &&
      permissions?.keys?.some((one) => ['all', wanted].includes(one.toLowerCase())),
  );
}

/** Throws the 403 of the vault's permission model. */
export function requireKeyPermission(
  world: World,
  vault: Vault,
  { principal }: Caller,
  keyName: string | undefined,
  { permission, localAction = localActionOf(permission) }: { permission: KeyPermission; localAction?: string },
): void {
  if (!world.settings.enforceRoles) return;

  if (vault.local) {
    requireLocally(vault.local, principal.objectId, keyName, localAction);
    return;
  }

  if (hasKeyPermission(world, vault, principal.objectId, keyName, permission)) return;

  const who = `appid=${principal.clientId};oid=${principal.objectId};iss=https://sts.windows.net/${world.tenantId}/`;
  const where = `${vault.name};location=${vault.location}`;

  if (!vault.properties.enableRbacAuthorization) {
    throw forbidden(
      `The user, group or application '${who}' does not have keys ${permission.toLowerCase()} permission on key vault '${where}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`,
      'AccessDenied',
    );
  }

  throw forbidden(
    [
      'Caller is not authorized to perform action on resource.',
      'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
      `Caller: ${who}`,
      `Action: '${dataAction(permission)}'`,
      `Resource: '${keyScope(vault, keyName).toLowerCase()}'`,
      'Assignment: (not found)',
      'DenyAssignmentId: null',
      "DecisionReason: 'DeniedWithNoValidRBAC' ",
      `Vault: ${where}`,
      '',
    ].join('\r\n'),
    'ForbiddenByRbac',
  );
}

/** The data action of a Managed HSM ("Local RBAC built-in roles"). To set a rotation policy is to write the key. */
function localActionOf(permission: KeyPermission): string {
  return `Microsoft.KeyVault/managedHsm/${localActions[permission] ?? dataActions[permission]}`;
}

function dataAction(permission: KeyPermission): string {
  return `Microsoft.KeyVault/vaults/${dataActions[permission]}`;
}

function keyScope(vault: Vault, keyName: string | undefined): string {
  return keyName ? `${vault.id}/keys/${keyName}` : vault.id;
}
