import { parseResourceId, sameResource } from '../azure/resource-id.ts';
import type { KeyEventType } from './key-vault-event.ts';

/** Which event of Key Vault goes to which function of this app. */
export const EVENT_FUNCTIONS = [
  { functionName: 'keyNewVersionCreated', eventType: 'Microsoft.KeyVault.KeyNewVersionCreated' },
  { functionName: 'keyNearExpiry', eventType: 'Microsoft.KeyVault.KeyNearExpiry' },
  { functionName: 'keyExpired', eventType: 'Microsoft.KeyVault.KeyExpired' },
] as const satisfies readonly { functionName: string; eventType: KeyEventType }[];

/** Container of the app's own storage for what Event Grid could not deliver. */
export const DEAD_LETTER_CONTAINER = 'cmk-deadletter';

/** The longest that Event Grid offers: a day, thirty tries (Event Grid, "delivery and retry"). */
export const MAX_DELIVERY_ATTEMPTS = 30;
export const TIME_TO_LIVE_MINUTES = 1440;
export const DELIVERY_SCHEMA = 'CloudEventSchemaV1_0';

/** The event subscription that a vault needs for one function. */
export interface WantedSubscription {
  readonly functionName: string;
  readonly eventType: KeyEventType;
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

/** An event subscription as Event Grid has it, on the vault itself or on its system topic. */
export interface EventSubscriptionState {
  readonly id: string;
  readonly name: string;
  readonly place: 'vault' | 'systemTopic';
  readonly endpointType: string;
  /** ARM id of the function that it aims at, if it aims at one. */
  readonly functionId: string | undefined;
  readonly eventTypes: readonly string[];
  /** Whether its filter lets only some subjects, or only events with some data, pass. */
  readonly narrowed: boolean;
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

/** One for each event function. */
export function wantedSubscriptions({ functionAppId, storageAccountId }: WantedDestination): WantedSubscription[] {
  return EVENT_FUNCTIONS.map(({ functionName, eventType }) => ({
    functionName,
    eventType,
    functionId: `${functionAppId}/functions/${functionName}`,
    deadLetter: storageAccountId ? { storageAccountId, container: DEAD_LETTER_CONTAINER } : undefined,
  }));
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
      /** Whether it is this app's, to be put right. One that aims elsewhere may be somebody else's: it is left alone. */
      readonly ours: boolean;
    };

/** Compares what a vault has with what it needs. One right subscription is enough, wherever it hangs. */
export function judgeSubscriptions(
  wanted: readonly WantedSubscription[],
  found: readonly EventSubscriptionState[],
): SubscriptionVerdict[] {
  return wanted.map((one) => {
    const ours = found.filter(({ functionId }) => functionId !== undefined && sameResource(functionId, one.functionId));
    const judged = ours.map((state) => ({ state, differences: differencesOf(one, state) }));
    if (judged.some(({ differences }) => differences.length === 0)) return { is: 'right', wanted: one };
    const [nearest] = judged.sort((a, b) => a.differences.length - b.differences.length);
    if (nearest) {
      return { is: 'misaimed', wanted: one, found: nearest.state, differences: nearest.differences, ours: true };
    }
    const named = found.find((state) => isNamedFor(state, one.functionName));
    if (!named) return { is: 'missing', wanted: one };
    const differences = [`It delivers to ${named.functionId ?? named.endpointType}, not to ${one.functionId}.`];
    return { is: 'misaimed', wanted: one, found: named, differences, ours: false };
  });
}

/** `cmk-keyExpired`, `cmk-prod-keyExpired`: what this app and its deployment call theirs. */
function isNamedFor({ name }: EventSubscriptionState, functionName: string): boolean {
  const lower = name.toLowerCase();
  return lower.startsWith('cmk-') && lower.endsWith(`-${functionName.toLowerCase()}`);
}

/** The name for a new one. It carries the app's name, so that two installations on one vault do not take each other's. */
export function subscriptionName(wanted: WantedSubscription): string {
  const app = parseResourceId(wanted.functionId.slice(0, wanted.functionId.lastIndexOf('/functions/')))?.name ?? 'app';
  const room = 64 - 'cmk--'.length - wanted.functionName.length;
  return `cmk-${app.replace(/[^0-9A-Za-z-]/g, '-').slice(0, room)}-${wanted.functionName}`;
}

function differencesOf(wanted: WantedSubscription, found: EventSubscriptionState): string[] {
  const differences: string[] = [];
  const types = found.eventTypes.map((type) => type.toLowerCase());
  if (types.length !== 1 || types[0] !== wanted.eventType.toLowerCase()) {
    differences.push(
      `It delivers ${found.eventTypes.join(', ') || 'every event type'}, not ${wanted.eventType} alone.`,
    );
  }
  if (found.narrowed) differences.push('Its filter lets only some keys pass.');
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

function samePlace(wanted: DeadLetterPlace, found: DeadLetterPlace | undefined): boolean {
  return (
    found !== undefined &&
    sameResource(wanted.storageAccountId, found.storageAccountId) &&
    wanted.container === found.container
  );
}
