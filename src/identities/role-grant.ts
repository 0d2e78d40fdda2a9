import { isGlobMatch } from '../settings/glob.ts';

/** A role assignment with the rights of its role. */
export interface RoleGrant {
  /** ARM id of the assignment. */
  readonly id?: string;
  readonly principalId: string;
  /** Scope of the assignment: an ARM id, or a Managed HSM scope (`/keys`). Lower scopes inherit it. */
  readonly scope: string;
  readonly dataActions: readonly string[];
  readonly notDataActions: readonly string[];
  /** The assignment has a condition, which is not evaluated here. */
  readonly conditional: boolean;
  /** All fields needed to create an assignment in Azure RBAC again. `roleId` and `name` are GUIDs. */
  readonly assignment?: {
    readonly name: string;
    readonly roleId: string;
    /** Object id in the assignment: the principal, or a group that contains it. */
    readonly assignee: string;
    /** `ServicePrincipal`, `Group` or `User`, as Azure returns it. */
    readonly principalType?: string;
    readonly description?: string;
    readonly condition?: string;
    readonly conditionVersion?: string;
  };
}

/**
 * Role assignments are inherited: an assignment at a management group, a subscription, a group or the vault also applies
 * to the key. ARM ids do not show which management groups are above a subscription, but Azure lists at a scope only the
 * assignments of those that are.
 */
export function isCovering(assignedAt: string, scope: string): boolean {
  const parent = assignedAt.toLowerCase().replace(/\/+$/, '');
  const child = scope.toLowerCase();
  return parent === '' || child === parent || child.startsWith(`${parent}/`) || isManagementGroup(parent);
}

function isManagementGroup(id: string): boolean {
  return id.startsWith('/providers/microsoft.management/managementgroups/');
}

/** The vault of a role assignment at a vault or at a key (`…/vaults/{vault}/keys/{key}`). */
export function getVaultOfRole(scope: string): string {
  return scope.replace(/\/keys\/[0-9a-z-]+$/i, '');
}

/** Checks one role alone: another role may allow an action that this role excludes (Azure RBAC, "NotDataActions"). */
export function isActionAllowed(role: Pick<RoleGrant, 'dataActions' | 'notDataActions'>, dataAction: string): boolean {
  const among = (patterns: readonly string[]): boolean => patterns.some((pattern) => isGlobMatch(pattern, dataAction));
  return among(role.dataActions) && !among(role.notDataActions);
}

/**
 * Lists the actions that a principal's direct roles at a scope and above do not allow. Ignores roles with a condition.
 */
export function listLackingActions(
  actions: readonly string[],
  principalId: string,
  scope: string,
  grants: readonly RoleGrant[],
): string[] {
  const isOwn = (grant: RoleGrant): boolean => grant.principalId.toLowerCase() === principalId.toLowerCase();
  const own = grants.filter((grant) => isOwn(grant) && isCovering(grant.scope, scope) && !grant.conditional);
  return actions.filter((action) => !own.some((grant) => isActionAllowed(grant, action)));
}
