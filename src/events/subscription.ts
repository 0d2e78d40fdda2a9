import { parseResourceId, sameResource } from '../azure/resource-id.ts';
import type { KeyEventType } from './key-vault-event.ts';
import { WATCHED_EVENT_TYPES, WATCHED_OPERATIONS } from './resource-event.ts';

/** Which event of Key Vault goes to which function of this app. */
export const EVENT_FUNCTIONS = [
  { functionName: 'keyNewVersionCreated', eventType: 'Microsoft.KeyVault.KeyNewVersionCreated' },
  { functionName: 'keyNearExpiry', eventType: 'Microsoft.KeyVault.KeyNearExpiry' },
  { functionName: 'keyExpired', eventType: 'Microsoft.KeyVault.KeyExpired' },
] as const satisfies readonly { functionName: string; eventType: KeyEventType }[];

/** The function that receives Resource Manager's events of the watched subscriptions. */
const CHANGE_FUNCTION = 'resourceChanged';

/** Container of the app's own storage for what Event Grid could not deliver. */
export const DEAD_LETTER_CONTAINER = 'cmk-deadletter';

/** The longest that Event Grid offers: a day, thirty tries (Event Grid, "delivery and retry"). */
export const MAX_DELIVERY_ATTEMPTS = 30;
export const TIME_TO_LIVE_MINUTES = 1440;
export const DELIVERY_SCHEMA = 'CloudEventSchemaV1_0';

/** One advanced filter: any of its values fits, or with `StringNotIn` none. */
interface EventFilter {
  readonly operatorType: string;
  readonly key: string;
  readonly values: readonly string[];
}

/** An event subscription that a vault, or a watched subscription, needs. */
export interface WantedSubscription {
  /** How its name ends: a function may need several. */
  readonly ending: string;
  readonly functionName: string;
  readonly eventTypes: readonly string[];
  /** All of them have to fit. */
  readonly filters: readonly EventFilter[];
  /** ARM id of the function. */
  readonly functionId: string;
  /** Where dead letters go; undefined: not asked for, since the app's own storage is not known by its ARM id. */
  readonly deadLetter: DeadLetterPlace | undefined;
}

export interface DeadLetterPlace {
  /** ARM id. */
  readonly storageAccountId: string;
  readonly container: string;
}

