import { parseResourceId, sameResource } from '../azure/resource-id.ts';
import type { KeyEventType } from './key-vault-event.ts';
import { WATCHED_EVENT_TYPES, WATCHED_OPERATIONS } from './resource-event.ts';

/** Functions of this app by Key Vault event. */
export const EVENT_FUNCTIONS = [
  { functionName: 'keyNewVersionCreated', eventType: 'Microsoft.KeyVault.KeyNewVersionCreated' },
  { functionName: 'keyNearExpiry', eventType: 'Microsoft.KeyVault.KeyNearExpiry' },
  { functionName: 'keyExpired', eventType: 'Microsoft.KeyVault.KeyExpired' },
] as const satisfies readonly { functionName: string; eventType: KeyEventType }[];

/** The function that receives Resource Manager's events of the watched subscriptions. */
const CHANGE_FUNCTION = 'resourceChanged';

/** Container in the app's own storage for dead letters of Event Grid. */
export const DEAD_LETTER_CONTAINER = 'cmk-deadletter';

/** Event Grid's maximum: one day and thirty attempts (Event Grid, "delivery and retry"). */
export const MAX_DELIVERY_ATTEMPTS = 30;
export const TIME_TO_LIVE_MINUTES = 1440;
export const DELIVERY_SCHEMA = 'CloudEventSchemaV1_0';

/** An advanced filter. It matches any of its values, or with `StringNotIn` none of them. */
interface EventFilter {
  readonly operatorType: string;
  readonly key: string;
  readonly values: readonly string[];
}

/** An event subscription that a vault or a watched subscription needs. */
export interface WantedSubscription {
  /** Suffix of its name, because a function may need several event subscriptions. */
  readonly ending: string;
  readonly functionName: string;
  readonly eventTypes: readonly string[];
  /** Combined with AND. */
  readonly filters: readonly EventFilter[];
  /** ARM id of the function. */
  readonly functionId: string;
  /** Destination of dead letters; undefined if the ARM id of the app's own storage is unknown. */
  readonly deadLetter: DeadLetterPlace | undefined;
}

export interface DeadLetterPlace {
  /** ARM id. */
  readonly storageAccountId: string;
  readonly container: string;
}

/** An event subscription in Event Grid, on the source or on its system topic. */
export interface EventSubscriptionState {
  readonly id: string;
  readonly name: string;
  readonly place: 'source' | 'systemTopic';
  readonly endpointType: string;
  /** ARM id of the destination function; undefined for other destinations. */
  readonly functionId: string | undefined;
  readonly eventTypes: readonly string[];
  /** Whether its filter excludes some subjects. */
  readonly narrowed: boolean;
  readonly filters: readonly EventFilter[];
  readonly schema: string;
  readonly deadLetter: DeadLetterPlace | undefined;
  readonly maxDeliveryAttempts: number;
  readonly timeToLiveMinutes: number;
  readonly provisioningState: string;
  readonly expiresOn: Date | undefined;
}

export interface WantedDestination {
  readonly functionAppId: string;
  readonly storageAccountId: string | undefined;
}

/** The event subscriptions of a vault: one for each event function. */
export function wantedSubscriptions(destination: WantedDestination): WantedSubscription[] {
  return EVENT_FUNCTIONS.map(({ functionName, eventType }) =>
    wantedFor(functionName, functionName, { eventTypes: [eventType], filters: [] }, destination),
  );
}

const OPERATION = 'data.operationName';
/** Event field that identifies the app's own writes. */
const OWN_WRITES = 'data.claims.appid';

/**
 * The event subscriptions of a watched subscription. @param clientId of the app's identity, whose writes are excluded
 */
