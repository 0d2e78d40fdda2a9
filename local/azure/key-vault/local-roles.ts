import { scopeCovers } from '../roles.ts';
import type { Caller } from '../service.ts';
import type { LocalAccess, LocalRoleAssignment, LocalRoleDefinition, World } from '../world.ts';
import { badParameter, conflict, KeyVaultError } from './errors.ts';
import { assignLocalRole, findLocalRole, LOCAL_ROLES, mayAt, notAuthorized } from './local-access.ts';
import { page } from './paging.ts';

/** A request about a Managed HSM's roles, with its scope. */
interface Asked {
  readonly scope: string;
  readonly what: 'roleAssignments' | 'roleDefinitions';
  /** Lower case; undefined for the list. */
  readonly name: string | undefined;
}

export interface LocalRolesRequest {
  readonly world: World;
  readonly access: LocalAccess;
  readonly caller: Caller;
  readonly method: string;
  readonly url: URL;
  readonly body: Record<string, unknown> | undefined;
}

type Answer = { readonly status: number; readonly body: Record<string, unknown> };

const path =
  /^(?<scope>.*?)\/+providers\/Microsoft\.Authorization\/(?<what>roleAssignments|roleDefinitions)(?:\/(?<name>[^/]+))?\/?$/i;
const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isAboutRoles({ pathname }: URL): boolean {
  return path.test(pathname);
}

function askedOf({ pathname }: URL): Asked {
  const { scope = '', what = '', name } = path.exec(pathname)?.groups ?? {};
  return {
    scope: `/${scope.split('/').filter(Boolean).join('/')}`,
    what: /assign/i.test(what) ? 'roleAssignments' : 'roleDefinitions',
    name: name?.toLowerCase(),
  };
}

/** Answers requests about the role-based access control of a Managed HSM. */
export function answerLocalRoles(request: LocalRolesRequest): Answer {
  const asked = askedOf(request.url);
  const verb = { GET: 'read', PUT: 'write', DELETE: 'delete' }[request.method];
  if (!verb) throw new KeyVaultError(405, 'MethodNotAllowed', `Method ${request.method} is not allowed.`);
  const action = `Microsoft.KeyVault/managedHsm/${asked.what}/${verb}/action`;
  const { world, access, caller } = request;
  if (world.settings.enforceRoles && !mayAt(access, caller.principal.objectId, asked.scope, action)) {
    throw notAuthorized(action, asked.scope);
  }
  return asked.what === 'roleAssignments' ? ofAssignments(asked, request) : ofDefinitions(asked, request);
}

function ofAssignments({ scope, name }: Asked, { access, method, url, body }: LocalRolesRequest): Answer {
  const { roleAssignments } = access;

  if (name === undefined) {
    const shown = [...roleAssignments.values()].filter(listedAt(scope, url.searchParams.get('$filter') ?? ''));
    return { status: 200, body: page(shown.map(showAssignment), url, url.searchParams.get('api-version') ?? '') };
  }

  const found = roleAssignments.get(name);

  if (method === 'PUT') {
    if (found) throw conflict('The role assignment already exists.', 'RoleAssignmentExists');
    return {
      status: 201,
      body: showAssignment(assignLocalRole(access, { ...readAssignment(access, body), scope, name })),
    };
  }

  if (!found) throw new KeyVaultError(404, 'RoleAssignmentNotFound', 'Requested role assignment not found');
  if (method === 'DELETE') roleAssignments.delete(name);

  return { status: 200, body: showAssignment(found) };
}

/**
 * The assignments in a list at a scope.
 *
 * Without a filter: those of the scope and below, except those of single keys ("Managed HSM role management": the list
 * at `/` and `/keys` does not show them). With a filter, as in the REST reference: `atScope()` at the scope and above;
 * `principalId eq` of one principal at the scope, above and below.
 */
function listedAt(scope: string, filter: string): (one: LocalRoleAssignment) => boolean {
  const who = /principalId eq '?([^' ]+)'?/i.exec(filter)?.[1]?.toLowerCase();
  const isAbove = (one: LocalRoleAssignment) => scopeCovers(one.scope, scope);
  const isBelow = (one: LocalRoleAssignment) => scopeCovers(scope, one.scope);
  if (/atScope\(\)/i.test(filter)) return isAbove;
  if (who !== undefined) return (one) => one.principalId.toLowerCase() === who && (isAbove(one) || isBelow(one));
  return (one) => isBelow(one) && (one.scope === scope || !one.scope.startsWith('/keys/'));
}

function readAssignment(
  access: LocalAccess,
  body: Record<string, unknown> | undefined,
): { principalId: string; role: LocalRoleDefinition } {
  const { roleDefinitionId, principalId } = (body?.properties ?? {}) as Record<string, unknown>;
  const role = findLocalRole(access, String(roleDefinitionId).split('/').at(-1)?.toLowerCase() ?? '');
  if (!role) throw new KeyVaultError(404, 'RoleDefinitionNotFound', 'Requested role definition not found');

  if (typeof principalId !== 'string' || !guid.test(principalId.toLowerCase())) {
    throw badParameter('properties.principalId must be the object id of a principal.');
  }

  return { principalId: principalId.toLowerCase(), role };
}

function ofDefinitions({ name }: Asked, { access, method, body }: LocalRolesRequest): Answer {
  if (name === undefined) {
    const all = [...Object.values(LOCAL_ROLES), ...access.roleDefinitions.values()];
    return { status: 200, body: { value: all.map(showDefinition) } };
  }

  const found = findLocalRole(access, name);

  if (method === 'PUT') {
    if (found?.type === 'AKVBuiltInRole') throw badParameter('A built-in role cannot be changed.');

    const role = readDefinition(name, body);
    access.roleDefinitions.set(name, role);

    return { status: 201, body: showDefinition(role) };
  }

  if (!found) throw new KeyVaultError(404, 'RoleDefinitionNotFound', 'Requested role definition not found');

  if (method === 'DELETE') {
    if (found.type === 'AKVBuiltInRole') throw badParameter('A built-in role cannot be deleted.');
    access.roleDefinitions.delete(name);
  }

  return { status: 200, body: showDefinition(found) };
}

function readDefinition(name: string, body: Record<string, unknown> | undefined): LocalRoleDefinition {
  const { roleName, description, permissions } = (body?.properties ?? {}) as Record<string, unknown>;
  const given = (Array.isArray(permissions) ? permissions : []) as Record<string, string[] | undefined>[];
  const all = (field: string) => given.flatMap((one) => one[field] ?? []);

  return {
    name,
    roleName: String(roleName ?? name),
    type: 'CustomRole',
    description: String(description ?? ''),
    dataActions: all('dataActions'),
    notDataActions: all('notDataActions'),
  };
}

const definitionId = (name: string) => `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${name}`;

function showAssignment({ name, scope, principalId, role }: LocalRoleAssignment): Record<string, unknown> {
  return {
    id: `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
    name,
    properties: { principalId, roleDefinitionId: definitionId(role), scope },
    type: 'Microsoft.Authorization/roleAssignments',
  };
}

function showDefinition(role: LocalRoleDefinition): Record<string, unknown> {
  const { name, roleName, type, description, dataActions, notDataActions } = role;
  const permissions = [{ actions: [], dataActions, notActions: [], notDataActions }];
  return {
    id: definitionId(name),
    name,
    properties: { assignableScopes: ['/'], description, permissions, roleName, type },
    type: 'Microsoft.Authorization/roleDefinitions',
  };
}
