import { randomUUID } from 'node:crypto';
import { asObject, asString, asTags } from '../json.ts';
import { patchIdentity } from '../storage/account-identity.ts';
import type { IdentityBlock, SystemTopic } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { provision, removed, requireTopic } from './event-subscriptions.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';

/** An identity block as Event Grid shows it: null for each field that the topic lacks. */
export function shownIdentity(identity: IdentityBlock): Record<string, unknown> {
  return { principalId: null, tenantId: null, userAssignedIdentities: null, ...identity };
}

const metricIds = new WeakMap<SystemTopic, string>();

function topicBody(topic: SystemTopic): Record<string, unknown> {
  const { id, name, location, tags, source, topicType, identity } = topic;
  const metricResourceId = metricIds.get(topic) ?? randomUUID();
  metricIds.set(topic, metricResourceId);

  return {
    properties: { provisioningState: topic.provisioningState ?? 'Succeeded', source, topicType, metricResourceId },
    systemData: null,
    location,
    tags: Object.keys(tags).length > 0 ? tags : null,
    ...(identity ? { identity: shownIdentity(identity) } : {}),
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
  if (!source || !topicType || !location) {
    throw badRequest('A system topic needs location, source and topicType.', 'InvalidRequest');
  }

  const other = [...world.systemTopics.values()].find(
    (topic) => topic.source.toLowerCase() === source.toLowerCase() && topic.id.toLowerCase() !== path.id.toLowerCase(),
  );
  if (other) {
    throw new ArmError(
      409,
      'Conflict',
      `Only one system topic is allowed per source. Existing system topic: '${other.id}'.`,
    );
  }

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

  return body.identity === undefined ? ok(topicBody(topic)) : underWay(request, topic, 'Creating');
}

/** An identity takes time: the answer comes before the change is complete (recorded). */
function underWay(request: ArmRequest, topic: SystemTopic, state: string): Response {
  if (request.world.settings.instantProvisioning) return ok(topicBody(topic), state === 'Creating' ? 201 : 200);
  topic.provisioningState = state;
  const at = provision(request, topic.location, () => delete topic.provisioningState);
  return ok(topicBody(topic), 201, { 'azure-asyncoperation': at });
}

/** A PATCH names tags, identity or both. */
function patch(request: ArmRequest): Response {
  const { world, body } = request;
  const topic = requireTopic(request);
  topic.tags = asTags(body.tags) ?? topic.tags;
  if (body.identity === undefined) return ok(topicBody(topic));
  const identity = patchIdentity(world, topic.identity, body.identity, (id) =>
    request.authorizeLinked('Microsoft.ManagedIdentity/userAssignedIdentities/assign/action', id),
  );
  if (identity) topic.identity = identity;
  return underWay(request, topic, 'Updating');
}

function operationStatus(request: ArmRequest): Response {
  const id = request.path.names.at(-1) ?? '';
  const operation = request.operations.poll(id);
  if (!operation) throw new ArmError(404, 'ResourceNotFound', 'The operation was not found.');
  return ok({
    id: `https://management.azure.com${request.path.id}?api-version=${request.apiVersion}`,
    name: id.toLowerCase(),
    status: operation.done ? 'Succeeded' : 'InProgress',
  });
}

/** The target of a DELETE's `Location`. */
function operationResult({ operations, path }: ArmRequest): Response {
  const operation = operations.poll(path.names.at(-1) ?? '');
  if (!operation) throw new ArmError(404, 'ResourceNotFound', 'The operation was not found.');
  return new Response(null, operation.done ? { status: 204 } : { status: 202, headers: { 'retry-after': '1' } });
}

/** System topics of Event Grid. */
export const systemTopicRoutes: ArmRoutes = {
  'GET microsoft.eventgrid/systemtopics': (request) => {
    const topics = [...request.world.systemTopics.values()].filter(({ id }) => inScope(id, request.path.scope));
    return ok(page(request, topics, 100, topicBody));
  },
  'GET microsoft.eventgrid/systemtopics/{}': (request) => ok(topicBody(requireTopic(request))),
  'PUT microsoft.eventgrid/systemtopics/{}': put,
  'PATCH microsoft.eventgrid/systemtopics/{}': patch,
  'DELETE microsoft.eventgrid/systemtopics/{}': (request) => {
    const { world, path } = request;
    for (const id of world.eventSubscriptions.keys()) {
      if (inScope(id, path.id)) world.eventSubscriptions.delete(id);
    }
    const topic = world.systemTopics.get(path.id.toLowerCase());
    return removed(request, world.systemTopics.delete(path.id.toLowerCase()), topic?.location ?? 'global');
  },
  'GET microsoft.eventgrid/operationsstatus/{}': operationStatus,
  'GET microsoft.eventgrid/locations/{}/operationsstatus/{}': operationStatus,
  'GET microsoft.eventgrid/operationresults/{}': operationResult,
  'GET microsoft.eventgrid/locations/{}/operationresults/{}': operationResult,
};
