import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { asObject } from '../json.ts';
import { isAllowed } from '../roles.ts';
import type { Caller, Service, ServiceEnv } from '../service.ts';
import { ExclusiveWrites } from '../storage/exclusive-writes.ts';
import { createArmThrottle } from '../throttle/arm-throttle.ts';
import { createStorageThrottle } from '../throttle/storage-throttle.ts';
import type { World } from '../world.ts';
import { noteActivity } from './activity-log.ts';
import { apiVersionsOf } from './api-versions.ts';
import { type ArmPath, parseArmPath, typeOf } from './arm-path.ts';
import type { ArmRequest, ArmRoutes } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { Operations } from './operations.ts';
import { requireUnlocked } from './vault-guards.ts';

/** A token's `aud` for ARM: one of two names, with any number of trailing slashes. */
const audience = /^https:\/\/management\.(azure\.com|core\.windows\.net)\/*$/;

/** Azure Resource Manager at `management.azure.com`, with the routes of the given resource providers. */
export function createArmService(world: World, providers: readonly ArmRoutes[]): Service {
  const routes: ArmRoutes = Object.assign({}, ...providers);
  const operations = new Operations(world.clock);
  const armThrottle = createArmThrottle(world);
  const storageThrottle = createStorageThrottle(world);
  const writes = new ExclusiveWrites(world);
  const app = new Hono<ServiceEnv>();

  app.all('*', async (c) => {
    const headers: Record<string, string> = {
      'x-ms-request-id': randomUUID(),
      'x-ms-correlation-request-id': c.req.header('x-ms-correlation-request-id') ?? randomUUID(),
      'cache-control': 'no-cache',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
    };

    let response: Response;
    try {
      const url = new URL(c.req.url);
      const caller = requireCaller(c.get('caller'), c.req.header('authorization'));
      const path = parseArmPath(url.pathname);
      if (!path) throw badRequest('The request URI is not valid.', 'InvalidRequestUri');

      const apiVersion = url.searchParams.get('api-version');
      if (!apiVersion) {
        throw badRequest(
          'The api-version query parameter (?api-version=) is required for all requests.',
          'MissingApiVersionParameter',
        );
      }

      requireSubscription(world, path);
      Object.assign(headers, armThrottle(path.subscriptionId, caller.principal.objectId, c.req.method));

      const handler = routes[`${c.req.method === 'HEAD' ? 'HEAD' : c.req.method} ${path.pattern}`];
      if (!handler) throw noRoute(routes, path, c.req.method, apiVersion);

      requireApiVersion(path, apiVersion);

      if (!isOpenToAll(path)) {
        requireRight(world, caller, actionOf(path, c.req.method), path.isItem ? path.id : scopeOf(path));
      }

      if (path.pattern.startsWith('microsoft.storage/storageaccounts') && path.subscriptionId) {
        const region = world.storageAccounts.get(path.names[0]?.toLowerCase() ?? '')?.location ?? 'all';
        storageThrottle(path.subscriptionId, region, c.req.method, path.isItem);
      }

      requireUnlocked(world, path, c.req.method);

      const body = c.req.method === 'GET' ? {} : readBody(await c.req.text());

      refuseManyTags(body);

      const request: ArmRequest = {
        world,
        method: c.req.method,
        path,
        query: url.searchParams,
        apiVersion,
        body,
        caller,
        operations,
        header: (name) => c.req.header(name),
        authorizeLinked: (action, scope) => requireLinkedRight(world, caller, path, action, scope),
      };

      response = isAccountWrite(path, c.req.method)
        ? await writes.run(path.id, () => handler(request))
        : await handler(request);
      if (response.ok) {
        const correlationId = headers['x-ms-correlation-request-id'] ?? '';
        const { method } = c.req;
        noteActivity(world, { path, method, url: c.req.url, status: response.status, caller, correlationId });
      }
    } catch (error) {
      if (!(error instanceof ArmError)) throw error;
      response = error.toResponse();
    }

    for (const [name, value] of Object.entries(headers)) {
      if (!response.headers.has(name)) response.headers.set(name, value);
    }

    return response;
  });

  return app;
}

function requireCaller(caller: Caller | undefined, authorization: string | undefined): Caller {
  const challenge = (error: string) => ({
    'www-authenticate': `Bearer authorization_uri="https://login.microsoftonline.com/", error="invalid_token", error_description="${error}"`,
  });

  if (!authorization) {
    const message = "Authentication failed. The 'Authorization' header is missing.";
    throw new ArmError(401, 'AuthenticationFailed', message, challenge(message));
  }

  if (!caller) {
    const message = 'The access token is invalid or has expired.';
    throw new ArmError(401, 'InvalidAuthenticationToken', message, challenge(message));
  }

  if (!audience.test(caller.audience)) {
    const message = `The access token has been obtained for wrong audience or resource '${caller.audience}'. It should exactly match with one of the allowed audiences 'https://management.core.windows.net/','https://management.azure.com/'.`;
    throw new ArmError(401, 'InvalidAuthenticationTokenAudience', message, challenge(message));
  }

  return caller;
}

function requireSubscription(world: World, { subscriptionId, resourceGroup, id }: ArmPath): void {
  if (subscriptionId === undefined) return;

  if (!world.subscriptions.has(subscriptionId)) {
    throw new ArmError(404, 'SubscriptionNotFound', `The subscription '${subscriptionId}' could not be found.`);
  }

  if (resourceGroup === undefined || id.split('/').length <= 5) return; // the group itself has routes of its own

  const group = `/subscriptions/${subscriptionId}/resourcegroups/${resourceGroup}`.toLowerCase();
  if (!world.resourceGroups.has(group)) {
    throw new ArmError(404, 'ResourceGroupNotFound', `Resource group '${resourceGroup}' could not be found.`, {
      'x-ms-failure-cause': 'gateway',
    });
  }
}

