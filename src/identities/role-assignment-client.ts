import { createHash } from 'node:crypto';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import { armScope, authorizationManagement } from '../azure/resource-manager.ts';
import type { KeyRole } from './key-roles.ts';

/** A role assignment to create. */
interface WantedRole {
  readonly role: KeyRole;
  /** ARM id of the vault or key (`…/vaults/{vault}/keys/{key}`). */
  readonly scope: string;
  /** Object id of the assignee. */
  readonly principalId: string;
  /** The caller states the type, because Entra ID may not yet find a principal created a moment ago. */
  readonly principalType: 'User' | 'ServicePrincipal';
  /** GUID of the assignment; undefined: derived from scope, principal and role. */
  readonly name?: string;
  readonly description?: string | undefined;
  readonly condition?: string | undefined;
  readonly conditionVersion?: string | undefined;
}

/**
 * Role assignments. Errors are the SDK's: read them with `describeFailure`. They need
 * `Microsoft.Authorization/roleAssignments/write` and `/delete`.
 */
export interface RoleAssignments {
  /** Assigns the role. Idempotent. */
  create(wanted: WantedRole): Promise<void>;
  /** Removes the assignment. Idempotent. */
  remove(scope: string, name: string): Promise<void>;
}

export function createRoleAssignments(credential: TokenCredential, cloud: Cloud, limits: CallLimits): RoleAssignments {
  const { roleAssignments } = authorizationManagement(credential, cloud, limits);
  return {
    async create({ role, scope, principalId, principalType, name, description, condition, conditionVersion }) {
      const [, , subscription] = scope.split('/');
      try {
        await roleAssignments.create(armScope(scope), name ?? assignmentName(scope, principalId, role.id), {
          roleDefinitionId: `/subscriptions/${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role.id}`,
          principalId,
          principalType,
          ...(description === undefined ? {} : { description }),
          ...(condition === undefined ? {} : { condition }),
          ...(conditionVersion === undefined ? {} : { conditionVersion }),
        });
      } catch (error) {
        // Another caller has assigned the role under a different name in the meantime.
        if (describeFailure(error).code !== 'RoleAssignmentExists') throw error;
      }
    },
    async remove(scope, name) {
      await unlessMissing(() => roleAssignments.delete(armScope(scope), name));
    },
  };
}

/** Derives the GUID of an assignment, so that a repeated call creates only one. */
export function assignmentName(scope: string, principalId: string, roleId: string): string {
  const hash = createHash('sha256').update(`${scope.toLowerCase()}\n${principalId}\n${roleId}`).digest('hex');
  return hash.slice(0, 32).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-8$3-a$4-$5');
}
