import { asObject, asString, type JsonObject } from '../json.ts';
import type { EventSubscription, World } from '../world.ts';
import { badRequest } from './errors.ts';

/** The event types of a source. A subscription without a filter gets all of them; a custom topic has none. */
const storageEventTypes = ['Microsoft.Storage.BlobCreated', 'Microsoft.Storage.BlobDeleted'];
const keyVaultEventTypes = ['Certificate', 'Key', 'Secret']
  .flatMap((kind) => [`${kind}NewVersionCreated`, `${kind}NearExpiry`, `${kind}Expired`])
  .concat('VaultAccessPolicyChanged')
  .map((name) => `Microsoft.KeyVault.${name}`);

const resourceEventTypes = ['Write', 'Delete', 'Action'].flatMap((kind) =>
  ['Success', 'Failure', 'Cancel'].map((end) => `Microsoft.Resources.Resource${kind}${end}`),
);

/** The operators of advanced filters ("Understand event filtering for Event Grid subscriptions"). */
const operators = new Set([
  ...['In', 'Contains', 'BeginsWith', 'EndsWith'].flatMap((end) => [`String${end}`, `StringNot${end}`]),
  ...['In', 'NotIn', 'LessThan', 'GreaterThan', 'LessThanOrEquals', 'GreaterThanOrEquals', 'InRange', 'NotInRange'].map(
    (end) => `Number${end}`,
  ),
  'BoolEquals',
  'IsNullOrUndefined',
  'IsNotNull',
]);

/** Maximum number of advanced filters of an event subscription, and of values in all of them. */
const MOST_FILTER_VALUES = 25;

/** Destinations without batches. A subscription can name them, but the local Azure delivers nothing to them. */
const queues = ['StorageQueue', 'ServiceBusQueue', 'ServiceBusTopic', 'EventHub', 'HybridConnection'];

/** Properties that a client may set. The service sets the others. */
const writable = [
  'destination',
  'deliveryWithResourceIdentity',
  'filter',
  'labels',
  'expirationTimeUtc',
  'eventDeliverySchema',
  'retryPolicy',
  'deadLetterDestination',
  'deadLetterWithResourceIdentity',
] as const;

/** An event subscription's properties after a PUT or PATCH, with Azure's defaults. Throws Azure's refusals. */
export function patchSubscription(
  world: World,
  source: string,
  current: JsonObject | undefined,
  asked: JsonObject,
): JsonObject {
  const set = Object.fromEntries(
    writable.filter((name) => asked[name] !== undefined).map((name) => [name, asked[name]]),
  );
  const next: JsonObject = { ...current, ...set };

  next.destination = withDefaults(asObject(next.destination));
  if (!next.destination && !asObject(next.deliveryWithResourceIdentity)) {
    throw badRequest('Event subscription destination is missing.', 'InvalidRequest');
  }

  if (set.destination !== undefined) requireFunction(world, asObject(next.destination));

  next.filter = withEventTypes(source, asObject(next.filter) ?? {});
  next.labels = next.labels ?? null;
  next.eventDeliverySchema = asString(next.eventDeliverySchema) ?? 'EventGridSchema';
  if (!['EventGridSchema', 'CloudEventSchemaV1_0', 'CustomInputSchema'].includes(String(next.eventDeliverySchema))) {
    throw badRequest(`'${next.eventDeliverySchema}' is not an event delivery schema.`, 'InvalidRequest');
  }

  next.retryPolicy = retryPolicy(asObject(next.retryPolicy));

  return next;
}