function requireApiVersion({ pattern }: ArmPath, apiVersion: string): void {
  const known = apiVersionsOf(pattern) ?? [];
  if (known.includes(apiVersion)) return;
  throw badRequest(
    `The api-version '${apiVersion}' is invalid. The supported versions are '${[...known].reverse().join(',')}'.`,
    'InvalidApiVersionParameter',
  );
}

function noRoute(routes: ArmRoutes, path: ArmPath, method: string, apiVersion: string): ArmError {
  if (Object.keys(routes).some((route) => route.slice(route.indexOf(' ') + 1) === path.pattern)) {
    return new ArmError(
      405,
      'HttpMethodNotAllowed',
      `The requested resource does not support http method '${method}'.`,
    );
  }

  const [namespace = ''] = path.pattern.split('/');
  if (!namespace.startsWith('microsoft.')) {
    return new ArmError(
      404,
      'InvalidResourcePath',
      `The request path '${path.id}' is not one that the local ARM knows.`,
    );
  }

  if (!Object.keys(routes).some((route) => route.includes(` ${namespace}/`))) {
    return new ArmError(404, 'InvalidResourceNamespace', `The resource namespace '${namespace}' is invalid.`);
  }

  return new ArmError(
    404,
    'InvalidResourceType',
    `The resource type '${typeOf(path.pattern).slice(namespace.length + 1)}' could not be found in the namespace '${namespace}' for api version '${apiVersion}'.`,
  );
}

function isAccountWrite({ pattern }: ArmPath, method: string): boolean {
  return pattern === 'microsoft.storage/storageaccounts/{}' && ['PUT', 'PATCH', 'DELETE'].includes(method);
}

/** Every signed-in caller may send these. Each answer has only what that caller may see. */
function isOpenToAll({ pattern, scope }: ArmPath): boolean {
  return (
    // Every caller may read built-in definitions.
    (pattern === 'microsoft.authorization/policysetdefinitions/{}' && scope === '/') ||
    ['subscriptions', 'tenants', 'subscriptions/{}/resources', 'microsoft.resourcegraph/resources'].includes(pattern) ||
    /(asyncoperations|operationsstatus|operationresults|checknameavailability|checkmhsmnameavailability)/.test(pattern)
  );
}

/** RBAC verbs of the methods that do not write. */
const VERBS: Readonly<Record<string, string>> = { GET: 'read', HEAD: 'read', DELETE: 'delete' };

/** Types whose POST only reads, by the list of their provider's operations. */
const READING_POSTS: ReadonlySet<string> = new Set(['microsoft.policyinsights/checkpolicyrestrictions']);

/** The RBAC action of a request, as ARM derives it from method and type. */
function actionOf(path: ArmPath, method: string): string {
  const type = /^(subscriptions|tenants)/.test(path.pattern)
    ? `Microsoft.Resources/${typeOf(path.pattern)}`
    : typeOf(path.pattern);
  if (method === 'POST') return `${type}/${READING_POSTS.has(type) ? 'read' : 'action'}`;
  return `${type}/${VERBS[method] ?? 'write'}`;
}

/** The scope of a collection or an action: the resource before the last segment, or the scope of the provider. */
function scopeOf(path: ArmPath): string {
  const parent = path.id.slice(0, path.id.lastIndexOf('/'));
  return path.names.length > 0 && parent.length > path.scope.length ? parent : path.scope;
}

function requireRight(world: World, { principal }: Caller, action: string, scope: string): void {
  if (!world.settings.enforceRoles || isAllowed(world, principal.objectId, scope, action, 'action')) return;
  throw new ArmError(
    403,
    'AuthorizationFailed',
    `The client '${principal.clientId}' with object id '${principal.objectId}' does not have authorization to perform action '${action}' over scope '${scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
  );
}

/** ARM's refusal if the caller lacks a right on a resource that the request only refers to. */
function requireLinkedRight(world: World, { principal }: Caller, path: ArmPath, action: string, linked: string): void {
  if (!world.settings.enforceRoles || isAllowed(world, principal.objectId, linked, action, 'action')) return;
  throw new ArmError(
    403,
    'LinkedAuthorizationFailed',
    `The client '${principal.clientId}' with object id '${principal.objectId}' has permission to perform action '${actionOf(path, 'PUT')}' on scope '${path.id}'; however, it does not have permission to perform action(s) '${action}' on the linked scope(s) '${linked}' (respectively) or the linked scope(s) are invalid.`,
  );
}

/** Azure Resource Manager, "Use tags to organize your Azure resources", limitations. */
const MOST_TAGS = 50;

function refuseManyTags(body: Record<string, unknown>): void {
  const count = Object.keys(asObject(body.tags) ?? {}).length;
  if (count <= MOST_TAGS) return;
  throw badRequest(`The request has ${count} tags. A resource can have at most ${MOST_TAGS} tags.`, 'TooManyTags');
}

function readBody(text: string): Record<string, unknown> {
  if (text.trim() === '') return {};

  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw badRequest(
      'The request content was invalid and could not be deserialized: it is not JSON.',
      'InvalidRequestContent',
    );
  }

  const object = asObject(body);
  if (!object) throw badRequest('The request content was invalid: it must be a JSON object.', 'InvalidRequestContent');

  return object;
}
