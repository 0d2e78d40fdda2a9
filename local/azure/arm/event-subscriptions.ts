import { asObject, asString } from '../json.ts';
import type { EventSubscription, SystemTopic, World } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest, resourceNotFound } from './errors.ts';
import { parentId, patchSubscription, subscriptionBody, whileCreating } from './event-subscription-body.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';
import { requireScope } from './require-scope.ts';

/** The parent of an event subscription: a resource, or its system topic. */
interface Parent {
  /** ARM id of the resource that the events are about. */
  readonly source: string;
  readonly location: string;
}

function parentOf(request: ArmRequest): Parent {
  const { world, path } = request;
  if (!path.pattern.startsWith('microsoft.eventgrid/systemtopics/')) {
    requireScope(world, path);
    return { source: path.scope, location: locationOf(world, path.scope) };
  }
  const topic = requireTopic(request);
  return { source: topic.source, location: topic.location };
}

/**
 * The first event subscription of a subscription creates its system topic in a resource group of its own ("System
 * topics").
 */
function requireOwnTopic(world: World, source: string): void {
  const subscription = /^\/subscriptions\/([^/]+)$/i.exec(source)?.[1];
  const topics = [...world.systemTopics.values()];
  if (!subscription || topics.some((topic) => topic.source.toLowerCase() === source.toLowerCase())) return;

  const group = `/subscriptions/${subscription}/resourceGroups/Default-EventGrid`;
  const name = `evgt-${subscription}`;
  const id = `${group}/providers/Microsoft.EventGrid/systemTopics/${name}`;

  world.resourceGroups.set(group.toLowerCase(), {
    id: group,
    name: 'Default-EventGrid',
    location: 'westeurope',
    tags: {},
  });

  world.systemTopics.set(id.toLowerCase(), {
    id,
    name,
    location: 'global',
    tags: {},
    source,
    topicType: 'Microsoft.Resources.Subscriptions',
  });
}

/** The region of a resource, whose Event Grid keeps its event subscriptions. */
function locationOf(world: World, id: string): string {
  const all = [...world.vaults.values(), ...world.storageAccounts.values(), ...world.customTopics.values()];
  return all.find((resource) => resource.id.toLowerCase() === id.toLowerCase())?.location ?? 'global';
}

/** The system topic that a request names, itself or as the parent of an event subscription. */
export function requireTopic(request: ArmRequest): SystemTopic {
  const name = nameAt(request, 0);
  const id = `${request.path.scope}/providers/microsoft.eventgrid/systemtopics/${name}`.toLowerCase();
  const topic = request.world.systemTopics.get(id);
  if (!topic) throw resourceNotFound('Microsoft.EventGrid/systemTopics', name, request.path.resourceGroup);
  return topic;
}

function put(request: ArmRequest): Response {
  const { world, path, body } = request;
  const name = path.names.at(-1) ?? '';
  if (!/^[a-zA-Z0-9-]{3,64}$/.test(name)) {
    throw badRequest(`Event subscription name '${name}' is not valid.`, 'InvalidRequest');
  }

  const parent = parentOf(request);

  requireOwnTopic(world, parent.source);

  const existing = world.eventSubscriptions.get(path.id.toLowerCase());

  // A PUT resets what it leaves out to the default, except the schema (recorded).
  const kept = existing && { eventDeliverySchema: existing.properties.eventDeliverySchema };
  const properties = patchSubscription(world, parent.source, kept, asObject(body.properties) ?? {});
  const instant = world.settings.instantProvisioning;
  const underWay = existing ? 'Updating' : 'Creating';
  const subscription: EventSubscription = {
    id: existing?.id ?? path.id,
    name: existing?.name ?? name,
    topic: parent.source,
    properties: { ...properties, provisioningState: instant ? 'Succeeded' : underWay },
  };

  world.eventSubscriptions.set(path.id.toLowerCase(), subscription);

  if (instant) return ok(subscriptionBody(subscription), existing ? 200 : 201);

  return ok(whileCreating(subscriptionBody(subscription), asObject(body.properties) ?? {}), 201, {
    'azure-asyncoperation': provision(request, parent.location, () => {
      subscription.properties.provisioningState = 'Succeeded';
    }),
  });
}

