import type { Caller } from '../service.ts';
import type { ResourceEvent, World } from '../world.ts';
import type { ArmPath } from './arm-path.ts';
import { type ArmRequest, type ArmRoutes, ok } from './arm-request.ts';
import { badRequest } from './errors.ts';
import { page } from './paging.ts';

/** Maximum number of events: enough for a test and for a day of use by hand. */
const KEPT = 5_000;

/** A request that succeeded. */
interface CarriedOut {
  readonly path: ArmPath;
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly caller: Caller;
  readonly correlationId: string;
}

const KINDS: Readonly<Record<string, ResourceEvent['kind']>> = {
  PUT: 'Write',
  PATCH: 'Write',
  DELETE: 'Delete',
  POST: 'Action',
};

/**
 * Writes what a request changed to the activity log of its subscription, and publishes it as an event. Actions are only
 * published.
 */
export function noteActivity(world: World, { path, method, url, status, caller, correlationId }: CarriedOut): void {
  const kind = KINDS[method];

  // A DELETE that found nothing is answered with 204.
  if (!kind || !path.subscriptionId || path.subscriptionId === 'subscriptions' || status === 204) return;

  const resourceId = kind === 'Action' ? path.id.slice(0, path.id.lastIndexOf('/')) : path.id;
  const operation = `${typeAsAsked(path)}/${kind.toLowerCase()}`;
  const { objectId } = caller.principal;

  if (kind !== 'Action') {
    world.activity.push({ timeMs: world.clock.nowMs(), resourceId, operation, caller: objectId, correlationId });
    if (world.activity.length > KEPT) world.activity.shift();
  }

  world.publishChange({
    subscriptionId: path.subscriptionId,
    kind,
    resourceId,
    operation,
    correlationId,
    claims: eventClaims(caller),
    ...(status === 201 ? {} : { httpRequest: { method, url } }),
  });
}

/** The type as the request spells it: `Microsoft.Storage/storageAccounts`. */
function typeAsAsked({ id, scope, pattern }: ArmPath): string {
  const outside = /^subscriptions\//.test(pattern);
  const [namespace = '', ...rest] = (outside ? id : id.slice(scope.length + '/providers/'.length))
    .split('/')
    .filter((segment) => segment !== '');
  if (outside) return ['Microsoft.Resources', namespace, ...rest.filter((_, n) => n % 2 === 1)].join('/');
  return [namespace, ...rest.filter((_, n) => n % 2 === 0)].join('/');
}

/** The claims of the caller's token, with the names that events use. */
function eventClaims({ claims: ofToken = {}, principal }: Caller): ResourceEvent['claims'] {
  const { oid, tid, scp, name, ...claims } = ofToken;
  const schemas = 'http://schemas.microsoft.com/identity/claims';

  return {
    ...claims,
    ipaddr: '127.0.0.1',
    [`${schemas}/objectidentifier`]: oid,
    [`${schemas}/tenantid`]: tid,
    ...(name ? { name, [`${schemas}/scope`]: scp } : {}),
    ...(principal.kind === 'user'
      ? {
          'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn': `${principal.displayName}@local.onmicrosoft.com`,
        }
      : {}),
  };
}

/** Azure Monitor requires a start in the filter, and allows one resource ("Activity Logs - List"). */
function list(request: ArmRequest): Response {
  const { world, path, query } = request;
  const filter = query.get('$filter') ?? '';
  const since = /eventTimestamp ge '([^']+)'/i.exec(filter)?.[1];
  if (!since || Number.isNaN(Date.parse(since))) {
    throw badRequest('The $filter needs eventTimestamp ge a time.', 'BadRequest');
  }

  const resource = /resourceUri eq '([^']+)'/i.exec(filter)?.[1]?.toLowerCase();
  const found = world.activity.filter(
    ({ timeMs, resourceId }) =>
      timeMs >= Date.parse(since) &&
      resourceId.toLowerCase().startsWith(`/subscriptions/${path.subscriptionId}/`) &&
      (resource === undefined || resourceId.toLowerCase() === resource),
  );

  const newestFirst = found.toReversed();

  return ok(
    page(request, newestFirst, 200, ({ timeMs, resourceId, operation, caller, correlationId }) => ({
      caller,
      eventTimestamp: new Date(timeMs).toISOString(),
      resourceId,
      correlationId,
      operationName: { value: operation, localizedValue: operation },
      status: { value: 'Succeeded', localizedValue: 'Succeeded' },
    })),
  );
}

export const activityLogRoutes: ArmRoutes = {
  'GET microsoft.insights/eventtypes/{}/values': list,
};
