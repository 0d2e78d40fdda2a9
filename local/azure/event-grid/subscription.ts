import type { EventSubscription } from '../world.ts';
import type { PublishedEvent } from './event-body.ts';

/** What Event Grid needs to know of an event subscription, read from its ARM properties. */
export interface Subscription {
  readonly id: string;
  readonly name: string;
  readonly schema: string;
  readonly endpointType: string;
  /** The function's name (Azure Functions), or undefined. */
  readonly functionName: string | undefined;
  /** The URL of a webhook, or undefined. */
  readonly endpointUrl: string | undefined;
  readonly maxAttempts: number;
  readonly timeToLiveMs: number;
  /** ARM id of the blob container for what could not be delivered. */
  readonly deadLetterContainer: string | undefined;
}

interface Destination {
  endpointType?: string;
  properties?: Record<string, unknown> | null;
}

/** Reads the properties; what is absent is as Azure has it by default (30 attempts, 1,440 minutes, Event Grid schema). */
export function readSubscription({ id, name, properties }: EventSubscription): Subscription {
  const direct = properties.destination as Destination | undefined;
  const byIdentity = properties.deliveryWithResourceIdentity as { destination?: Destination } | undefined;
  const destination = direct ?? byIdentity?.destination ?? {};
  const resourceId = text(destination.properties?.resourceId);
  const retry = (properties.retryPolicy ?? {}) as { maxDeliveryAttempts?: number; eventTimeToLiveInMinutes?: number };
  const endpointType = destination.endpointType ?? '';
  return {
    id,
    name,
    schema: text(properties.eventDeliverySchema) ?? 'EventGridSchema',
    endpointType,
    functionName: endpointType === 'AzureFunction' ? resourceId?.split('/').at(-1) : undefined,
    endpointUrl: text(destination.properties?.endpointUrl),
    maxAttempts: retry.maxDeliveryAttempts ?? 30,
    timeToLiveMs: (retry.eventTimeToLiveInMinutes ?? 1440) * 60_000,
    deadLetterContainer: deadLetterContainer(properties),
  };
}

/** Whether the subscription is there for this event: its topic, provisioning state, expiry and filter. */
export function wants({ topic, properties }: EventSubscription, event: PublishedEvent, nowMs: number): boolean {
  if (topic.toLowerCase() !== event.source.toLowerCase()) return false;
  const state = text(properties.provisioningState) ?? 'Succeeded';
  if (state !== 'Succeeded' && state !== 'Updating') return false;
  const expires = text(properties.expirationTimeUtc);
  if (expires && Date.parse(expires) <= nowMs) return false;
  const filter = (properties.filter ?? {}) as Filter;
  const types = filter.includedEventTypes;
  if (types && types.length > 0 && !types.some((type) => type.toLowerCase() === event.type.toLowerCase())) return false;
  const fold = (value: string): string => (filter.isSubjectCaseSensitive ? value : value.toLowerCase());
  if (!fold(event.subject).startsWith(fold(filter.subjectBeginsWith ?? ''))) return false;
  if (!fold(event.subject).endsWith(fold(filter.subjectEndsWith ?? ''))) return false;
  return (filter.advancedFilters ?? []).every((advanced) => passes(advanced, event));
}

interface Filter {
  includedEventTypes?: string[] | null;
  subjectBeginsWith?: string | null;
  subjectEndsWith?: string | null;
  isSubjectCaseSensitive?: boolean | null;
  advancedFilters?: AdvancedFilter[] | null;
}

interface AdvancedFilter {
  operatorType?: string;
  key?: string;
  values?: string[];
}

/** The string operators of advanced filters, which ignore case; one that is not known here lets nothing pass. */
function passes({ operatorType, key, values }: AdvancedFilter, event: PublishedEvent): boolean {
  const path = (key ?? '').split('.');
  const found = path[0]?.toLowerCase() === 'data' ? event.data[path[1] ?? ''] : event[path[0] as keyof PublishedEvent];
  const actual = String(found ?? '').toLowerCase();
  const any = (test: (value: string) => boolean): boolean => (values ?? []).some((value) => test(value.toLowerCase()));
  switch (operatorType) {
    case 'StringIn':
      return any((value) => actual === value);
    case 'StringNotIn':
      return !any((value) => actual === value);
    case 'StringBeginsWith':
      return any((value) => actual.startsWith(value));
    case 'StringEndsWith':
      return any((value) => actual.endsWith(value));
    case 'StringContains':
      return any((value) => actual.includes(value));
    default:
      return false;
  }
}

function deadLetterContainer(properties: Record<string, unknown>): string | undefined {
  const byIdentity = properties.deadLetterWithResourceIdentity as { deadLetterDestination?: Destination } | undefined;
  const destination = (properties.deadLetterDestination as Destination | null) ?? byIdentity?.deadLetterDestination;
  const account = text(destination?.properties?.resourceId);
  const container = text(destination?.properties?.blobContainerName);
  return account && container ? `${account}/blobServices/default/containers/${container}` : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
