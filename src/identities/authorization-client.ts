import { createHash } from 'node:crypto';
import type { RoleAssignment } from '@azure/arm-authorization';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { describeFailure, readUnlessMissing } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import { ReadCache } from '../azure/read-cache.ts';
import { getLastName } from '../azure/resource-id.ts';
import { createAuthorizationManagement, formatArmScope, toAbortOption } from '../azure/resource-manager.ts';
import type { KeyRole } from './key-roles.ts';
import type { RoleGrant } from './role-grant.ts';

export type Authorization = ReturnType<typeof createAuthorization>;

type RoleRights = Pick<RoleGrant, 'dataActions' | 'notDataActions'>;

/** Time to live of a cached role, in milliseconds: roles change rarely. */
const ROLE_AGE_MS = 10 * 60_000;

/** Reads role assignments with the rights of their roles. Scopes are ARM ids. Read its errors with `describeFailure`. */
export function createAuthorization(credential: TokenCredential, cloud: Cloud, limits?: CallLimits) {
  const client = createAuthorizationManagement(credential, cloud, limits);
  let roles = new ReadCache<RoleRights>(ROLE_AGE_MS);

  /** Reads the role at the scope itself: a caller that may read its assignments may read its roles too. */
  const rightsOf = async (scope: string, roleId: string, signal: AbortSignal | undefined): Promise<RoleRights> => {
    const read = async () => {
      const role = await client.roleDefinitions.get(formatArmScope(scope), getLastName(roleId), toAbortOption(signal));
      const permissions = role.permissions ?? [];
      return {
        dataActions: permissions.flatMap(({ dataActions }) => dataActions ?? []),
        notDataActions: permissions.flatMap(({ notDataActions }) => notDataActions ?? []),
      };
    };
    return (await roles.read(roleId.toLowerCase(), read)).value;
  };

  const list = async (
    scope: string,
    filter: string | undefined,
    principal: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<RoleGrant[]> => {
    const grants: RoleGrant[] = [];
    const options = { ...(filter ? { filter } : {}), ...toAbortOption(signal) };
    for await (const assignment of client.roleAssignments.listForScope(formatArmScope(scope), options)) {
      const grant = await toGrant(assignment, principal, (roleId) => rightsOf(scope, roleId, signal));
      if (grant) grants.push(grant);
    }

    return grants;
  };

  return {
    /** Reads each role again: a role was changed. */
    forgetRoles(): void {
      roles = new ReadCache<RoleRights>(ROLE_AGE_MS);
    },
    /** Lists every assignment at a scope, above and below it. */
    grantsAt: (scope: string, signal?: AbortSignal) => list(scope, undefined, undefined, signal),
    /** Lists the assignments of a principal and of its groups at a scope and above. Each grant names the principal. */
    grantsTo: (principalId: string, scope: string, signal?: AbortSignal) => {
      if (!/^[0-9a-f-]{36}$/i.test(principalId)) throw new TypeError(`${principalId} is not a principal id.`);
      return list(scope, `assignedTo('${principalId}')`, principalId, signal);
    },
    /** End of each time-bound assignment at a scope and above, by the ARM id of the assignment in lower case. */
    async endsAt(scope: string, signal?: AbortSignal): Promise<ReadonlyMap<string, Date>> {
      const options = { filter: 'atScope()', ...toAbortOption(signal) };
      const ends = new Map<string, Date>();
      try {
        for await (const instance of client.roleAssignmentScheduleInstances.listForScope(
          formatArmScope(scope),
          options,
        )) {
          const { originRoleAssignmentId: id, endDateTime } = instance;
          if (id && endDateTime) ends.set(id.toLowerCase(), endDateTime);
        }
      } catch (error) {
        // A tenant without Privileged Identity Management has no time-bound assignments.
        if (!/^AadPremiumLicenseRequired$/i.test(describeFailure(error).code)) throw error;
      }

      return ends;
    },
  };
}

async function toGrant(
  { id, name, principalId, principalType, scope, roleDefinitionId, ...more }: RoleAssignment,
  asked: string | undefined,
  rightsOf: (roleId: string) => Promise<RoleRights>,
): Promise<RoleGrant | undefined> {
  if (!id || !name || !principalId || !scope || !roleDefinitionId) return undefined;
  const { description, condition, conditionVersion } = more;
  return {
    id,
    principalId: asked ?? principalId,
    scope,
    conditional: Boolean(condition),
    assignment: {
      name,
      roleId: getLastName(roleDefinitionId).toLowerCase(),
      assignee: principalId,
      ...(principalType ? { principalType } : {}),
      ...(description ? { description } : {}),
      ...(condition ? { condition } : {}),
      ...(conditionVersion ? { conditionVersion } : {}),
    },
    ...(await rightsOf(roleDefinitionId)),
  };
}

interface WantedRole extends Partial<Pick<RoleAssignment, 'description' | 'condition' | 'conditionVersion'>> {
  readonly role: Pick<KeyRole, 'id'>;
  /** ARM id of a vault, a key (`…/vaults/{vault}/keys/{key}`) or another resource. */
  readonly scope: string;
  readonly principalId: string;
  /** The caller states the type, because Entra ID may not yet find a principal created a moment ago. */
  readonly principalType: 'User' | 'ServicePrincipal' | 'Group';
  /** GUID of the assignment; undefined: derived from scope, principal and role. */
  readonly name?: string;
}

export type RoleAssignments = ReturnType<typeof createRoleAssignments>;

/**
 * Assigns roles. Needs `Microsoft.Authorization/roleAssignments/write` and `/delete`. Idempotent. Read its errors with
 * `describeFailure`.
 */
export function createRoleAssignments(credential: TokenCredential, cloud: Cloud, limits: CallLimits) {
  const { roleAssignments } = createAuthorizationManagement(credential, cloud, limits);

  return {
    async create({ role, scope, name, ...assignment }: WantedRole): Promise<void> {
      const [, , subscription] = scope.split('/');
      const named = name ?? createAssignmentName(scope, assignment.principalId, role.id);
      const roleDefinitionId = `/subscriptions/${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role.id}`;
      try {
        await roleAssignments.create(formatArmScope(scope), named, { roleDefinitionId, ...assignment });
      } catch (error) {
        // Another caller has assigned the role under a different name in the meantime.
        if (describeFailure(error).code !== 'RoleAssignmentExists') throw error;
      }
    },
    async remove(scope: string, name: string): Promise<void> {
      await readUnlessMissing(() => roleAssignments.delete(formatArmScope(scope), name));
    },
  };
}

/** Derives the GUID of an assignment, so that a repeated call creates only one. */
export function createAssignmentName(scope: string, principalId: string, roleId: string): string {
  const hash = createHash('sha256').update(`${scope.toLowerCase()}\n${principalId}\n${roleId}`).digest('hex');
  return hash.slice(0, 32).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-8$3-a$4-$5');
}
