import {
  type AdvancedFilterUnion,
  type DeadLetterDestinationUnion,
  EventGridManagementClient,
  type EventSubscription,
  type SystemTopic,
} from '@azure/arm-eventgrid';
import type { TokenCredential } from '@azure/identity';
import { clientPer } from '../azure/client-per.ts';
import type { Cloud } from '../azure/cloud.ts';
import { withinTime } from '../azure/deadline.ts';
import { describeFailure } from '../azure/failure.ts';
import { parseResourceId, type ResourceId, sameResource } from '../azure/resource-id.ts';
import { aborting, armOptions, armScope } from '../azure/resource-manager.ts';
import {
  DELIVERY_SCHEMA,
  type DeadLetterPlace,
  type EventSubscriptionState,
  MAX_DELIVERY_ATTEMPTS,
  TIME_TO_LIVE_MINUTES,
  type WantedSubscription,
} from './subscription.ts';

/** Between the id of a source and the name of its event subscription. */
const OF_SOURCE = '/providers/Microsoft.EventGrid/eventSubscriptions';

/** What raises events: a vault, or a subscription. */
export interface EventSource {
  /** ARM id. */
  readonly id: string;
  readonly subscriptionId: string;
  /** Absent: a subscription. */
  readonly resourceGroup?: string;
  readonly name?: string;
}

/** The system topic of a source, where there is one. */
interface SourceTopic {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
  /** What it may write dead letters as: its own identity, user-assigned ones by their ARM ids, or none. */
  readonly identity: { readonly userAssigned: readonly string[] } | 'system' | undefined;
}

export interface SourceSubscriptions {
  readonly topic: SourceTopic | undefined;
  /** Why it is not known whether there is a system topic: a refusal is not an absence. */
  readonly topicUnreadable: unknown;
  readonly subscriptions: readonly EventSubscriptionState[];
}

/** Event subscriptions of vaults and of subscriptions. Errors are the SDK's: read them with `describeFailure`. */
export interface EventGrid {
  /** Those on the source itself, and those on its system topic. */
  read(source: EventSource, signal?: AbortSignal): Promise<SourceSubscriptions>;
  /** Makes one, or puts one right; the same once more changes nothing. Returns when it is provisioned. */
  put(
    source: EventSource,
    place: { readonly topic: SourceTopic | undefined; readonly name: string },
    wanted: WantedSubscription,
  ): Promise<void>;
}

/** Longest wait for a subscription to be provisioned. Milliseconds. */
const PROVISIONING_MS = 3 * 60_000;

/** @param topics system topics that are known by their ARM ids, by the id of their vault */
export function createEventGrid(
  credential: TokenCredential,
  cloud: Cloud,
  topics: Readonly<Record<string, string>> = {},
): EventGrid {
  const clientOf = clientPer(
    (subscriptionId) => new EventGridManagementClient(credential, subscriptionId, armOptions(cloud)),
  );

  return {
    async read(source, signal) {
      const { eventSubscriptions } = clientOf(source.subscriptionId);
      const { resourceGroup, name } = source;
      const options = aborting(signal);
      const subscriptions: EventSubscriptionState[] = [];
      const listed =
        resourceGroup && name
          ? eventSubscriptions.listByResource(resourceGroup, 'Microsoft.KeyVault', 'vaults', name, options)
          : eventSubscriptions.listGlobalBySubscription(options);
      // The list of a subscription has those of everything in it.
      const own = `${source.id}${OF_SOURCE}/`.toLowerCase();
      for await (const one of listed) {
        if (name || one.id?.toLowerCase().startsWith(own)) subscriptions.push(toState(one, 'source'));
      }
      let topic: SourceTopic | undefined;
      try {
        const known = Object.entries(topics).find(([id]) => sameResource(id, source.id))?.[1];
        topic = await findTopic(clientOf, source, known === undefined ? undefined : parseResourceId(known), signal);
        if (topic) {
          const { systemTopicEventSubscriptions: below } = clientOf(topic.subscriptionId);
          for await (const one of below.listBySystemTopic(topic.resourceGroup, topic.name, options)) {
            subscriptions.push(toState(one, 'systemTopic'));
          }
        }
      } catch (error) {
        return { topic, topicUnreadable: error, subscriptions };
      }
      return { topic, topicUnreadable: undefined, subscriptions };
    },

    async put(source, { topic, name }, wanted) {
      const client = clientOf((topic ?? source).subscriptionId);
      const body = toEventSubscription(wanted, topic);
      await withinTime(PROVISIONING_MS, async (limit) => {
        const poll = { updateIntervalInMs: 1_000, ...limit };
        if (topic) {
          const { systemTopicEventSubscriptions: below } = client;
          await below.beginCreateOrUpdateAndWait(topic.resourceGroup, topic.name, name, body, poll);
        } else {
          await client.eventSubscriptions.beginCreateOrUpdateAndWait(armScope(source.id), name, body, poll);
        }
      });
    },
  };
}

/**
 * A source has one system topic at most. It may be in another resource group or subscription, and have another name: the
 * deployment hands over where it is, and a topic that has moved since is looked for in the subscription of the source.
 *
 * @throws what Azure refused, where that leaves it open whether there is one
 */
