import {
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
import type { ManagedVault } from '../keys/managed-vaults.ts';
import {
  DELIVERY_SCHEMA,
  type DeadLetterPlace,
  type EventSubscriptionState,
  MAX_DELIVERY_ATTEMPTS,
  TIME_TO_LIVE_MINUTES,
  type WantedSubscription,
} from './subscription.ts';

/** The system topic of a vault, where there is one. */
export interface VaultTopic {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
  /** What it may write dead letters as: its own identity, user-assigned ones by their ARM ids, or none. */
  readonly identity: { readonly userAssigned: readonly string[] } | 'system' | undefined;
}

export interface VaultSubscriptions {
  readonly topic: VaultTopic | undefined;
  /** Why it is not known whether there is a system topic: a refusal is not an absence. */
  readonly topicUnreadable: unknown;
  readonly subscriptions: readonly EventSubscriptionState[];
}

/** Event subscriptions of vaults. Errors are the SDK's: read them with `describeFailure`. */
export interface EventGrid {
  /** Those on the vault itself, and those on its system topic. */
  read(vault: ManagedVault, signal?: AbortSignal): Promise<VaultSubscriptions>;
  /** Makes one, or puts one right; the same once more changes nothing. Returns when it is provisioned. */
  put(
    vault: ManagedVault,
    place: { readonly topic: VaultTopic | undefined; readonly name: string },
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
    async read(vault, signal) {
      const client = clientOf(vault.subscriptionId);
      const { resourceGroup, name } = vault;
      const options = aborting(signal);
      const subscriptions: EventSubscriptionState[] = [];
      for await (const one of client.eventSubscriptions.listByResource(
        resourceGroup,
        'Microsoft.KeyVault',
        'vaults',
        name,
        options,
      )) {
        subscriptions.push(toState(one, 'vault'));
      }
      let topic: VaultTopic | undefined;
      try {
        const known = Object.entries(topics).find(([id]) => sameResource(id, vault.id))?.[1];
        topic = await findTopic(clientOf, vault, known === undefined ? undefined : parseResourceId(known), signal);
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

    async put(vault, { topic, name }, wanted) {
      const client = clientOf((topic ?? vault).subscriptionId);
      const body = toEventSubscription(wanted, topic);
      await withinTime(PROVISIONING_MS, async (limit) => {
        const poll = { updateIntervalInMs: 1_000, ...limit };
        if (topic) {
          const { systemTopicEventSubscriptions: below } = client;
          await below.beginCreateOrUpdateAndWait(topic.resourceGroup, topic.name, name, body, poll);
        } else {
          await client.eventSubscriptions.beginCreateOrUpdateAndWait(armScope(vault.id), name, body, poll);
        }
      });
    },
  };
}

/**
 * A vault has one system topic at most. It may be in another resource group or subscription, and have another name: the
 * deployment hands over where it is, and a topic that has moved since is looked for in the subscription of the vault.
 *
 * @throws what Azure refused, where that leaves it open whether there is one
 */
async function findTopic(
  clientOf: (subscriptionId: string) => EventGridManagementClient,
  vault: ManagedVault,
  known: ResourceId | undefined,
  signal: AbortSignal | undefined,
): Promise<VaultTopic | undefined> {
  const options = aborting(signal);
  const get = async ({ subscriptionId, resourceGroup, name }: Omit<ResourceId, 'id' | 'type'>) => {
    const topic = await clientOf(subscriptionId).systemTopics.get(resourceGroup, name, options);
    return topic.source && sameResource(topic.source, vault.id) ? toTopic(topic) : undefined;
  };
  let refused: unknown;
  try {
    // Without one handed over: the name that the deployment gives.
    const topic = await get(known ?? { ...vault, name: `evgt-${vault.name}` });
    if (topic) return topic;
  } catch (error) {
    const { kind } = describeFailure(error);
    if (kind !== 'notFound' && kind !== 'forbidden') throw error;
    if (kind === 'forbidden') refused = error;
  }
  for await (const topic of clientOf(vault.subscriptionId).systemTopics.listBySubscription(options)) {
    if (topic.source && sameResource(topic.source, vault.id)) return toTopic(topic);
  }
  // In another subscription it may be there still, out of sight.
  if (refused !== undefined && known && known.subscriptionId !== vault.subscriptionId) throw refused;
  return undefined;
}

function toTopic({ id = '', name = '', identity }: SystemTopic): VaultTopic {
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

function toEventSubscription(wanted: WantedSubscription, topic: VaultTopic | undefined): EventSubscription {
  return {
    destination: {
      endpointType: 'AzureFunction',
      resourceId: wanted.functionId,
      // One event a call: with more, one that fails makes Event Grid send all of them again.
      maxEventsPerBatch: 1,
      preferredBatchSizeInKilobytes: 64,
    },
    filter: { includedEventTypes: [wanted.eventType] },
    eventDeliverySchema: DELIVERY_SCHEMA,
    retryPolicy: {
      maxDeliveryAttempts: MAX_DELIVERY_ATTEMPTS,
      eventTimeToLiveInMinutes: TIME_TO_LIVE_MINUTES,
    },
    ...(wanted.deadLetter ? deadLetter(wanted.deadLetter, writerOf(topic?.identity, wanted.functionId)) : {}),
  };
}

/** Of several identities the app's own, which is deployed beside it: another one has no role on the app's storage. */
function writerOf(identity: VaultTopic['identity'], functionId: string): string | 'system' | undefined {
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
    narrowed:
      Boolean(filter?.subjectBeginsWith) ||
      Boolean(filter?.subjectEndsWith) ||
      (filter?.advancedFilters ?? []).length > 0,
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
