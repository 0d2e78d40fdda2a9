import { builtInRole, guidOf } from './roles/built-in-roles.ts';
import type { RoleAssignment, RoleDefinition, World } from './world.ts';

/** The role definition with this id, built-in or custom. Only its GUID counts. */
export function findRoleDefinition(world: World, roleDefinitionId: string): RoleDefinition | undefined {
  const builtIn = builtInRole(roleDefinitionId);
  if (builtIn) return builtIn;
  const guid = guidOf(roleDefinitionId);
  for (const role of world.roleDefinitions.values()) {
    if (guidOf(role.id) === guid) return role;
  }
  return undefined;
}

const patterns = new Map<string, RegExp>();

/** Whether an action matches a role's pattern: `*` stands for any characters, slashes too; case does not matter. */
export function actionMatches(pattern: string, action: string): boolean {
  let regex = patterns.get(pattern);
  if (!regex) {
    const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    regex = new RegExp(`^${escaped.join('.*')}$`, 'i');
    patterns.set(pattern, regex);
  }
  return regex.test(action);
}

const MANAGEMENT_GROUP = '/providers/microsoft.management/managementgroups/';

/**
 * Whether an assignment's scope is `scope` or an ancestor of it. Every management group contains every subscription,
 * since the tenant has no hierarchy of them.
 */
export function scopeCovers(assigned: string, scope: string): boolean {
  const parent = assigned.toLowerCase().replace(/\/+$/, '');
  const child = scope.toLowerCase().replace(/\/+$/, '');
  if (parent.startsWith(MANAGEMENT_GROUP) && child.startsWith('/subscriptions/')) return true;
  return child === parent || child.startsWith(`${parent}/`);
}

function grants(role: RoleDefinition, action: string, kind: 'action' | 'dataAction'): boolean {
  const [allowed, denied] =
    kind === 'action' ? [role.actions, role.notActions] : [role.dataActions, role.notDataActions];
  return (
    allowed.some((pattern) => actionMatches(pattern, action)) &&
    !denied.some((pattern) => actionMatches(pattern, action))
  );
}

/** Whether an assignment with an end is over. */
export function isOver({ clock }: World, { endMs }: RoleAssignment): boolean {
  return endMs !== undefined && endMs <= clock.nowMs();
}

/** The propagated assignments that grant a principal `action` at `scope`, whatever their conditions. */
export function* grantingAssignments(
  world: World,
  principalObjectId: string,
  scope: string,
  action: string,
  kind: 'action' | 'dataAction',
): Generator<RoleAssignment> {
  const settledBefore = world.clock.nowMs() - world.settings.rolePropagationMs;

  for (const assignment of world.roleAssignments.values()) {
    if (assignment.principalId !== principalObjectId) continue;
    if (assignment.createdMs > settledBefore || isOver(world, assignment)) continue;
    if (!scopeCovers(assignment.scope, scope)) continue;

    const role = findRoleDefinition(world, assignment.roleDefinitionId);
    if (role && grants(role, action, kind)) yield assignment;
  }
}

/** The first such assignment; undefined if there is none. */
function grantingAssignment(...of: Parameters<typeof grantingAssignments>): RoleAssignment | undefined {
  for (const assignment of grantingAssignments(...of)) return assignment;
  return undefined;
}

/**
 * Whether Azure RBAC allows a principal (by object id) `action` at `scope` (an ARM id; for a key `<vault
 * id>/keys/<name>`). Role assignments are inherited from every ancestor, and count after the propagation delay.
 */
export function isAllowed(
  world: World,
  principalObjectId: string,
  scope: string,
  action: string,
  kind: 'action' | 'dataAction',
): boolean {
  return grantingAssignment(world, principalObjectId, scope, action, kind) !== undefined;
}
