import { isSameResource, parseResourceId, toComparableId } from '../azure/resource-id.ts';
import { compareText } from '../formats/text.ts';
import { WATCHED_EVENT_TYPES, WATCHED_OPERATIONS } from './resource-event.ts';

/** Functions of this app by Key Vault event. */
export const EVENT_FUNCTIONS = [
  { functionName: 'keyNewVersionCreated', eventType: 'Microsoft.KeyVault.KeyNewVersionCreated' },
  { functionName: 'keyNearExpiry', eventType: 'Microsoft.KeyVault.KeyNearExpiry' },
  { functionName: 'keyExpired', eventType: 'Microsoft.KeyVault.KeyExpired' },
] as const;

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
export function listRequiredSubscriptions({
  functionAppId,
  storageAccountId,
}: WantedDestination): WantedSubscription[] {
  const deadLetter = storageAccountId ? { storageAccountId, container: DEAD_LETTER_CONTAINER } : undefined;
  return EVENT_FUNCTIONS.map(({ functionName, eventType }) => ({
    functionName,
    ending: functionName,
    eventTypes: [eventType],
    filters: [],
    deadLetter,
    functionId: `${functionAppId}/functions/${functionName}`,
  }));
}

const OPERATION = 'data.operationName';
/** Event field that identifies the app's own writes. */
const OWN_WRITES = 'data.claims.appid';

/**
 * The event subscriptions of a watched subscription. @param clientId of the app's identity, whose writes are excluded
 */
export function listRequiredWatches(
  { functionAppId }: Pick<WantedDestination, 'functionAppId'>,
  clientId: string | undefined,
): WantedSubscription[] {
  // Unlike `StringNotContains`, it passes events without a caller ("Event filtering").
  const ofOthers = clientId ? [{ operatorType: 'StringNotIn', key: OWN_WRITES, values: [clientId] }] : [];

  return WATCHED_OPERATIONS.map((values, n) => ({
    functionName: CHANGE_FUNCTION,
    ending: n === 0 ? CHANGE_FUNCTION : `${CHANGE_FUNCTION}${n + 1}`,
    functionId: `${functionAppId}/functions/${CHANGE_FUNCTION}`,
    eventTypes: WATCHED_EVENT_TYPES,
    filters: [{ operatorType: 'StringIn', key: OPERATION, values }, ...ofOthers],
    // Dead letters would contain names and addresses of callers. The hourly check detects lost events.
    deadLetter: undefined,
  }));
}

/** The event subscription for one function: correct, wrong or missing. */
type SubscriptionVerdict =
  | { readonly is: 'right' | 'missing'; readonly wanted: WantedSubscription }
  | {
      readonly is: 'misaimed';
      readonly wanted: WantedSubscription;
      readonly found: EventSubscriptionState;
      readonly differences: readonly string[];
      /** Whether it belongs to this app, which then repairs it. Other destinations may belong to another app. */
      readonly ours: boolean;
    };

/**
 * Compares required and existing event subscriptions. One correct subscription is enough, on the source or on its
 * topic.
 */
export function compareSubscriptions(
  wanted: readonly WantedSubscription[],
  found: readonly EventSubscriptionState[],
): SubscriptionVerdict[] {
  const right = new Map(
    found.flatMap((state) => {
      const one = wanted.find((each) => isOurs(state, each) && differencesOf(each, state).length === 0);
      return one ? [[state, one]] : [];
    }),
  );

  const served = new Set(right.values());
  const wrong = found.filter((state) => !right.has(state));

  return wanted.map((one) => {
    if (served.has(one)) return { is: 'right', wanted: one };

    const [nearest] = wrong
      .filter((state) => isOurs(state, one))
      // Excludes a subscription whose name belongs to another list of the same function.
      .filter((state) => !wanted.some((other) => other !== one && isNamedFor(state, other.ending)))
      .map((state) => ({ found: state, differences: differencesOf(one, state) }))
      .sort((a, b) => a.differences.length - b.differences.length);
    if (nearest) return { is: 'misaimed', wanted: one, ...nearest, ours: true };

    const named = wrong.find((state) => isNamedFor(state, one.ending));
    if (!named) return { is: 'missing', wanted: one };

    const differences = [`It delivers to ${named.functionId ?? named.endpointType}, not to ${one.functionId}.`];

    return { is: 'misaimed', wanted: one, found: named, differences, ours: false };
  });
}

