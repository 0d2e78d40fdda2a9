import { randomUUID } from 'node:crypto';
import { actionMatches, scopeCovers } from '../roles.ts';
import type { LocalAccess, LocalRoleAssignment, LocalRoleDefinition } from '../world.ts';
import { KeyVaultError } from './errors.ts';

const keys = (...actions: string[]) => actions.map((action) => `Microsoft.KeyVault/managedHsm/keys/${action}`);
const roles = (...verbs: string[]) =>
  ['roleDefinitions', 'roleAssignments'].flatMap((what) =>
    verbs.map((verb) => `Microsoft.KeyVault/managedHsm/${what}/${verb}/action`),
  );

function builtIn(roleName: string, name: string, dataActions: readonly string[]): LocalRoleDefinition {
  return { name, roleName, type: 'AKVBuiltInRole', description: '', dataActions, notDataActions: [] };
}

/**
 * The roles of every Managed HSM that concern keys and roles ("Local RBAC built-in roles"; where a recording of the
 * Azure SDK differs, the recording counts).
 */
export const LOCAL_ROLES = {
  administrator: builtIn(
    'Managed HSM Administrator',
    'a290e904-7015-4bba-90c8-60543313cdb4',
    roles('read', 'write', 'delete'),
  ),
  cryptoOfficer: builtIn('Managed HSM Crypto Officer', '515eb02d-2335-4d2d-92f2-b1cbdf9c3778', [
    ...roles('read', 'write', 'delete'),
    ...keys('deletedKeys/read/action', 'deletedKeys/delete', 'deletedKeys/recover/action', 'export/action'),
  ]),
  cryptoUser: builtIn('Managed HSM Crypto User', '21dbd100-6940-42c2-9190-5d6cb909625b', [
    ...roles('read'),
    ...keys('read/action', 'write/action', 'delete', 'create', 'rotate/action', 'import/action', 'release/action'),
    ...keys('backup/action', 'restore/action', 'encrypt/action', 'decrypt/action', 'wrap/action', 'unwrap/action'),
    ...keys('sign/action', 'verify/action'),
  ]),
  policyAdministrator: builtIn(
    'Managed HSM Policy Administrator',
    '4bd23610-cdcf-4971-bdee-bdc562cc28e4',
    roles('read', 'write', 'delete'),
  ),
  cryptoAuditor: builtIn('Managed HSM Crypto Auditor', '2c18b078-7c48-4d3a-af88-5a3a1b3f82b3', [
    ...roles('read'),
    ...keys('read/action', 'deletedKeys/read/action'),
  ]),
  encryptionUser: builtIn(
    'Managed HSM Crypto Service Encryption User',
    '33413926-3206-4cdd-b39a-83574fe37a17',
    keys('read/action', 'wrap/action', 'unwrap/action'),
  ),
} as const;

/** The definition with that name (a GUID, lower case). */
export function findLocalRole({ roleDefinitions }: LocalAccess, name: string): LocalRoleDefinition | undefined {
  return Object.values(LOCAL_ROLES).find((role) => role.name === name) ?? roleDefinitions.get(name);
}

/** Assigns a role; `scope` is `/`, `/keys` or `/keys/{name}`. */
export function assignLocalRole(
  access: LocalAccess,
  options: { principalId: string; role: LocalRoleDefinition; scope?: string; name?: string },
): LocalRoleAssignment {
  const { principalId, role, scope = '/keys', name = randomUUID() } = options;
  const assignment = { name: name.toLowerCase(), scope, principalId, role: role.name };
  access.roleAssignments.set(assignment.name, assignment);
  return assignment;
}

/** Whether a principal may do an action on a key or, without a name, on all keys. */
export function mayLocally(
  access: LocalAccess,
  principalId: string,
  keyName: string | undefined,
  action: string,
): boolean {
  return mayAt(access, principalId, keyName === undefined ? '/keys' : `/keys/${keyName}`, action);
}

export function mayAt(access: LocalAccess, principalId: string, scope: string, action: string): boolean {
  return [...access.roleAssignments.values()].some((assignment) => {
    if (assignment.principalId.toLowerCase() !== principalId.toLowerCase()) return false;
    if (!scopeCovers(assignment.scope, scope)) return false;
    const role = findLocalRole(access, assignment.role);
    const has = (patterns: readonly string[]) => patterns.some((pattern) => actionMatches(pattern, action));
    return role !== undefined && has(role.dataActions) && !has(role.notDataActions);
  });
}

/** @throws the 403 of a Managed HSM (Azure/azure-cli#32719) */
export function requireLocally(
  access: LocalAccess,
  principalId: string,
  keyName: string | undefined,
  action: string,
): void {
  if (mayLocally(access, principalId, keyName, action)) return;
  throw notAuthorized(action, keyName === undefined ? '/keys' : `/keys/${keyName}`);
}

export function notAuthorized(action: string, scope: string): KeyVaultError {
  const message = `Not authorized to access ${action} on ${scope} (Activity ID: ${randomUUID()})`;
  return new KeyVaultError(403, 'AccessDenied', message);
}
