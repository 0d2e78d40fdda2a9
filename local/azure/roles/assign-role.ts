import { randomUUID } from 'node:crypto';
import type { RoleAssignment, RoleDefinition, World } from '../world.ts';

/** Assigns a role without ARM. `settled`: without the propagation delay. */
export function assignRole(
  world: World,
  options: { scope: string; principalId: string; role: RoleDefinition; principalType?: string; settled?: boolean },
): RoleAssignment {
  const prefix = options.scope === '/' ? '' : options.scope;
  const assignment: RoleAssignment = {
    id: `${prefix}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`,
    scope: options.scope,
    principalId: options.principalId,
    principalType: options.principalType ?? 'ServicePrincipal',
    roleDefinitionId: options.role.id,
    createdMs: options.settled ? Number.NEGATIVE_INFINITY : world.clock.nowMs(),
  };

  world.roleAssignments.set(assignment.id.toLowerCase(), assignment);

  return assignment;
}
