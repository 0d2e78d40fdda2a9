import { asArray, asObject, asString } from '../json.ts';
import { BUILT_IN_ROLES, guidOf } from '../roles/built-in-roles.ts';
import { findRoleDefinition, scopeCovers } from '../roles.ts';
import type { RoleDefinition } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';

/** The id as Azure shows it: under the subscription of the request. */
function shownId(request: ArmRequest, role: RoleDefinition): string {
  const { subscriptionId } = request.path;
  const prefix = subscriptionId ? `/subscriptions/${subscriptionId}` : '';
  return `${prefix}/providers/Microsoft.Authorization/roleDefinitions/${guidOf(role.id)}`;
}

function roleBody(request: ArmRequest, role: RoleDefinition): Record<string, unknown> {
  const { actions, notActions, dataActions, notDataActions, history } = role;

  return {
    id: shownId(request, role),
    name: guidOf(role.id),
    type: 'Microsoft.Authorization/roleDefinitions',
    properties: {
      roleName: role.roleName,
      type: role.type,
      description: role.description ?? '',
      assignableScopes: role.assignableScopes,
      permissions: [{ actions, notActions, dataActions, notDataActions }],
      createdOn: history ? new Date(history.createdMs).toISOString() : '2015-02-02T21:55:09.8806423Z',
      updatedOn: history ? new Date(history.updatedMs).toISOString() : '2021-11-11T20:13:47.8628684Z',
      createdBy: history?.createdBy ?? null,
      updatedBy: history?.updatedBy ?? null,
    },
  };
}

function list(request: ArmRequest): Response {
  const filter = request.query.get('$filter') ?? '';
  const name = /roleName eq '((?:[^']|'')*)'/i.exec(filter)?.[1]?.replaceAll("''", "'");
  const type = /type eq '(\w+)'/i.exec(filter)?.[1];
  const custom = [...request.world.roleDefinitions.values()].filter(({ assignableScopes }) =>
    assignableScopes.some((scope) => scopeCovers(scope, request.path.scope) || scopeCovers(request.path.scope, scope)),
  );
  const value = [...Object.values(BUILT_IN_ROLES), ...custom]
    .filter((role) => name === undefined || role.roleName.toLowerCase() === name.toLowerCase())
    .filter((role) => type === undefined || role.type.toLowerCase() === type.toLowerCase());

  return ok({ value: value.map((role) => roleBody(request, role)) });
}

function put(request: ArmRequest): Response {
  const { world, body, path } = request;
  const properties = asObject(body.properties) ?? {};
  const roleName = asString(properties.roleName);
  const assignableScopes = strings(properties.assignableScopes);

  if (!roleName) throw badRequest('The role definition has no roleName.', 'InvalidRoleDefinitionName');
  if (assignableScopes.length === 0) {
    throw badRequest('The role definition has no assignableScopes.', 'MissingAssignableScopes');
  }

  if (BUILT_IN_ROLES[roleName as keyof typeof BUILT_IN_ROLES]) {
    throw new ArmError(
      409,
      'RoleDefinitionWithSameNameExists',
      `A built-in role with the name '${roleName}' already exists.`,
    );
  }

  const guid = nameAt(request, 0).toLowerCase();
  const existing = findRoleDefinition(world, `/${guid}`);
  if (existing?.type === 'BuiltInRole') {
    throw new ArmError(403, 'CannotModifyBuiltInRole', 'A built-in role cannot be changed.');
  }

  const [permission = {}] = (asArray(properties.permissions) ?? []).map((one) => asObject(one) ?? {});
  const caller = request.caller.principal.objectId;
  const nowMs = world.clock.nowMs();
  const role: RoleDefinition = {
    id: existing?.id ?? `${path.scope}/providers/Microsoft.Authorization/roleDefinitions/${guid}`,
    roleName,
    type: 'CustomRole',
    actions: strings(permission.actions),
    notActions: strings(permission.notActions),
    dataActions: strings(permission.dataActions),
    notDataActions: strings(permission.notDataActions),
    assignableScopes,
    description: asString(properties.description) ?? '',
    history: {
      createdMs: existing?.history?.createdMs ?? nowMs,
      createdBy: existing?.history?.createdBy ?? caller,
      updatedMs: nowMs,
      updatedBy: caller,
    },
  };

  world.roleDefinitions.set(role.id.toLowerCase(), role);

  // The answer has no author yet (seen in recordings).
  const shown = roleBody(request, role);

  return ok({ ...shown, properties: { ...asObject(shown.properties), createdBy: null } }, 201);
}

function strings(value: unknown): string[] {
  return (asArray(value) ?? []).filter((one): one is string => typeof one === 'string');
}

function required(request: ArmRequest): RoleDefinition {
  const role = findRoleDefinition(request.world, `/${nameAt(request, 0)}`);
  if (role) return role;
  throw new ArmError(
    404,
    'RoleDefinitionDoesNotExist',
    `The specified role definition with ID '${nameAt(request, 0)}' does not exist.`,
  );
}

/** Role definitions: custom ones, and those of Azure's built-in ones that the local Azure needs. */
export const roleDefinitionRoutes: ArmRoutes = {
  'GET microsoft.authorization/roledefinitions': list,
  'GET microsoft.authorization/roledefinitions/{}': (request) => ok(roleBody(request, required(request))),
  'PUT microsoft.authorization/roledefinitions/{}': put,
  'DELETE microsoft.authorization/roledefinitions/{}': (request) => {
    const role = required(request);
    if (role.type === 'BuiltInRole') {
      throw new ArmError(403, 'CannotModifyBuiltInRole', 'A built-in role cannot be deleted.');
    }

    const used = [...request.world.roleAssignments.values()].some(
      ({ roleDefinitionId }) => guidOf(roleDefinitionId) === guidOf(role.id),
    );
    if (used) {
      throw new ArmError(400, 'RoleDefinitionHasAssignments', 'There are existing role assignments referencing role.');
    }

    request.world.roleDefinitions.delete(role.id.toLowerCase());

    return ok(roleBody(request, role));
  },
};
