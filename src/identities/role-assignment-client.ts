import { createHash } from 'node:crypto';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import { armScope, authorizationManagement } from '../azure/resource-manager.ts';
import type { KeyRole } from './key-roles.ts';

/** A role assignment as it is to be. */
interface WantedRole {
  readonly role: KeyRole;
  /** ARM id of what it is given on: a vault, or a key (`…/vaults/{vault}/keys/{key}`). */
  readonly scope: string;
  /** Object id of who is given it. */
  readonly principalId: string;
  /** Said by the caller: a principal made a moment ago cannot be looked up everywhere yet. */
  readonly principalType: 'User' | 'ServicePrincipal';
  /** GUID of the assignment; undefined: the same for the same role. */
  readonly name?: string;
  readonly description?: string | undefined;
  readonly condition?: string | undefined;
  readonly conditionVersion?: string | undefined;
}

/**
 * Role assignments. Errors are the SDK's: read them with `describeFailure`. They take
 * `Microsoft.Authorization/roleAssignments/write` and `/delete`.
 */
export interface RoleAssignments {
  /** Gives the role; without effect when it was given before. */
  create(wanted: WantedRole): Promise<void>;
  /** Without effect when it is gone. */
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
        // Another caller has assigned the role under another name in the meantime.
        if (describeFailure(error).code !== 'RoleAssignmentExists') throw error;
      }
    },
    async remove(scope, name) {
      await unlessMissing(() => roleAssignments.delete(armScope(scope), name));
    },
  };
}

/** The same GUID for the same assignment, so that giving a role twice gives it once. */
export function assignmentName(scope: string, principalId: string, roleId: string): string {
  const hash = createHash('sha256').update(`${scope.toLowerCase()}\n${principalId}\n${roleId}`).digest('hex');
  return hash.slice(0, 32).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-8$3-a$4-$5');
}