/** Completes an operation later, and returns the URL at which a client polls it. */
export function provision(request: ArmRequest, location: string, done: () => void = () => {}): string {
  const { world, path, operations, apiVersion } = request;
  const id = operations.start(0, done);
  // It completes after a moment, even if no client polls.
  world.clock.schedule(world.clock.nowMs() + 500, done);
  const at = location === 'global' ? '' : `/locations/${location}`;
  return `https://management.azure.com:443/subscriptions/${path.subscriptionId}/providers/Microsoft.EventGrid${at}/operationsStatus/${id.toUpperCase()}?api-version=${apiVersion}`;
}

/** The answer to a DELETE. The removal takes time (recorded), unless provisioning is instant. */
export function removed(request: ArmRequest, existed: boolean, location: string): Response {
  if (!existed) return new Response(null, { status: 204 });
  if (request.world.settings.instantProvisioning) return new Response(null, { status: 200 });

  const status = provision(request, location);
  const headers = new Headers({
    'azure-asyncoperation': status,
    location: status.replace(':443', '').replace('/operationsStatus/', '/operationResults/'),
    'retry-after': '1',
  });
  if (request.world.settings.sparseAnswers) headers.delete('azure-asyncoperation');

  return new Response(null, { status: 202, headers });
}

function patch(request: ArmRequest): Response {
  const subscription = required(request);

  // An update has its fields at the top level, not under `properties`.
  const { provisioningState, ...current } = subscription.properties;
  subscription.properties = {
    ...patchSubscription(request.world, subscription.topic, current, asObject(request.body.properties) ?? request.body),
    provisioningState,
  };
  if (request.world.settings.instantProvisioning) return ok(subscriptionBody(subscription), 201);

  subscription.properties.provisioningState = 'Updating';

  return ok(subscriptionBody(subscription), 201, {
    'azure-asyncoperation': provision(request, parentOf(request).location, () => {
      subscription.properties.provisioningState = 'Succeeded';
    }),
  });
}

function required(request: ArmRequest): EventSubscription {
  const { world, path } = request;
  const subscription = world.eventSubscriptions.get(path.id.toLowerCase());
  if (subscription) return subscription;
  parentOf(request);
  throw new ArmError(
    404,
    'ResourceNotFound',
    `The Resource 'Microsoft.EventGrid/eventSubscriptions/${path.names.at(-1)}' was not found.`,
  );
}

function remove(request: ArmRequest): Response {
  const existed = request.world.eventSubscriptions.delete(request.path.id.toLowerCase());
  return removed(request, existed, existed ? parentOf(request).location : 'global');
}

function fullUrl(request: ArmRequest): Response {
  const id = request.path.id.replace(/\/getFullUrl$/i, '').toLowerCase();
  const subscription = request.world.eventSubscriptions.get(id);
  if (!subscription) throw new ArmError(404, 'ResourceNotFound', 'The event subscription was not found.');
  const destination = asObject(subscription.properties.destination);
  return ok({ endpointUrl: asString(asObject(destination?.properties)?.endpointUrl) ?? null });
}

/** For a subscription or a group: all below it. For a resource: its own. */
function list(request: ArmRequest): Response {
  const { world, path } = request;
  const ofTopic = path.pattern.includes('systemtopics');
  const parent = ofTopic ? path.id.slice(0, path.id.lastIndexOf('/')) : path.scope;
  const ofResource = ofTopic || /\/providers\//i.test(path.scope);
  if (ofResource) parentOf(request);
  const found = [...world.eventSubscriptions.values()].filter(({ id }) =>
    ofResource ? parentId(id).toLowerCase() === parent.toLowerCase() : inScope(id, parent),
  );
  return ok(page(request, found, Number(request.query.get('$top') ?? 100) || 100, subscriptionBody));
}

const item = 'eventsubscriptions/{}';

/** Event subscriptions of a resource and of a system topic. */
export const eventSubscriptionRoutes: ArmRoutes = Object.fromEntries(
  ['microsoft.eventgrid', 'microsoft.eventgrid/systemtopics/{}'].flatMap((parent): [string, ArmRoutes[string]][] => [
    [`GET ${parent}/eventsubscriptions`, list],
    [`GET ${parent}/${item}`, (request) => ok(subscriptionBody(required(request)))],
    [`PUT ${parent}/${item}`, put],
    [`PATCH ${parent}/${item}`, patch],
    [`DELETE ${parent}/${item}`, remove],
    [`POST ${parent}/${item}/getfullurl`, fullUrl],
  ]),
);
