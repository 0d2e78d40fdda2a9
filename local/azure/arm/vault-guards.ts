import { asObject, asString } from '../json.ts';
import type { ExtensionResource, World } from '../world.ts';
import type { ArmPath } from './arm-path.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';
import { requireScope } from './require-scope.ts';

const DIAGNOSTICS = 'Microsoft.Insights/diagnosticSettings';
const LOCKS = 'Microsoft.Authorization/locks';

/** A diagnostic setting shows null for an absent field, and its id in lower case except for the end (recorded). */
const unset = {
  storageAccountId: null,
  serviceBusRuleId: null,
  eventHubAuthorizationRuleId: null,
  eventHubName: null,
  logAnalyticsDestinationType: null,
};

function body({ id, type, scope, properties }: ExtensionResource): Record<string, unknown> {
  const name = id.slice(id.lastIndexOf('/') + 1);
  if (type === LOCKS) return { id, name, type, properties };
  const shownId = `${scope.toLowerCase()}/providers/microsoft.insights/diagnosticSettings/${name}`;
  return { id: shownId, name, type, properties: { ...unset, ...properties } };
}

function put(request: ArmRequest, type: string, properties: Record<string, unknown>): Response {
  const { world, path } = request;
  requireScope(world, path);
  const key = path.id.toLowerCase();
  const status = world.extensions.has(key) ? 200 : 201;
  const resource = { id: path.id, type, scope: path.scope, properties };
  world.extensions.set(key, resource);
  return ok(body(resource), status);
}

function get({ world, path }: ArmRequest): Response {
  const found = world.extensions.get(path.id.toLowerCase());
  if (found) return ok(body(found));
  throw new ArmError(404, 'ResourceNotFound', `The resource '${path.id}' could not be found.`);
}

function remove({ world, path }: ArmRequest): Response {
  return new Response(null, { status: world.extensions.delete(path.id.toLowerCase()) ? 200 : 204 });
}

/** The settings of the resource itself. */
function listSettings(request: ArmRequest): Response {
  requireScope(request.world, request.path);
  const { scope } = request.path;
  const found = [...request.world.extensions.values()].filter(
    (one) => one.type === DIAGNOSTICS && one.scope.toLowerCase() === scope.toLowerCase(),
  );
  return ok(page(request, found, 100, body));
}

/**
 * The locks of the resource, of its group, and of what is below it (Azure SDK for Java,
 * ManagementLocks.listForResource).
 */
function listLocks(request: ArmRequest): Response {
  requireScope(request.world, request.path);
  const { scope } = request.path;
  const found = [...request.world.extensions.values()].filter(
    (one) =>
      one.type === LOCKS && one.scope.split('/').length > 3 && (covers(one.scope, scope) || inScope(one.scope, scope)),
  );
  return ok(page(request, found, 100, body));
}

function putLock(request: ArmRequest): Response {
  const properties = asObject(request.body.properties) ?? {};
  const level = asString(properties.level) ?? '';
  if (!['CanNotDelete', 'ReadOnly', 'NotSpecified'].includes(level)) {
    throw badRequest(`The lock level '${level}' is invalid.`, 'LockLevelInvalid');
  }
  return put(request, LOCKS, properties);
}

function putSetting(request: ArmRequest): Response {
  const properties = asObject(request.body.properties) ?? {};
  const destinations = ['workspaceId', 'storageAccountId', 'eventHubAuthorizationRuleId', 'marketplacePartnerId'];
  if (!destinations.some((name) => asString(properties[name]))) {
    throw badRequest(`At least one data sink needs to be specified in ${nameAt(request, 0)}.`);
  }
  return put(request, DIAGNOSTICS, properties);
}

function covers(lockedAt: string, id: string): boolean {
  return `${id}/`.toLowerCase().startsWith(`${lockedAt}/`.toLowerCase());
}

/**
 * Throws ARM's refusal if a lock forbids the request: a deletion, or with `ReadOnly` any change. A POST counts as a
 * change even if it only reads, as `listKeys` does (Azure Resource Manager, "Lock your resources").
 */
export function requireUnlocked(world: World, path: ArmPath, method: string): void {
  if (path.pattern.startsWith('microsoft.authorization/locks')) return;

  const isAction = method === 'POST' && path.names.length > 0;
  if (!isAction && !['DELETE', 'PUT', 'PATCH'].includes(method)) return;

  const lock = [...world.extensions.values()].find(
    ({ type, scope, properties }) =>
      type === LOCKS &&
      covers(scope, path.id) &&
      (properties.level === 'ReadOnly' || (method === 'DELETE' && properties.level === 'CanNotDelete')),
  );
  if (!lock) return;

  const what = method === 'DELETE' ? 'delete' : 'write';

  throw new ArmError(
    409,
    'ScopeLocked',
    `The scope '${path.id}' cannot perform ${what} operation because following scope(s) are locked: '${lock.scope}'. Please remove the lock and try again.`,
  );
}

/** Diagnostic settings and locks, at any scope. */
export const vaultGuardRoutes: ArmRoutes = {
  'GET microsoft.insights/diagnosticsettings': listSettings,
  'GET microsoft.insights/diagnosticsettings/{}': get,
  'PUT microsoft.insights/diagnosticsettings/{}': putSetting,
  'DELETE microsoft.insights/diagnosticsettings/{}': remove,
  'GET microsoft.authorization/locks': listLocks,
  'GET microsoft.authorization/locks/{}': get,
  'PUT microsoft.authorization/locks/{}': putLock,
  'DELETE microsoft.authorization/locks/{}': remove,
};