export function wantedWatches(
  { functionAppId }: Pick<WantedDestination, 'functionAppId'>,
  clientId: string | undefined,
): WantedSubscription[] {
  return WATCHED_OPERATIONS.map((values, n) => {
    const filters = [
      { operatorType: 'StringIn', key: OPERATION, values },
      // Unlike `StringNotContains`, it passes events without a caller ("Event filtering").
      ...(clientId ? [{ operatorType: 'StringNotIn', key: OWN_WRITES, values: [clientId] }] : []),
    ];
    return wantedFor(
      CHANGE_FUNCTION,
      n === 0 ? CHANGE_FUNCTION : `${CHANGE_FUNCTION}${n + 1}`,
      { eventTypes: WATCHED_EVENT_TYPES, filters },
      // Dead letters would contain names and addresses of callers. The hourly check detects lost events.
      { functionAppId, storageAccountId: undefined },
    );
  });
}

function wantedFor(
  functionName: string,
  ending: string,
  filter: Pick<WantedSubscription, 'eventTypes' | 'filters'>,
  { functionAppId, storageAccountId }: WantedDestination,
): WantedSubscription {
  return {
    ...{ functionName, ending },
    ...filter,
    functionId: `${functionAppId}/functions/${functionName}`,
    deadLetter: storageAccountId ? { storageAccountId, container: DEAD_LETTER_CONTAINER } : undefined,
  };
}

/** The event subscription for one function: correct, wrong or missing. */
type SubscriptionVerdict =
  | { readonly is: 'right'; readonly wanted: WantedSubscription }
  | { readonly is: 'missing'; readonly wanted: WantedSubscription }
  | {
      readonly is: 'misaimed';
      readonly wanted: WantedSubscription;
      readonly found: EventSubscriptionState;
      /** One sentence per difference. */
      readonly differences: readonly string[];
      /** Whether it belongs to this app, which then repairs it. Other destinations may belong to another app. */
      readonly ours: boolean;
    };

/**
 * Compares required and existing event subscriptions. One correct subscription is enough, on the source or on its
 * topic.
 */
export function judgeSubscriptions(
  wanted: readonly WantedSubscription[],
  found: readonly EventSubscriptionState[],
): SubscriptionVerdict[] {
  const isOurs = ({ functionId }: EventSubscriptionState, one: WantedSubscription): boolean =>
    functionId !== undefined && sameResource(functionId, one.functionId);
  const rightFor = (state: EventSubscriptionState): WantedSubscription | undefined =>
    wanted.find((one) => isOurs(state, one) && differencesOf(one, state).length === 0);
  const wrong = found.filter((state) => !rightFor(state));
  const right = new Set(found.map(rightFor));
  return wanted.map((one) => {
    if (right.has(one)) return { is: 'right', wanted: one };
    const judged = wrong
      .filter((state) => isOurs(state, one))
      // Excludes a subscription whose name belongs to another list of the same function.
      .filter((state) => !wanted.some((other) => other !== one && isNamedFor(state, other.ending)))
      .map((state) => ({ state, differences: differencesOf(one, state) }));
    const [nearest] = judged.sort((a, b) => a.differences.length - b.differences.length);
    if (nearest) {
      return { is: 'misaimed', wanted: one, found: nearest.state, differences: nearest.differences, ours: true };
    }
    const named = wrong.find((state) => isNamedFor(state, one.ending));
    if (!named) return { is: 'missing', wanted: one };
    const differences = [`It delivers to ${named.functionId ?? named.endpointType}, not to ${one.functionId}.`];
    return { is: 'misaimed', wanted: one, found: named, differences, ours: false };
  });
}

/** Whether this app or its deployment named it: `cmk-keyExpired`, `cmk-prod-keyExpired`. */
function isNamedFor({ name }: EventSubscriptionState, ending: string): boolean {
  const lower = name.toLowerCase();
  return lower.startsWith('cmk-') && lower.endsWith(`-${ending.toLowerCase()}`);
}

