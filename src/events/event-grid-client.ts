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
import { parseResourceId, sameResource } from '../azure/resource-id.ts';
import { aborting, armOptions } from '../azure/resource-manager.ts';
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
  readonly resourceGroup: string;
  readonly name: string;
  /** What it may write dead letters as: user-assigned identities by their ARM ids, its own, or none. */
  readonly identity: { readonly userAssigned: readonly string[] } | 'system' | undefined;
}

export interface VaultSubscriptions {
  readonly topic: VaultTopic | undefined;
  /** Why it is not known whether there is a system topic. */
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

export function createEventGrid(credential: TokenCredential, cloud: Cloud): EventGrid {
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
        topic = await findTopic(client, vault, signal);
        if (topic) {
          const { systemTopicEventSubscriptions: below } = client;
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
      const client = clientOf(vault.subscriptionId);
      const body = toEventSubscription(wanted, topic);
      await withinTime(PROVISIONING_MS, async (limit) => {
        const poll = { updateIntervalInMs: 1_000, ...limit };
        if (topic) {
          const { systemTopicEventSubscriptions: below } = client;
          await below.beginCreateOrUpdateAndWait(topic.resourceGroup, topic.name, name, body, poll);
        } else {
          // The SDK puts a slash before the scope.
          const scope = vault.id.replace(/^\//, '');
          await client.eventSubscriptions.beginCreateOrUpdateAndWait(scope, name, body, poll);
        }
      });
    },
  };
}

/** A vault has one system topic at most, in its own resource group unless its owner put it elsewhere. */
async function findTopic(
  client: EventGridManagementClient,
  vault: ManagedVault,
  signal: AbortSignal | undefined,
): Promise<VaultTopic | undefined> {
  const options = aborting(signal);
  try {
    for await (const topic of client.systemTopics.listByResourceGroup(vault.resourceGroup, options)) {
      if (topic.source && sameResource(topic.source, vault.id)) return toTopic(topic);
    }
    return undefined;
  } catch (error) {
    if (describeFailure(error).kind !== 'forbidden') throw error;
  }
  // With rights on the topic alone the group cannot be listed: the deployment's own name is what is left to ask for.
  try {
    return toTopic(await client.systemTopics.get(vault.resourceGroup, `evgt-${vault.name}`, options));
  } catch (error) {
    if (describeFailure(error).kind === 'notFound') return undefined;
    throw error;
  }
}

function toTopic({ id = '', name = '', identity }: SystemTopic): VaultTopic {
  const userAssigned = Object.keys(identity?.userAssignedIdentities ?? {});
  const system = identity?.type?.includes('SystemAssigned') ? ('system' as const) : undefined;
  return {
    resourceGroup: parseResourceId(id)?.resourceGroup ?? '',
    name,
    identity: userAssigned.length > 0 ? { userAssigned } : system,
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