/** The event types of a source; undefined for a custom topic, whose publishers choose them. */
function allEventTypes(source: string): readonly string[] | undefined {
  if (/\/Microsoft\.EventGrid\/topics\//i.test(source)) return undefined;
  if (/^\/subscriptions\/[^/]+(\/resourceGroups\/[^/]+)?$/i.test(source)) return resourceEventTypes;
  return /\/providers\/Microsoft\.Storage\//i.test(source) ? storageEventTypes : keyVaultEventTypes;
}

function withEventTypes(source: string, filter: JsonObject): JsonObject {
  const { isSubjectCaseSensitive, includedEventTypes, ...rest } = filter;
  const asked = Array.isArray(includedEventTypes) && includedEventTypes.length > 0 ? includedEventTypes : undefined;

  refuseUnknownOperators(rest.advancedFilters);

  const values = (Array.isArray(rest.advancedFilters) ? rest.advancedFilters : []).flatMap(
    (one: unknown) => asObject(one)?.values ?? [null],
  );
  if (values.length > MOST_FILTER_VALUES) {
    throw badRequest(
      `The filter has ${values.length} values; ${MOST_FILTER_VALUES} are allowed for an event subscription.`,
      'InvalidRequest',
    );
  }

  const types = asked ?? allEventTypes(source);

  return {
    subjectBeginsWith: '',
    subjectEndsWith: '',
    ...rest,
    ...(isSubjectCaseSensitive === true ? { isSubjectCaseSensitive } : {}), // Azure does not show false
    ...(types ? { includedEventTypes: types } : {}),
  };
}

/** Azure accepts unknown event types (recorded). Its message for an unknown operator is not documented. */
function refuseUnknownOperators(filters: unknown): void {
  for (const filter of Array.isArray(filters) ? filters : []) {
    const operator = asObject(filter)?.operatorType;
    if (operators.has(String(operator))) continue;
    throw badRequest(`'${String(operator)}' is not an operator of advanced filters.`, 'InvalidRequest');
  }
}

/** The function's code has to be deployed before its event subscriptions (message of public reports). */
function requireFunction(world: World, destination: JsonObject | undefined): void {
  if (destination?.endpointType !== 'AzureFunction') return;
  const resourceId = String(asObject(destination.properties)?.resourceId);
  if (world.functions.has(resourceId.toLowerCase())) return;
  throw badRequest(
    `Destination endpoint not found. Resource details: resourceId: ${resourceId}. Resource should pre-exist before attempting this operation.`,
    'InvalidRequest',
  );
}

function withDefaults(destination: JsonObject | undefined): JsonObject | undefined {
  if (!destination) return undefined;

  const endpointType = asString(destination.endpointType);
  const properties = asObject(destination.properties) ?? {};

  if (endpointType === 'AzureFunction') {
    if (
      !/\/providers\/Microsoft\.Web\/sites\/[^/]+(\/slots\/[^/]+)?\/functions\/[^/]+$/i.test(
        asString(properties.resourceId) ?? '',
      )
    ) {
      throw badRequest('The destination of type AzureFunction needs the resourceId of a function.', 'InvalidRequest');
    }
  } else if (endpointType === 'WebHook') {
    if (!asString(properties.endpointUrl)?.startsWith('https://')) {
      throw badRequest('The destination of type WebHook needs an https endpointUrl.', 'InvalidRequest');
    }
  } else {
    if (!endpointType || !queues.includes(endpointType)) {
      throw badRequest(`'${endpointType ?? ''}' is not a destination type.`, 'InvalidRequest');
    }
    if (!asString(properties.resourceId)) {
      throw badRequest(`The destination of type ${endpointType} needs a resourceId.`, 'InvalidRequest');
    }
    return { endpointType, properties };
  }

  return { endpointType, properties: { maxEventsPerBatch: 1, preferredBatchSizeInKilobytes: 64, ...properties } };
}

function retryPolicy(asked: JsonObject | undefined): JsonObject {
  const policy = { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440, ...asked };
  const whole = (value: unknown, max: number) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max;
  if (!whole(policy.maxDeliveryAttempts, 30) || !whole(policy.eventTimeToLiveInMinutes, 1440)) {
    throw badRequest('The retry policy allows 1 to 30 attempts and 1 to 1440 minutes.', 'InvalidRequest');
  }
  return policy;
}

/** An event subscription as ARM shows it. A webhook's URL is a secret: ARM shows only its base. */
export function subscriptionBody(subscription: EventSubscription): JsonObject {
  const { id, name, properties } = subscription;
  const destination = asObject(properties.destination);
  const ofTopic = /\/systemTopics\/[^/]+\/eventSubscriptions\//i.test(id);

  return {
    properties: {
      ...properties,
      // The provider of a resource is in lower case (seen in recordings); a system topic keeps its spelling.
      topic: ofTopic
        ? parentId(id)
        : parentId(id).replace(/\/providers\/[^/]+\/[^/]+(?=\/[^/]+$)/, (its) => its.toLowerCase()),
      ...(destination ? { destination: masked(destination) } : {}),
    },
    systemData: null,
    id,
    name,
    type: `Microsoft.EventGrid/${ofTopic ? 'systemTopics/' : ''}eventSubscriptions`,
  };
}

/** The resource or system topic that has the event subscription. */
export function parentId(subscriptionId: string): string {
  return subscriptionId.replace(/(\/providers\/Microsoft\.EventGrid)?\/eventSubscriptions\/[^/]+$/i, '');
}

/** The answer to a create: without the later defaults, and with the secrets of the request (recorded). */
export function whileCreating(shown: JsonObject, asked: JsonObject): JsonObject {
  const {
    eventDeliverySchema,
    filter,
    destination: shownDestination,
    ...properties
  } = asObject(shown.properties) ?? {};

  const destination = asObject(shownDestination);
  const askedFields = asObject(asObject(asked.destination)?.properties) ?? {};
  const fields = Object.entries(asObject(destination?.properties) ?? {})
    .filter(([field]) => field in askedFields || field === 'endpointBaseUrl')
    .map(([field, value]) => [field, field === 'deliveryAttributeMappings' ? askedFields[field] : value]);
  const filterFields = Object.entries(asObject(filter) ?? {}).filter(
    ([field]) => field in (asObject(asked.filter) ?? {}) || field === 'includedEventTypes',
  );

  return {
    ...shown,
    properties: {
      ...properties,
      ...(destination ? { destination: { ...destination, properties: Object.fromEntries(fields) } } : {}),
      filter: Object.fromEntries(filterFields),
      ...(asked.eventDeliverySchema === undefined ? {} : { eventDeliverySchema }),
    },
  };
}

function masked(destination: JsonObject): JsonObject {
  const properties = asObject(destination.properties) ?? {};
  const url = asString(properties.endpointUrl);

  return {
    ...destination,
    properties: {
      ...properties,
      ...(url === undefined ? {} : { endpointUrl: null, endpointBaseUrl: url.split('?')[0] }),
      ...(Array.isArray(properties.deliveryAttributeMappings)
        ? { deliveryAttributeMappings: properties.deliveryAttributeMappings.map(hidden) }
        : {}),
    },
  };
}

/** A delivery attribute without its value, if the value is a secret. */
function hidden(mapping: unknown): unknown {
  const fields = asObject(asObject(mapping)?.properties);
  return fields?.isSecret === true ? { ...asObject(mapping), properties: { ...fields, value: 'Hidden' } } : mapping;
}