/** Where to write the missing event subscription. Updates the app's own, or else creates one. */
export function placementOf<T>(
  verdict: Exclude<SubscriptionVerdict, { is: 'right' }>,
  topic: T | undefined,
): { readonly topic: T | undefined; readonly name: string; readonly isNew: boolean } {
  // A subscription with another destination may belong to another app, so the app creates its own.
  const existing = verdict.is === 'misaimed' && verdict.ours ? verdict.found : undefined;
  return {
    topic: existing?.place === 'source' ? undefined : topic,
    name: existing?.name ?? subscriptionName(verdict.wanted),
    isNew: existing === undefined,
  };
}

/** Name for a new subscription. It contains the app's name, so two installations on one vault do not conflict. */
export function subscriptionName(wanted: WantedSubscription): string {
  const app = parseResourceId(wanted.functionId.slice(0, wanted.functionId.lastIndexOf('/functions/')))?.name ?? 'app';
  const room = 64 - 'cmk--'.length - wanted.ending.length;
  return `cmk-${app.replace(/[^0-9A-Za-z-]/g, '-').slice(0, room)}-${wanted.ending}`;
}

function differencesOf(wanted: WantedSubscription, found: EventSubscriptionState): string[] {
  const differences: string[] = [];
  if (!sameTexts(wanted.eventTypes, found.eventTypes)) {
    differences.push(
      `It delivers ${found.eventTypes.join(', ') || 'every event type'}, not only ${wanted.eventTypes.join(', ')}.`,
    );
  }
  const isOfKeys = wanted.filters.length === 0;
  // An operator's CLI does not know the app's client id.
  const filters = wanted.filters.some(isOfOwnWrites)
    ? found.filters
    : found.filters.filter((one) => !isOfOwnWrites(one));
  if (found.narrowed || !sameTexts(wanted.filters.map(textOfFilter), filters.map(textOfFilter))) {
    differences.push(
      isOfKeys
        ? 'Its filter excludes some keys.'
        : "Its filter passes operations other than the watched ones, or the app's own writes.",
    );
  }
  if (found.schema.toLowerCase() !== DELIVERY_SCHEMA.toLowerCase()) {
    differences.push(`It delivers in the schema ${found.schema}, not ${DELIVERY_SCHEMA}.`);
  }
  if (wanted.deadLetter && !samePlace(wanted.deadLetter, found.deadLetter)) {
    const { storageAccountId, container } = wanted.deadLetter;
    const is = found.deadLetter ? `to ${found.deadLetter.storageAccountId}/${found.deadLetter.container}` : 'nowhere';
    differences.push(`Its dead letters go ${is}, not to ${storageAccountId}/${container}.`);
  }
  if (found.maxDeliveryAttempts < MAX_DELIVERY_ATTEMPTS || found.timeToLiveMinutes < TIME_TO_LIVE_MINUTES) {
    differences.push(
      `It stops after ${found.maxDeliveryAttempts} attempts or ${found.timeToLiveMinutes} minutes, not after ${MAX_DELIVERY_ATTEMPTS} or ${TIME_TO_LIVE_MINUTES}.`,
    );
  }
  if (found.expiresOn) differences.push(`It expires on ${found.expiresOn.toISOString()}.`);
  if (!/^(Succeeded|Creating|Updating)$/i.test(found.provisioningState)) {
    differences.push(`Its provisioning state is ${found.provisioningState}.`);
  }
  return differences;
}

function isOfOwnWrites({ key }: EventFilter): boolean {
  return key === OWN_WRITES;
}

/** Compares texts regardless of order and letter case. */
function sameTexts(some: readonly string[], others: readonly string[]): boolean {
  const sorted = (texts: readonly string[]) => JSON.stringify(texts.map((text) => text.toLowerCase()).sort());
  return sorted(some) === sorted(others);
}

function textOfFilter({ operatorType, key, values }: EventFilter): string {
  return [operatorType, key, ...values.map((value) => value.toLowerCase()).sort()].join(' ');
}

function samePlace(wanted: DeadLetterPlace, found: DeadLetterPlace | undefined): boolean {
  return (
    found !== undefined &&
    sameResource(wanted.storageAccountId, found.storageAccountId) &&
    wanted.container === found.container
  );
}
