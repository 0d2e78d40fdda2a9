import { everyPrincipal, principalTypeOf } from '../entra/directory.ts';
import { asObject, asString, type JsonObject } from '../json.ts';
import { guidOf } from '../roles/built-in-roles.ts';
import { requireDelegation } from '../roles/delegation.ts';
import { findRoleDefinition, isOver, scopeCovers } from '../roles.ts';
import type { RoleAssignment, World } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { page } from './paging.ts';
import { requireScope } from './require-scope.ts';

const type = 'Microsoft.Authorization/roleAssignments';
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function assignmentBody(request: ArmRequest, assignment: RoleAssignment): Record<string, unknown> {
  const { id, scope, principalId, principalType, roleDefinitionId, createdMs, updatedMs = createdMs } = assignment;
  const { subscriptionId } = request.path;
  const definition = subscriptionId
    ? `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${guidOf(roleDefinitionId)}`
    : roleDefinitionId;
  const time = (ms: number) => (Number.isFinite(ms) ? new Date(ms).toISOString() : undefined);

  return {
    id,
    name: id.slice(id.lastIndexOf('/') + 1),
    type,
    properties: {
      roleDefinitionId: definition,
      principalId,
      principalType,
      scope,
      condition: assignment.condition ?? null,
      conditionVersion: assignment.conditionVersion ?? null,
      createdOn: time(createdMs),
      updatedOn: time(updatedMs),
      createdBy: assignment.createdBy ?? null,
      updatedBy: assignment.updatedBy ?? assignment.createdBy ?? null,
      delegatedManagedIdentityResourceId: null,
      description: assignment.description ?? null,
    },
  };
}

/** The answer to a PUT has no author yet (seen in recordings). */
function created(request: ArmRequest, assignment: RoleAssignment): Response {
  const body = assignmentBody(request, assignment);
  return ok({ ...body, properties: { ...asObject(body.properties), createdBy: null } }, 201);
}

/**
 * `atScope()`: at the scope and above; `assignedTo` and `principalId`: of one principal; without a filter below as
 * well.
 */
function list(request: ArmRequest): Response {
  const { world, path, query } = request;
  const filter = query.get('$filter') ?? '';
  const scope = path.scope === '/' ? '' : path.scope;
  const atScope = /atScope\(\)/i.test(filter);
  const principalId = (/assignedTo\('([^']*)'\)/i.exec(filter) ??
    /principalId eq '([^']*)'/i.exec(filter))?.[1]?.toLowerCase();
  const found = [...world.roleAssignments.values()].filter(
    (assignment) =>
      !isOver(world, assignment) &&
      (scopeCovers(assignment.scope, scope) || (!atScope && scopeCovers(scope, assignment.scope))) &&
      (principalId === undefined || assignment.principalId.toLowerCase() === principalId),
  );

  return ok(page(request, found, 1000, (assignment) => assignmentBody(request, assignment)));
}