function isOurs({ functionId }: EventSubscriptionState, one: WantedSubscription): boolean {
  return functionId !== undefined && isSameResource(functionId, one.functionId);
}

/** Whether this app or its deployment named it: `cmk-keyExpired`, `cmk-prod-keyExpired`. */
function isNamedFor({ name }: EventSubscriptionState, ending: string): boolean {
  const lower = name.toLowerCase();
  return lower.startsWith('cmk-') && lower.endsWith(`-${ending.toLowerCase()}`);
}

/** Where to write the missing event subscription. Updates the app's own, or else creates one. */
export function planPlacement<T>(
  verdict: SubscriptionVerdict,
  topic: T | undefined,
): { readonly topic: T | undefined; readonly name: string; readonly isNew: boolean } {
  // A subscription with another destination may belong to another app, so the app creates its own.
  const existing = verdict.is === 'misaimed' && verdict.ours ? verdict.found : undefined;

  return {
    topic: existing?.place === 'source' ? undefined : topic,
    name: existing?.name ?? createSubscriptionName(verdict.wanted),
    isNew: existing === undefined,
  };
}

/** Name for a new subscription. It contains the app's name, so two installations on one vault do not conflict. */
export function createSubscriptionName(wanted: WantedSubscription): string {
  const app = parseResourceId(wanted.functionId.slice(0, wanted.functionId.lastIndexOf('/functions/')))?.name ?? 'app';
  const room = 64 - 'cmk--'.length - wanted.ending.length;
  return `cmk-${app.replace(/[^0-9A-Za-z-]/g, '-').slice(0, room)}-${wanted.ending}`;
}

function differencesOf(wanted: WantedSubscription, found: EventSubscriptionState): string[] {
  const differs = (what: string, is: string, asked: string) =>
    is.toLowerCase() === asked.toLowerCase() ? [] : [`${what} ${is}, not ${asked}.`];
  const isOfOwnWrites = ({ key }: EventFilter): boolean => key === OWN_WRITES;

  // An operator's CLI does not know the app's client id.
  const isKnown = wanted.filters.some(isOfOwnWrites);
  const filters = found.filters.filter((one) => isKnown || !isOfOwnWrites(one));
  const isFiltered = !found.narrowed && filtersText(filters) === filtersText(wanted.filters);
  const wrongFilter =
    wanted.filters.length === 0
      ? 'Its filter excludes some keys.'
      : "Its filter passes operations other than the watched ones, or the app's own writes.";
  const { deadLetter, maxDeliveryAttempts: attempts, timeToLiveMinutes: minutes, expiresOn, provisioningState } = found;
  const endsEarly = attempts < MAX_DELIVERY_ATTEMPTS || minutes < TIME_TO_LIVE_MINUTES;
  const longest = `${MAX_DELIVERY_ATTEMPTS} or ${TIME_TO_LIVE_MINUTES}`;
  const isLive = /^(Succeeded|Creating|Updating)$/i.test(provisioningState);

  return [
    ...differs('It delivers', typesText(found.eventTypes), typesText(wanted.eventTypes)),
    ...(isFiltered ? [] : [wrongFilter]),
    ...differs('It delivers in the schema', found.schema, DELIVERY_SCHEMA),
    ...(wanted.deadLetter ? differs('Its dead letters go', placeText(deadLetter), placeText(wanted.deadLetter)) : []),
    ...(endsEarly ? [`It stops after ${attempts} attempts or ${minutes} minutes, not after ${longest}.`] : []),
    ...(expiresOn ? [`It expires on ${expiresOn.toISOString()}.`] : []),
    ...(isLive ? [] : [`Its provisioning state is ${provisioningState}.`]),
  ];
}

function typesText(types: readonly string[]): string {
  return [...types].sort(compareAnyCase).join(', ') || 'every event type';
}

/** Equal for equal filters, regardless of order and letter case. */
function filtersText(filters: readonly EventFilter[]): string {
  const texts = filters.map(({ operatorType, key, values }) =>
    [operatorType, key, ...[...values].sort(compareAnyCase)].join(' ').toLowerCase(),
  );
  return texts.sort().join('\n');
}

function compareAnyCase(a: string, b: string): number {
  return compareText(a.toLowerCase(), b.toLowerCase());
}

function placeText(place: DeadLetterPlace | undefined): string {
  return place ? `to ${toComparableId(place.storageAccountId)}/${place.container}` : 'nowhere';
}
