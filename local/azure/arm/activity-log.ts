import type { Principal, World } from '../world.ts';
import { type ArmPath, typeOf } from './arm-path.ts';
import { type ArmRequest, type ArmRoutes, ok } from './arm-request.ts';
import { badRequest } from './errors.ts';
import { page } from './paging.ts';

/** Events that are kept: enough for a test and for a day of trying things out. */
const KEPT = 5_000;

/** Notes a change that was carried out, as the activity log of its subscription has it. */
export function noteActivity(world: World, path: ArmPath, method: string, { objectId }: Principal): void {
  if (!['PUT', 'PATCH', 'DELETE'].includes(method) || !path.subscriptionId) return;
  const operation = `${typeOf(path.pattern)}/${method === 'DELETE' ? 'delete' : 'write'}`;
  world.activity.push({ timeMs: world.clock.nowMs(), resourceId: path.id, operation, caller: objectId });
  if (world.activity.length > KEPT) world.activity.shift();
}

/** The filter needs a start, and takes one resource (Azure Monitor, "Activity Logs - List"). */
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
    page(request, newestFirst, 200, ({ timeMs, resourceId, operation, caller }) => ({
      caller,
      eventTimestamp: new Date(timeMs).toISOString(),
      resourceId,
      operationName: { value: operation, localizedValue: operation },
      status: { value: 'Succeeded', localizedValue: 'Succeeded' },
    })),
  );
}

export const activityLogRoutes: ArmRoutes = {
  'GET microsoft.insights/eventtypes/{}/values': list,
};
