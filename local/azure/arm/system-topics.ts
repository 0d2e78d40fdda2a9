import { randomUUID } from 'node:crypto';
import { asObject, asString, asTags } from '../json.ts';
import { patchIdentity } from '../storage/account-identity.ts';
import type { SystemTopic } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { requireTopic } from './event-subscriptions.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';

const metricIds = new WeakMap<SystemTopic, string>();

function topicBody(topic: SystemTopic): Record<string, unknown> {
  const { id, name, location, tags, source, topicType, identity } = topic;
  const metricResourceId = metricIds.get(topic) ?? randomUUID();
  metricIds.set(topic, metricResourceId);
  return {
    properties: { provisioningState: 'Succeeded', source, topicType, metricResourceId },
    systemData: null,
    location,
    tags: Object.keys(tags).length > 0 ? tags : null,
    ...(identity ? { identity } : {}),
    id,
    name,
    type: 'Microsoft.EventGrid/systemTopics',
  };
}

function put(request: ArmRequest): Response {
  const { world, path, body } = request;
  const properties = asObject(body.properties) ?? {};
  const source = asString(properties.source);
  const topicType = asString(properties.topicType);
  const location = asString(body.location)?.toLowerCase().replaceAll(' ', '');
  if (!source || !topicType || !location)
    throw badRequest('A system topic needs location, source and topicType.', 'InvalidRequest');
  const other = [...world.systemTopics.values()].find(
    (topic) => topic.source.toLowerCase() === source.toLowerCase() && topic.id.toLowerCase() !== path.id.toLowerCase(),
  );
  if (other)
    throw new ArmError(
      409,
      'Conflict',
      `Only one system topic is allowed per source. Existing system topic: '${other.id}'.`,
    );
  const current = world.systemTopics.get(path.id.toLowerCase())?.identity;
  const identity = patchIdentity(world, current, body.identity, () => {});
  const topic: SystemTopic = {
    id: path.id,
    name: nameAt(request, 0),
    location,
    tags: asTags(body.tags) ?? {},
    source,
    topicType,
    ...(identity ? { identity } : {}),
  };
  world.systemTopics.set(path.id.toLowerCase(), topic);
  return ok(topicBody(topic));
}

/** System topics of Event Grid. */
export const systemTopicRoutes: ArmRoutes = {
  'GET microsoft.eventgrid/systemtopics': (request) => {
    const topics = [...request.world.systemTopics.values()].filter(({ id }) => inScope(id, request.path.scope));
    return ok(page(request, topics, 100, topicBody));
  },
  'GET microsoft.eventgrid/systemtopics/{}': (request) => ok(topicBody(requireTopic(request))),
  'PUT microsoft.eventgrid/systemtopics/{}': put,
  'DELETE microsoft.eventgrid/systemtopics/{}': ({ world, path }) => {
    for (const id of world.eventSubscriptions.keys()) if (inScope(id, path.id)) world.eventSubscriptions.delete(id);
    return new Response(null, { status: world.systemTopics.delete(path.id.toLowerCase()) ? 200 : 204 });
  },
  'GET microsoft.eventgrid/locations/{}/operationsstatus/{}': (request) => {
    const id = nameAt(request, 1);
    const operation = request.operations.poll(id);
    if (!operation) throw new ArmError(404, 'ResourceNotFound', 'The operation was not found.');
    return ok({
      id: `https://management.azure.com${request.path.id}?api-version=${request.apiVersion}`,
      name: id.toLowerCase(),
      status: operation.done ? 'Succeeded' : 'InProgress',
    });
  },
};
