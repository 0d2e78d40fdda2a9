import {
  type AdvancedFilterUnion,
  type AzureFunctionEventSubscriptionDestination,
  type DeadLetterDestinationUnion,
  type DeadLetterWithResourceIdentity,
  EventGridManagementClient,
  type EventSubscription,
  type StorageBlobDeadLetterDestination,
  type SystemTopic,
} from '@azure/arm-eventgrid';
import type { TokenCredential } from '@azure/identity';
import { cacheRecent } from '../azure/cache-recent.ts';
import type { Cloud } from '../azure/cloud.ts';
import { runWithAbortSignal } from '../azure/deadline.ts';
import { describeFailure } from '../azure/failure.ts';
import { isSameResource, parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import { createArmOptions, formatArmScope, toAbortOption } from '../azure/resource-manager.ts';
import {
  DELIVERY_SCHEMA,
  type DeadLetterPlace,
  type EventSubscriptionState,
  MAX_DELIVERY_ATTEMPTS,
  TIME_TO_LIVE_MINUTES,
  type WantedSubscription,
} from './subscription.ts';

/** Path between the id of a source and the name of its event subscription. */
const OF_SOURCE = '/providers/Microsoft.EventGrid/eventSubscriptions';

/** A source of events: a vault, or a subscription, which has no resource group and no name. */
export type EventSource = Pick<ResourceId, 'id' | 'subscriptionId'> &
  Partial<Pick<ResourceId, 'resourceGroup' | 'name'>>;

interface SourceTopic {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
  /** Identity that writes dead letters: system-assigned, user-assigned (by ARM id), or none. */
  readonly identity: { readonly userAssigned: readonly string[] } | 'system' | undefined;
}

export interface SourceSubscriptions {
  readonly topic: SourceTopic | undefined;
  /** The error that hides whether a system topic exists. Azure's rejection does not prove its absence. */
  readonly topicUnreadable: unknown;
  readonly subscriptions: readonly EventSubscriptionState[];
}

export type EventGrid = ReturnType<typeof createEventGrid>;

/** Maximum time to provision an event subscription. Milliseconds. */
const PROVISIONING_MS = 3 * 60_000;

/**
 * Event subscriptions of vaults and of subscriptions. Throws the SDK's errors: read them with `describeFailure`.
 *
 * @param topics ARM ids of known system topics, by the id of their vault
 */
export function createEventGrid(
  credential: TokenCredential,
  cloud: Cloud,
  topics: Readonly<Record<string, string>> = {},
) {
  const clientOf = cacheRecent(
    (subscriptionId) => new EventGridManagementClient(credential, subscriptionId, createArmOptions(cloud)),
  );

  return {
    /** Event subscriptions of the source and of its system topic. */
    async read(source: EventSource, signal?: AbortSignal): Promise<SourceSubscriptions> {
      const { eventSubscriptions } = clientOf(source.subscriptionId);
      const { resourceGroup, name } = source;
      const options = toAbortOption(signal);
      const subscriptions: EventSubscriptionState[] = [];
      const listed =
        resourceGroup && name
          ? eventSubscriptions.listByResource(resourceGroup, 'Microsoft.KeyVault', 'vaults', name, options)
          : eventSubscriptions.listGlobalBySubscription(options);

      // The list of a subscription also contains the event subscriptions of its resources.
      const own = `${source.id}${OF_SOURCE}/`.toLowerCase();

      for await (const one of listed) {
        if (name || one.id?.toLowerCase().startsWith(own)) subscriptions.push(toState(one, 'source'));
      }

      let topic: SourceTopic | undefined;
      let topicUnreadable: unknown;
      try {
        const known = Object.entries(topics).find(([id]) => isSameResource(id, source.id))?.[1];
        topic = await findTopic(clientOf, source, known === undefined ? undefined : parseResourceId(known), signal);
        if (topic) {
          const { systemTopicEventSubscriptions: below } = clientOf(topic.subscriptionId);
          for await (const one of below.listBySystemTopic(topic.resourceGroup, topic.name, options)) {
            subscriptions.push(toState(one, 'systemTopic'));
          }
        }
      } catch (error) {
        topicUnreadable = error;
      }

      return { topic, topicUnreadable, subscriptions };
    },

    /** Creates or updates an event subscription, idempotently. Returns once it is provisioned. */
    async put(
      source: EventSource,
      { topic, name }: { readonly topic: SourceTopic | undefined; readonly name: string },
      wanted: WantedSubscription,
    ): Promise<void> {
      const client = clientOf((topic ?? source).subscriptionId);
      const body = toEventSubscription(wanted, topic);
      await runWithAbortSignal(PROVISIONING_MS, async (limit) => {
        const poll = { updateIntervalInMs: 1_000, ...limit };
        if (topic) {
          const { systemTopicEventSubscriptions: below } = client;
          await below.beginCreateOrUpdateAndWait(topic.resourceGroup, topic.name, name, body, poll);
        } else {
          await client.eventSubscriptions.beginCreateOrUpdateAndWait(formatArmScope(source.id), name, body, poll);
        }
      });
    },
  };
}

/**
 * Finds the only system topic of a source. Its resource group, subscription and name may differ from the source's. The
 * deployment passes its id. If the topic has moved, the app searches the subscription of the source.
 *
 * @throws Azure's rejection if it hides whether a topic exists
 */
async function findTopic(
  clientOf: (subscriptionId: string) => EventGridManagementClient,
  source: EventSource,
  known: ResourceId | undefined,
  signal: AbortSignal | undefined,
): Promise<SourceTopic | undefined> {
  const options = toAbortOption(signal);
  const ofSource = (topic: SystemTopic) => topic.source !== undefined && isSameResource(topic.source, source.id);

  // Without a passed id, try the deployment's name for the topic of a vault.
  const { subscriptionId, resourceGroup, name } = source;
  const usual = resourceGroup && name ? { subscriptionId, resourceGroup, name: `evgt-${name}` } : undefined;
  const place = known ?? usual;
  let refused: unknown;
  try {
    const { systemTopics } = clientOf(place?.subscriptionId ?? subscriptionId);
    const topic = place && (await systemTopics.get(place.resourceGroup, place.name, options));
    if (topic && ofSource(topic)) return toTopic(topic);
  } catch (error) {
    const { kind } = describeFailure(error);
    if (kind !== 'notFound' && kind !== 'forbidden') throw error;
    if (kind === 'forbidden') refused = error;
  }

  for await (const topic of clientOf(subscriptionId).systemTopics.listBySubscription(options)) {
    if (ofSource(topic)) return toTopic(topic);
  }

  // The topic may still exist in a subscription that the app cannot read.
  if (refused !== undefined && known && known.subscriptionId !== subscriptionId) throw refused;

  return undefined;
}

function toTopic({ id = '', name = '', identity }: SystemTopic): SourceTopic {
  const userAssigned = Object.keys(identity?.userAssignedIdentities ?? {});
  const { subscriptionId = '', resourceGroup = '' } = parseResourceId(id) ?? {};
  const others = userAssigned.length > 0 ? { userAssigned } : undefined;
  // The system-assigned identity has priority: only it passes the firewall of a storage account.
  const isSystem = identity?.type?.includes('SystemAssigned');
  return { subscriptionId, resourceGroup, name, identity: isSystem ? 'system' : others };
}

function toEventSubscription(wanted: WantedSubscription, topic: SourceTopic | undefined): EventSubscription {
  return {
    destination: {
      endpointType: 'AzureFunction',
      resourceId: wanted.functionId,
      // One event per call: if one event of a batch fails, Event Grid sends the whole batch again.
      maxEventsPerBatch: 1,
      preferredBatchSizeInKilobytes: 64,
    },
    filter: {
      includedEventTypes: [...wanted.eventTypes],
      advancedFilters: wanted.filters.map((filter) => ({ ...filter }) as AdvancedFilterUnion),
    },
    eventDeliverySchema: DELIVERY_SCHEMA,
    retryPolicy: { maxDeliveryAttempts: MAX_DELIVERY_ATTEMPTS, eventTimeToLiveInMinutes: TIME_TO_LIVE_MINUTES },
    ...(wanted.deadLetter ? deadLetter(wanted.deadLetter, writerOf(topic?.identity, wanted.functionId)) : {}),
  };
}

/** Prefers the app's own identity, in its resource group. Other identities have no role on the app's storage. */
function writerOf(identity: SourceTopic['identity'], functionId: string): string | 'system' | undefined {
  if (identity === undefined || identity === 'system') return identity;
  const groupOf = (id: string): string => id.toLowerCase().split('/providers/')[0] ?? '';
  return identity.userAssigned.find((id) => groupOf(id) === groupOf(functionId)) ?? identity.userAssigned[0];
}

function deadLetter(
  { storageAccountId, container }: DeadLetterPlace,
  writer: string | 'system' | undefined,
): Pick<EventSubscription, 'deadLetterDestination' | 'deadLetterWithResourceIdentity'> {
  const deadLetterDestination: DeadLetterDestinationUnion = {
    endpointType: 'StorageBlob',
    resourceId: storageAccountId,
    blobContainerName: container,
  };
  if (!writer) return { deadLetterDestination };

  const identity: DeadLetterWithResourceIdentity['identity'] =
    writer === 'system' ? { type: 'SystemAssigned' } : { type: 'UserAssigned', userAssignedIdentity: writer };

  return { deadLetterWithResourceIdentity: { identity, deadLetterDestination } };
}

function toState(subscription: EventSubscription, place: EventSubscriptionState['place']): EventSubscriptionState {
  const { destination, deliveryWithResourceIdentity, filter, retryPolicy } = subscription;
  const aim = destination ?? deliveryWithResourceIdentity?.destination;
  const dead = subscription.deadLetterDestination ?? subscription.deadLetterWithResourceIdentity?.deadLetterDestination;

  return {
    id: subscription.id ?? '',
    name: subscription.name ?? '',
    place,
    endpointType: aim?.endpointType ?? 'nowhere',
    functionId:
      aim?.endpointType === 'AzureFunction' ? (aim as AzureFunctionEventSubscriptionDestination).resourceId : undefined,
    eventTypes: filter?.includedEventTypes ?? [],
    narrowed: Boolean(filter?.subjectBeginsWith) || Boolean(filter?.subjectEndsWith),
    filters: (filter?.advancedFilters ?? []).map((one) => ({
      operatorType: one.operatorType,
      key: one.key ?? '',
      values: valuesOf(one),
    })),
    schema: subscription.eventDeliverySchema ?? 'EventGridSchema',
    deadLetter: placeOf(dead),
    maxDeliveryAttempts: retryPolicy?.maxDeliveryAttempts ?? MAX_DELIVERY_ATTEMPTS,
    timeToLiveMinutes: retryPolicy?.eventTimeToLiveInMinutes ?? TIME_TO_LIVE_MINUTES,
    provisioningState: subscription.provisioningState ?? 'Succeeded',
    expiresOn: subscription.expirationTimeUtc,
  };
}

/** An operator has a list of values, one value, or none. */
function valuesOf(filter: AdvancedFilterUnion): string[] {
  if ('values' in filter) return (filter.values ?? []).map(String);
  return 'value' in filter ? [String(filter.value)] : [];
}

/** The discriminator does not narrow the SDK's open union types. */
function placeOf(dead: DeadLetterDestinationUnion | undefined): DeadLetterPlace | undefined {
  if (dead?.endpointType !== 'StorageBlob') return undefined;
  const { resourceId = '', blobContainerName = '' } = dead as StorageBlobDeadLetterDestination;
  return { storageAccountId: resourceId, container: blobContainerName };
}