async function findTopic(
  clientOf: (subscriptionId: string) => EventGridManagementClient,
  source: EventSource,
  known: ResourceId | undefined,
  signal: AbortSignal | undefined,
): Promise<SourceTopic | undefined> {
  const options = aborting(signal);
  const get = async ({ subscriptionId, resourceGroup, name }: Omit<ResourceId, 'id' | 'type'>) => {
    const topic = await clientOf(subscriptionId).systemTopics.get(resourceGroup, name, options);
    return topic.source && sameResource(topic.source, source.id) ? toTopic(topic) : undefined;
  };
  let refused: unknown;
  try {
    const { subscriptionId, resourceGroup, name } = source;
    // Without one handed over: the name that the deployment gives the topic of a vault.
    const usual = resourceGroup && name ? { subscriptionId, resourceGroup, name: `evgt-${name}` } : undefined;
    const place = known ?? usual;
    const topic = place && (await get(place));
    if (topic) return topic;
  } catch (error) {
    const { kind } = describeFailure(error);
    if (kind !== 'notFound' && kind !== 'forbidden') throw error;
    if (kind === 'forbidden') refused = error;
  }
  for await (const topic of clientOf(source.subscriptionId).systemTopics.listBySubscription(options)) {
    if (topic.source && sameResource(topic.source, source.id)) return toTopic(topic);
  }
  // In another subscription it may be there still, out of sight.
  if (refused !== undefined && known && known.subscriptionId !== source.subscriptionId) throw refused;
  return undefined;
}

function toTopic({ id = '', name = '', identity }: SystemTopic): SourceTopic {
  const userAssigned = Object.keys(identity?.userAssignedIdentities ?? {});
  const { subscriptionId = '', resourceGroup = '' } = parseResourceId(id) ?? {};
  const others = userAssigned.length > 0 ? { userAssigned } : undefined;
  // Its own first: no other passes the firewall of a storage account.
  return {
    subscriptionId,
    resourceGroup,
    name,
    identity: identity?.type?.includes('SystemAssigned') ? 'system' : others,
  };
}

function toEventSubscription(wanted: WantedSubscription, topic: SourceTopic | undefined): EventSubscription {
  return {
    destination: {
      endpointType: 'AzureFunction',
      resourceId: wanted.functionId,
      // One event a call: with more, one that fails makes Event Grid send all of them again.
      maxEventsPerBatch: 1,
      preferredBatchSizeInKilobytes: 64,
    },
    filter: {
      includedEventTypes: [...wanted.eventTypes],
      ...(wanted.filters.length > 0
        ? {
            advancedFilters: wanted.filters.map(
              (filter) => ({ ...filter, values: [...filter.values] }) as AdvancedFilterUnion,
            ),
          }
        : {}),
    },
    eventDeliverySchema: DELIVERY_SCHEMA,
    retryPolicy: {
      maxDeliveryAttempts: MAX_DELIVERY_ATTEMPTS,
      eventTimeToLiveInMinutes: TIME_TO_LIVE_MINUTES,
    },
    ...(wanted.deadLetter ? deadLetter(wanted.deadLetter, writerOf(topic?.identity, wanted.functionId)) : {}),
  };
}

/** Of several identities the app's own, which is deployed beside it: another one has no role on the app's storage. */
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
  return {
    deadLetterWithResourceIdentity: {
      identity:
        writer === 'system' ? { type: 'SystemAssigned' } : { type: 'UserAssigned', userAssignedIdentity: writer },
      deadLetterDestination,
    },
  };
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
    functionId: aim?.endpointType === 'AzureFunction' ? text(aim, 'resourceId') : undefined,
    eventTypes: filter?.includedEventTypes ?? [],
    narrowed: Boolean(filter?.subjectBeginsWith) || Boolean(filter?.subjectEndsWith),
    filters: (filter?.advancedFilters ?? []).map((one) => ({
      operatorType: one.operatorType,
      key: one.key ?? '',
      values: 'values' in one ? (one.values ?? []).map(String) : 'value' in one ? [String(one.value)] : [],
    })),
    schema: subscription.eventDeliverySchema ?? 'EventGridSchema',
    deadLetter:
      dead?.endpointType === 'StorageBlob'
        ? { storageAccountId: text(dead, 'resourceId') ?? '', container: text(dead, 'blobContainerName') ?? '' }
        : undefined,
    maxDeliveryAttempts: retryPolicy?.maxDeliveryAttempts ?? MAX_DELIVERY_ATTEMPTS,
    timeToLiveMinutes: retryPolicy?.eventTimeToLiveInMinutes ?? TIME_TO_LIVE_MINUTES,
    provisioningState: subscription.provisioningState ?? 'Succeeded',
    expiresOn: subscription.expirationTimeUtc,
  };
}

/** A field of one member of the SDK's open unions, which their discriminator does not narrow. */
function text(object: object, field: string): string | undefined {
  const value: unknown = (object as Record<string, unknown>)[field];
  return typeof value === 'string' ? value : undefined;
}
