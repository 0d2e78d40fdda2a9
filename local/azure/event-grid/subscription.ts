import { asObject } from '../json.ts';
import type { EventSubscription } from '../world.ts';
import type { PublishedEvent } from './event-body.ts';

/** The ARM properties of an event subscription that Event Grid uses. */
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
  /** ARM id of the blob container for dead letters. */
  readonly deadLetterContainer: string | undefined;
}

interface Destination {
  endpointType?: string;
  properties?: Record<string, unknown> | null;
}

/** Reads the properties, with Azure's defaults (30 attempts, 1,440 minutes, Event Grid schema). */
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

/** Whether the subscription gets this event, by its topic, provisioning state, expiry and filter. */
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
  value?: unknown;
  values?: unknown[];
}

type Operator = (actual: unknown, value: unknown) => boolean;

/** Compares texts without regard to case. */
const texts =
  (compare: (actual: string, value: string) => boolean): Operator =>
  (actual, value) =>
    compare(String(actual ?? '').toLowerCase(), String(value).toLowerCase());

const numbers =
  (compare: (actual: number, value: number) => boolean): Operator =>
  (actual, value) =>
    typeof actual === 'number' && compare(actual, Number(value));

/** The operators of advanced filters: one matching value is enough. Operators with `Not` need all to differ. */
const operators: Record<string, Operator> = {
  StringIn: texts((actual, value) => actual === value),
  StringBeginsWith: texts((actual, value) => actual.startsWith(value)),
  StringEndsWith: texts((actual, value) => actual.endsWith(value)),
  StringContains: texts((actual, value) => actual.includes(value)),
  NumberIn: numbers((actual, value) => actual === value),
  NumberInRange: (actual, range) =>
    Array.isArray(range) && typeof actual === 'number' && actual >= Number(range[0]) && actual <= Number(range[1]),
  NumberLessThan: numbers((actual, value) => actual < value),
  NumberLessThanOrEquals: numbers((actual, value) => actual <= value),
  NumberGreaterThan: numbers((actual, value) => actual > value),
  NumberGreaterThanOrEquals: numbers((actual, value) => actual >= value),
  BoolEquals: (actual, value) => actual === value,
};

function passes(
  { operatorType = '', key = '', value, values = [value] }: AdvancedFilter,
  event: PublishedEvent,
): boolean {
  const [first = '', ...rest] = key.split('.');

  // A name that contains a dot cannot be reached, since there is no escape character.
  const actual: unknown =
    first.toLowerCase() === 'data'
      ? rest.reduce<unknown>((object, name) => asObject(object)?.[name], event.data)
      : event[first as keyof PublishedEvent];
  if (operatorType === 'IsNullOrUndefined') return actual === null || actual === undefined;
  if (operatorType === 'IsNotNull') return actual !== null && actual !== undefined;

  const operator = operators[operatorType.replace('Not', '')];
  if (!operator) return false;

  // For a missing key only `StringNotIn` and `NumberNotIn` are true ("Event filtering").
  if (actual === null || actual === undefined) return /NotIn$/.test(operatorType);

  const fits = values.some((one) => operator(actual, one));

  return operatorType.includes('Not') ? !fits : fits;
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
