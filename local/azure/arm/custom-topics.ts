import { randomUUID } from 'node:crypto';
import { asObject, asString, asTags } from '../json.ts';
import { patchIdentity } from '../storage/account-identity.ts';
import type { CustomTopic } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { badRequest, resourceNotFound } from './errors.ts';
import { provision, removed } from './event-subscriptions.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';
import { shownIdentity } from './system-topics.ts';

const type = 'Microsoft.EventGrid/topics';

const defaults = {
  inputSchema: 'EventGridSchema',
  publicNetworkAccess: 'Enabled',
  disableLocalAuth: false,
  dataResidencyBoundary: 'WithinGeopair',
};

/** Until it is created, a topic has no endpoint and shows no defaults (recorded). */
function topicBody(topic: CustomTopic): Record<string, unknown> {
  const { id, name, location, tags, sku, identity, properties, metricResourceId, provisioningState } = topic;
  const creating = provisioningState === 'Creating';
  const endpoint = `https://${name}.${location}-1.eventgrid.azure.net/api/events`;

  return {
    properties: {
      ...(creating ? {} : defaults),
      ...properties,
      ...(creating ? { endpoint: null } : { endpoint, metricResourceId }),
      provisioningState: provisioningState ?? 'Succeeded',
    },
    sku,
    identity: shownIdentity(identity),
    kind: 'Azure',
    systemData: null,
    location,
    tags: Object.keys(tags).length > 0 ? tags : null,
    id,
    name,
    type,
  };
}

function required({ world, path }: ArmRequest): CustomTopic {
  const topic = world.customTopics.get(path.id.toLowerCase());
  if (!topic) throw resourceNotFound(type, path.names[0] ?? '', path.resourceGroup);
  return topic;
}

function put(request: ArmRequest): Response {
  const { world, path, body } = request;
  const location = asString(body.location)?.toLowerCase().replaceAll(' ', '');
  if (!location) throw badRequest("The required property 'location' is missing from the request.", 'LocationRequired');

  const existing = world.customTopics.get(path.id.toLowerCase());
  const topic: CustomTopic = {
    id: path.id,
    name: nameAt(request, 0),
    location,
    tags: asTags(body.tags) ?? {},
    sku: asObject(body.sku) ?? { name: 'Basic' },
    identity: patchIdentity(world, existing?.identity, body.identity, (id) =>
      request.authorizeLinked('Microsoft.ManagedIdentity/userAssignedIdentities/assign/action', id),
    ) ?? { type: 'None' },
    properties: asObject(body.properties) ?? {},
    metricResourceId: existing?.metricResourceId ?? randomUUID(),
  };

  world.customTopics.set(path.id.toLowerCase(), topic);

  if (world.settings.instantProvisioning) return ok(topicBody(topic), 201);

  topic.provisioningState = existing ? 'Updating' : 'Creating';

  const at = provision(request, location, () => delete topic.provisioningState);

  return ok(topicBody(topic), 201, { 'azure-asyncoperation': at });
}

/** Custom topics of Event Grid, which can have event subscriptions. */
export const customTopicRoutes: ArmRoutes = {
  'GET microsoft.eventgrid/topics': (request) => {
    const topics = [...request.world.customTopics.values()].filter(({ id }) => inScope(id, request.path.scope));
    return ok(page(request, topics, 100, topicBody));
  },
  'GET microsoft.eventgrid/topics/{}': (request) => ok(topicBody(required(request))),
  'PUT microsoft.eventgrid/topics/{}': put,
  'DELETE microsoft.eventgrid/topics/{}': (request) => {
    const { world, path } = request;
    for (const id of world.eventSubscriptions.keys()) {
      if (inScope(id, path.id)) world.eventSubscriptions.delete(id);
    }
    const topic = world.customTopics.get(path.id.toLowerCase());
    return removed(request, world.customTopics.delete(path.id.toLowerCase()), topic?.location ?? 'global');
  },
};
