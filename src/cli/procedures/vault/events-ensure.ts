import { parseResourceId, parseStorageAccountId } from '../../../azure/resource-id.ts';
import { CmkError } from '../../../errors/errors.ts';
import type { EventGrid, EventSource } from '../../../events/event-grid-client.ts';
import {
  compareSubscriptions,
  listRequiredSubscriptions,
  listRequiredWatches,
  planPlacement,
  type WantedDestination,
  type WantedSubscription,
} from '../../../events/subscription.ts';
import type { Operation } from '../operator-azure.ts';
import { findVault, toManagedVault } from '../resolve.ts';

interface DestinationOptions {
  /** ARM id of the app. */
  readonly functionAppId: string | undefined;
  /** ARM id of the app's own storage, for dead letters. */
  readonly storageAccountId: string | undefined;
}

type EventsOptions = DestinationOptions & {
  /** Name, ARM id or URI. */
  readonly vault: string;
};

type WatchOptions = DestinationOptions & {
  readonly subscription: string;
  /** Client id of the app's identity, whose own writes are filtered out. */
  readonly clientId: string | undefined;
};

/**
 * Ensures that a vault's events reach the app, with one event subscription for each event function. Does not change
 * subscriptions with another destination.
 */
export async function ensureEvents(options: EventsOptions, eventGrid: EventGrid, { azure, journal }: Operation) {
  const vault = toManagedVault(await findVault(options.vault, azure), azure.cloud);
  if (vault.kind === 'managedHsm') {
    throw new CmkError(
      'Refused',
      `${vault.name} is a Managed HSM, which sends no events.`,
      'It needs no setup: the app checks its keys every few minutes.',
    );
  }

  const wanted = listRequiredSubscriptions(destinationOf(options));

  return { vault: vault.id, ...(await ensureSubscriptions(vault, wanted, eventGrid, journal)) };
}

/** Ensures that the app receives Azure Resource Manager's events of a subscription. */
export async function ensureWatch(options: WatchOptions, eventGrid: EventGrid, { journal }: Operation) {
  const subscriptionId = options.subscription.toLowerCase();
  const source = { id: `/subscriptions/${subscriptionId}`, subscriptionId };
  const wanted = listRequiredWatches(destinationOf(options), options.clientId);
  return { subscription: subscriptionId, ...(await ensureSubscriptions(source, wanted, eventGrid, journal)) };
}

async function ensureSubscriptions(
  source: EventSource,
  wanted: readonly WantedSubscription[],
  eventGrid: EventGrid,
  journal: Operation['journal'],
) {
  const { topic, topicUnreadable, subscriptions } = await eventGrid.read(source);
  if (topicUnreadable) {
    journal.note('The system topic could not be read: only event subscriptions outside it are checked.');
  }

  const ensured: { functionName: string; changed: boolean }[] = [];

  for (const verdict of compareSubscriptions(wanted, subscriptions)) {
    const { functionName, eventTypes } = verdict.wanted;

    if (verdict.is === 'right') {
      journal.found(`${eventTypes.join(', ')} reaches ${functionName}`);
      ensured.push({ functionName, changed: false });
      continue;
    }

    if (verdict.is === 'misaimed') {
      journal.found(`event subscription ${verdict.found.name}: ${verdict.differences.join(' ')}`);
    }

    const { isNew, ...place } = planPlacement(verdict, topic);
    const what = isNew ? 'created' : 'repaired';
    const text = `event subscription ${place.name} ${what}: ${eventTypes.join(', ')} to ${functionName}`;

    await journal.change({ text, action: 'events.ensure', resource: `${source.id} ${place.name}` }, () =>
      eventGrid.put(source, place, verdict.wanted),
    );
    ensured.push({ functionName, changed: true });
  }

  return { subscriptions: ensured };
}

function destinationOf({ functionAppId, storageAccountId }: DestinationOptions): WantedDestination {
  const app = functionAppId === undefined ? undefined : parseResourceId(functionAppId);
  if (app?.type.toLowerCase() !== 'microsoft.web/sites') {
    const what =
      functionAppId === undefined
        ? 'No app is named as the destination of the events.'
        : `${functionAppId} is not the ARM id of a function app.`;
    throw notAnId(what, '--function-app', 'CMK_FUNCTION_APP_ID', 'Microsoft.Web/sites/<app>');
  }

  if (storageAccountId === undefined) return { functionAppId: app.id, storageAccountId };

  const storage = parseStorageAccountId(storageAccountId);
  if (storage) return { functionAppId: app.id, storageAccountId: storage.id };

  const what = `${storageAccountId} is not the ARM id of a storage account.`;

  throw notAnId(what, '--storage', 'CMK_STORAGE_ACCOUNT_ID', 'Microsoft.Storage/storageAccounts/<account>');
}

function notAnId(message: string, option: string, setting: string, type: string): CmkError {
  const id = `/subscriptions/<id>/resourceGroups/<group>/providers/${type}`;
  return new CmkError('ArgumentInvalid', message, `Pass it with ${option}, or set ${setting}: ${id}`);
}