function put(request: ArmRequest): Response {
  const { world, body, path } = request;
  const name = nameAt(request, 0).toLowerCase();
  if (!GUID.test(name)) {
    throw badRequest(
      `The role assignment ID '${name}' is not valid. The role assignment ID must be a GUID.`,
      'InvalidRoleAssignmentId',
    );
  }

  requireScope(world, path);

  const properties = asObject(body.properties) ?? {};
  const principalId = asString(properties.principalId)?.toLowerCase();
  const roleDefinitionId = asString(properties.roleDefinitionId);
  if (!principalId || !roleDefinitionId) {
    throw badRequest(
      'The request needs properties.principalId and properties.roleDefinitionId.',
      'InvalidCreateRoleAssignmentRequest',
    );
  }

  const role = findRoleDefinition(world, roleDefinitionId);
  if (!role) {
    throw new ArmError(
      400,
      'RoleDefinitionDoesNotExist',
      `The specified role definition with ID '${guidOf(roleDefinitionId)}' does not exist.`,
    );
  }

  const scope = path.scope;
  const principalType = requirePrincipal(world, principalId, asString(properties.principalType));

  requireDelegation(world, request.caller.principal, 'write', scope, { roleDefinitionId: role.id, principalType });

  const same = [...world.roleAssignments.values()].find(
    (one) =>
      one.scope.toLowerCase() === scope.toLowerCase() &&
      one.principalId.toLowerCase() === principalId &&
      guidOf(one.roleDefinitionId) === guidOf(role.id),
  );

  const caller = request.caller.principal.objectId;

  // A template that is deployed twice writes the same name again: only the remarks can change.
  if (same?.id.toLowerCase() === path.id.toLowerCase()) {
    Object.assign(same, remarks(properties), { updatedMs: world.clock.nowMs(), updatedBy: caller });
    return created(request, same);
  }

  if (same) throw new ArmError(409, 'RoleAssignmentExists', 'The role assignment already exists.');

  if (world.roleAssignments.has(path.id.toLowerCase())) {
    throw new ArmError(
      409,
      'RoleAssignmentUpdateNotPermitted',
      'Tenant ID, application ID, principal ID, and scope are not allowed to be updated.',
    );
  }

  const assignment: RoleAssignment = {
    id: path.id,
    scope,
    principalId,
    principalType,
    roleDefinitionId: role.id,
    createdMs: world.clock.nowMs(),
    createdBy: caller,
    ...remarks(properties),
  };

  world.roleAssignments.set(path.id.toLowerCase(), assignment);

  return created(request, assignment);
}

/** The kind of a principal of the tenant. Codes and messages, spelling included, are those of public reports. */
export function requirePrincipal(world: World, principalId: string, principalType: string | undefined): string {
  if (!GUID.test(principalId)) {
    // NOT FOUND: Azure's message for it. That an id has to be a GUID is documented.
    throw badRequest(
      `The principal ID '${principalId}' is not valid. Principal ID must be a GUID.`,
      'InvalidPrincipalId',
    );
  }

  const shown = principalId.replaceAll('-', '');
  const principal = everyPrincipal(world).find(({ objectId }) => objectId.toLowerCase() === principalId);
  if (!principal) {
    throw badRequest(
      `Principal ${shown} does not exist in the directory ${world.tenantId}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype`,
      'PrincipalNotFound',
    );
  }

  const type = principalTypeOf(principal);
  if (principalType !== undefined && principalType.toLowerCase() !== type.toLowerCase()) {
    throw badRequest(
      `The PrincipalId '${shown}' has type '${type}' , which is different from specified PrinciaplType '${principalType}'.`,
      'UnmatchedPrincipalType',
    );
  }

  return type;
}

/**
 * The fields of an assignment other than who, what and where. Conditions on granting roles are evaluated, others only
 * stored.
 */
function remarks(properties: JsonObject): Pick<RoleAssignment, 'condition' | 'conditionVersion' | 'description'> {
  return {
    condition: asString(properties.condition),
    conditionVersion: asString(properties.conditionVersion),
    description: asString(properties.description),
  };
}

/** Role assignments at any scope. */
export const roleAssignmentRoutes: ArmRoutes = {
  'GET microsoft.authorization/roleassignments': list,
  'GET microsoft.authorization/roleassignments/{}': (request) => {
    const assignment = request.world.roleAssignments.get(request.path.id.toLowerCase());
    if (assignment) return ok(assignmentBody(request, assignment));
    throw new ArmError(404, 'RoleAssignmentNotFound', `The role assignment '${nameAt(request, 0)}' is not found.`);
  },
  'PUT microsoft.authorization/roleassignments/{}': put,
  'DELETE microsoft.authorization/roleassignments/{}': (request) => {
    const id = request.path.id.toLowerCase();
    const assignment = request.world.roleAssignments.get(id);
    if (!assignment) return new Response(null, { status: 204 });
    requireDelegation(request.world, request.caller.principal, 'delete', assignment.scope, assignment);
    request.world.roleAssignments.delete(id);
    return ok(assignmentBody(request, assignment));
  },
};
