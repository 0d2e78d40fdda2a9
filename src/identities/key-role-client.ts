import type { RoleAssignment } from '@azure/arm-authorization';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import { lastName } from '../azure/resource-id.ts';
import { armScope, authorizationManagement } from '../azure/resource-manager.ts';
import type { RoleGrantRecord } from './key-grant.ts';
import { ENCRYPTION_USER, roleDefinitionId } from './key-roles.ts';

/** An assignment of any role, to a principal or to a group that it is in. */
export interface AssignedRole extends Omit<RoleGrantRecord, 'kind'> {
  /** ARM id of the assignment. */
  readonly id: string;
  /** GUID of the role. */
  readonly roleId: string;
}

/**
 * The role assignments that let identities use keys, one by one. Errors are the SDK's: read them with `describeFailure`.
 * Writing takes `Microsoft.Authorization/roleAssignments/write` and `/delete`.
 */
export interface KeyRoleAssignments {
  /** What counts for a principal at a scope, from above and by groups too. */
  assignedTo(principalId: string, scope: string): Promise<AssignedRole[]>;
  /** Without effect when it is gone. */
  remove(scope: string, name: string): Promise<void>;
  /** Assigns the role of Storage's identities under the same name. */
  recreate(role: Omit<RoleGrantRecord, 'kind'>): Promise<void>;
}

export function createKeyRoleAssignments(
  credential: TokenCredential,
  cloud: Cloud,
  limits?: CallLimits,
): KeyRoleAssignments {
  const { roleAssignments } = authorizationManagement(credential, cloud, limits);
  return {
    async assignedTo(principalId, scope) {
      const found: AssignedRole[] = [];
      const filter = `assignedTo('${principalId}')`;
      for await (const one of roleAssignments.listForScope(armScope(scope), { filter })) {
        const read = toAssigned(one);
        if (read) found.push(read);
      }
      return found;
    },
    async remove(scope, name) {
      await unlessMissing(() => roleAssignments.delete(armScope(scope), name));
    },
    async recreate({ scope, name, principalId, description, condition, conditionVersion }) {
      const [, , subscription] = scope.split('/');
      try {
        await roleAssignments.create(armScope(scope), name, {
          roleDefinitionId: roleDefinitionId(subscription, ENCRYPTION_USER.id),
          principalId,
          principalType: 'ServicePrincipal',
          ...(description === undefined ? {} : { description }),
          ...(condition === undefined ? {} : { condition }),
          ...(conditionVersion === undefined ? {} : { conditionVersion }),
        });
      } catch (error) {
        // Another caller has assigned the role under another name in the meantime.
        if (describeFailure(error).code !== 'RoleAssignmentExists') throw error;
      }
    },
  };
}

function toAssigned(one: RoleAssignment): AssignedRole | undefined {
  const { id, name, scope, principalId, roleDefinitionId, description, condition, conditionVersion } = one;
  if (!id || !name || !scope || !principalId || !roleDefinitionId) return undefined;
  return {
    id,
    name,
    scope,
    principalId,
    roleId: lastName(roleDefinitionId).toLowerCase(),
    ...(description ? { description } : {}),
    ...(condition ? { condition } : {}),
    ...(conditionVersion ? { conditionVersion } : {}),
  };
}
