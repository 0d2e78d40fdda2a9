import type { AuthorizationManagementClient, RoleAssignment } from '@azure/arm-authorization';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { describeFailure } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import { ReadCache } from '../azure/read-cache.ts';
import { lastName } from '../azure/resource-id.ts';
import { aborting, armScope, authorizationManagement } from '../azure/resource-manager.ts';
import type { RoleGrant } from './role-grant.ts';

/** Role assignments with the rights of their roles. Errors are the SDK's: read them with `describeFailure`. */
export interface Authorization {
  /**
   * Lists every assignment at a scope, above and below it.
   *
   * @param scope ARM id
   */
  grantsAt(scope: string, signal?: AbortSignal): Promise<RoleGrant[]>;
  /** Lists the assignments of a principal and of its groups at a scope and above. Each grant names the principal. */
  grantsTo(principalId: string, scope: string, signal?: AbortSignal): Promise<RoleGrant[]>;
  /** End of each time-bound assignment at a scope and above, by the ARM id of the assignment in lower case. */
  endsAt(scope: string, signal?: AbortSignal): Promise<ReadonlyMap<string, Date>>;
}

interface RoleRights {
  readonly dataActions: readonly string[];
  readonly notDataActions: readonly string[];
}

/** Time to live of a cached role, in milliseconds: roles change rarely. */
const ROLE_AGE_MS = 10 * 60_000;

export function createAuthorization(credential: TokenCredential, cloud: Cloud, limits?: CallLimits): Authorization {
  const client = authorizationManagement(credential, cloud, limits);
  const roles = new ReadCache<RoleRights>(ROLE_AGE_MS);

  /** Reads the role at the scope itself: a caller that may read its assignments may read its roles too. */
  const rightsOf = async (scope: string, roleId: string, signal: AbortSignal | undefined): Promise<RoleRights> =>
    (await roles.read(roleId.toLowerCase(), () => readRights(client, scope, roleId, signal))).value;

  const list = async (
    scope: string,
    filter: string | undefined,
    principal: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<RoleGrant[]> => {
    const grants: RoleGrant[] = [];
    const options = { ...(filter ? { filter } : {}), ...aborting(signal) };
    for await (const assignment of client.roleAssignments.listForScope(armScope(scope), options)) {
      const grant = await toGrant(assignment, principal, (roleId) => rightsOf(scope, roleId, signal));
      if (grant) grants.push(grant);
    }
    return grants;
  };

  return {
    grantsAt: (scope, signal) => list(scope, undefined, undefined, signal),
    grantsTo: (principalId, scope, signal) => {
      if (!/^[0-9a-f-]{36}$/i.test(principalId)) throw new TypeError(`${principalId} is not a principal id.`);
      return list(scope, `assignedTo('${principalId}')`, principalId, signal);
    },
    async endsAt(scope, signal) {
      const options = { filter: 'atScope()', ...aborting(signal) };
      const ends = new Map<string, Date>();
      try {
        for await (const instance of client.roleAssignmentScheduleInstances.listForScope(armScope(scope), options)) {
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
  { id, name, principalId, scope, roleDefinitionId, description, condition, conditionVersion }: RoleAssignment,
  asked: string | undefined,
  rightsOf: (roleId: string) => Promise<RoleRights>,
): Promise<RoleGrant | undefined> {
  if (!id || !name || !principalId || !scope || !roleDefinitionId) return undefined;
  return {
    id,
    principalId: asked ?? principalId,
    scope,
    conditional: Boolean(condition),
    assignment: {
      name,
      roleId: lastName(roleDefinitionId).toLowerCase(),
      assignee: principalId,
      ...(description ? { description } : {}),
      ...(condition ? { condition } : {}),
      ...(conditionVersion ? { conditionVersion } : {}),
    },
    ...(await rightsOf(roleDefinitionId)),
  };
}

async function readRights(
  client: AuthorizationManagementClient,
  scope: string,
  roleId: string,
  signal: AbortSignal | undefined,
): Promise<RoleRights> {
  const name = lastName(roleId);
  const { permissions = [] } = await client.roleDefinitions.get(armScope(scope), name, aborting(signal));
  return {
    dataActions: permissions.flatMap(({ dataActions }) => dataActions ?? []),
    notDataActions: permissions.flatMap(({ notDataActions }) => notDataActions ?? []),
  };
}