/** An event subscription as Event Grid has it, on the resource itself or on its system topic. */
export interface EventSubscriptionState {
  readonly id: string;
  readonly name: string;
  readonly place: 'source' | 'systemTopic';
  readonly endpointType: string;
  /** ARM id of the function that it aims at, if it aims at one. */
  readonly functionId: string | undefined;
  readonly eventTypes: readonly string[];
  /** Whether its filter lets only some subjects pass. */
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

/** Of a vault: one for each event function. */
export function wantedSubscriptions(destination: WantedDestination): WantedSubscription[] {
  return EVENT_FUNCTIONS.map(({ functionName, eventType }) =>
    wantedFor(functionName, functionName, { eventTypes: [eventType], filters: [] }, destination),
  );
}

const OPERATION = 'data.operationName';
/** Field of an event by which the app's own writes are left out. */
const OWN_WRITES = 'data.claims.appid';

/** Of a watched subscription. @param clientId of the app's own identity, whose writes are left out */
export function wantedWatches(
  { functionAppId }: Pick<WantedDestination, 'functionAppId'>,
  clientId: string | undefined,
): WantedSubscription[] {
  return WATCHED_OPERATIONS.map((values, n) => {
    const filters = [
      { operatorType: 'StringIn', key: OPERATION, values },
      // Unlike `StringNotContains` it lets events without a caller through ("Event filtering").
      ...(clientId ? [{ operatorType: 'StringNotIn', key: OWN_WRITES, values: [clientId] }] : []),
    ];
    return wantedFor(
      CHANGE_FUNCTION,
      n === 0 ? CHANGE_FUNCTION : `${CHANGE_FUNCTION}${n + 1}`,
      { eventTypes: WATCHED_EVENT_TYPES, filters },
      // Dead letters would hold the names and addresses of callers; the hourly check makes up for them.
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

/** What a vault has for one function: the right one, a wrong one, or none. */
type SubscriptionVerdict =
  | { readonly is: 'right'; readonly wanted: WantedSubscription }
  | { readonly is: 'missing'; readonly wanted: WantedSubscription }
  | {
      readonly is: 'misaimed';
      readonly wanted: WantedSubscription;
      readonly found: EventSubscriptionState;
      /** One sentence for each thing that is wrong. */
      readonly differences: readonly string[];
      /** Whether it is this app's, to be repaired. A subscription with another destination may belong to another app. */
      readonly ours: boolean;
    };

/** Compares what there is with what is needed. One right subscription is enough, wherever it hangs. */
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
      // One that is named for another list of the same function is not taken from it.
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

/** `cmk-keyExpired`, `cmk-prod-keyExpired`: what this app and its deployment call theirs. */
function isNamedFor({ name }: EventSubscriptionState, ending: string): boolean {
  const lower = name.toLowerCase();
  return lower.startsWith('cmk-') && lower.endsWith(`-${ending.toLowerCase()}`);
}

/** Where the subscription that a verdict asks for is put: one of this app is written again, and else a new one is made. */
export function placementOf<T>(
  verdict: Exclude<SubscriptionVerdict, { is: 'right' }>,
  topic: T | undefined,
): { readonly topic: T | undefined; readonly name: string; readonly isNew: boolean } {
  // One that aims elsewhere may belong to another app: a new one is put beside it.
  const existing = verdict.is === 'misaimed' && verdict.ours ? verdict.found : undefined;
  return {
    topic: existing?.place === 'source' ? undefined : topic,
    name: existing?.name ?? subscriptionName(verdict.wanted),
    isNew: existing === undefined,
  };
}

/** The name for a new one. It carries the app's name, so that two installations on one vault do not take each other's. */
export function subscriptionName(wanted: WantedSubscription): string {
  const app = parseResourceId(wanted.functionId.slice(0, wanted.functionId.lastIndexOf('/functions/')))?.name ?? 'app';
  const room = 64 - 'cmk--'.length - wanted.ending.length;
  return `cmk-${app.replace(/[^0-9A-Za-z-]/g, '-').slice(0, room)}-${wanted.ending}`;
}

function differencesOf(wanted: WantedSubscription, found: EventSubscriptionState): string[] {
  const differences: string[] = [];
  if (!sameTexts(wanted.eventTypes, found.eventTypes)) {
    differences.push(
      `It delivers ${found.eventTypes.join(', ') || 'every event type'}, not ${wanted.eventTypes.join(', ')} alone.`,
    );
  }
  const isOfKeys = wanted.filters.length === 0;
  // An operator's own check does not know the app's client id.
  const filters = wanted.filters.some(isOfOwnWrites)
    ? found.filters
    : found.filters.filter((one) => !isOfOwnWrites(one));
  if (found.narrowed || !sameTexts(wanted.filters.map(textOfFilter), filters.map(textOfFilter))) {
    differences.push(
      isOfKeys
        ? 'Its filter lets only some keys pass.'
        : "Its filter lets other operations pass than the app watches, or the app's own.",
    );
  }
  if (found.schema.toLowerCase() !== DELIVERY_SCHEMA.toLowerCase()) {
    differences.push(`It delivers in the schema ${found.schema}, not ${DELIVERY_SCHEMA}.`);
  }
  if (wanted.deadLetter && !samePlace(wanted.deadLetter, found.deadLetter)) {
    const { storageAccountId, container } = wanted.deadLetter;
    const is = found.deadLetter ? `to ${found.deadLetter.storageAccountId}/${found.deadLetter.container}` : 'nowhere';
    differences.push(`What cannot be delivered goes ${is}, not to ${storageAccountId}/${container}.`);
  }
  if (found.maxDeliveryAttempts < MAX_DELIVERY_ATTEMPTS || found.timeToLiveMinutes < TIME_TO_LIVE_MINUTES) {
    differences.push(
      `It gives up after ${found.maxDeliveryAttempts} tries or ${found.timeToLiveMinutes} minutes, not after ${MAX_DELIVERY_ATTEMPTS} or ${TIME_TO_LIVE_MINUTES}.`,
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

/** In any order, whatever the letter case. */
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
