import { randomUUID } from 'node:crypto';
import { parseDuration } from '../duration.ts';
import { asObject, asString } from '../json.ts';
import { findRoleDefinition, isOver, scopeCovers } from '../roles.ts';
import type { RoleAssignment } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { page } from './paging.ts';
import { requireScope } from './require-scope.ts';
import { requirePrincipal } from './role-assignments.ts';

const INSTANCES = 'Microsoft.Authorization/roleAssignmentScheduleInstances';

function instanceBody(assignment: RoleAssignment): Record<string, unknown> {
  const { id, scope, principalId, principalType, roleDefinitionId, createdMs, endMs } = assignment;
  const name = id.slice(id.lastIndexOf('/') + 1);
  const time = (ms: number | undefined) =>
    ms !== undefined && Number.isFinite(ms) ? new Date(ms).toISOString() : null;

  return {
    id: `${scope}/providers/${INSTANCES}/${name}`,
    name,
    type: INSTANCES,
    properties: {
      scope,
      roleDefinitionId,
      principalId,
      principalType,
      originRoleAssignmentId: id,
      status: 'Provisioned',
      startDateTime: time(createdMs),
      endDateTime: time(endMs),
      memberType: 'Direct',
      assignmentType: 'Assigned',
    },
  };
}

/** With `atScope()`: at the scope and above. Without: below it as well. */
function list(request: ArmRequest): Response {
  const { world, path, query } = request;
  const atScope = /atScope\(\)/i.test(query.get('$filter') ?? '');
  const found = [...world.roleAssignments.values()].filter(
    (one) =>
      !isOver(world, one) && (scopeCovers(one.scope, path.scope) || (!atScope && scopeCovers(path.scope, one.scope))),
  );
  return ok(page(request, found, 1000, instanceBody));
}

/** An administrator's assignment, with or without an end. */
function create(request: ArmRequest): Response {
  const { world, body, path } = request;

  requireScope(world, path);

  const asked = asObject(body.properties) ?? {};
  const principalId = asString(asked.principalId)?.toLowerCase();
  const role = findRoleDefinition(world, asString(asked.roleDefinitionId) ?? '');
  if (asked.requestType !== 'AdminAssign' || !principalId || !role) {
    throw badRequest(
      'The request needs AdminAssign, a principal and a role that is there.',
      'InvalidRoleAssignmentRequest',
    );
  }

  const duration = asString(asObject(asObject(asked.scheduleInfo)?.expiration)?.duration);
  const ms = duration === undefined ? undefined : parseDuration(duration);
  if (duration !== undefined && ms === undefined) {
    throw new ArmError(400, 'ExpirationRule', `The duration ${duration} is not valid.`);
  }

  const principalType = requirePrincipal(world, principalId, undefined);
  const nowMs = world.clock.nowMs();
  const id = `${path.scope}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`;
  const assignment: RoleAssignment = {
    id,
    scope: path.scope,
    principalId,
    principalType,
    roleDefinitionId: role.id,
    createdMs: nowMs,
    ...(ms === undefined ? {} : { endMs: nowMs + ms }),
  };

  world.roleAssignments.set(id.toLowerCase(), assignment);

  return ok({ id: path.id, name: nameAt(request, 0), properties: { ...asked, status: 'Provisioned' } }, 201);
}

/** The part of Privileged Identity Management that makes assignments with an end. */
export const roleScheduleRoutes: ArmRoutes = {
  'GET microsoft.authorization/roleassignmentscheduleinstances': list,
  'PUT microsoft.authorization/roleassignmentschedulerequests/{}': create,
};
