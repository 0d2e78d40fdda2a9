import { parseResourceId, parseStorageAccountId } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import type { EventGrid } from '../../events/event-grid-client.ts';
import {
  judgeSubscriptions,
  subscriptionName,
  type WantedDestination,
  wantedSubscriptions,
} from '../../events/subscription.ts';
import type { Operation } from '../operator-azure.ts';
import { findVault, managed } from '../resolve.ts';

interface EventsOptions {
  /** Name, ARM id or URI. */
  readonly vault: string;
  /** ARM id of the app. */
  readonly functionAppId: string | undefined;
  /** ARM id of the app's own storage, for what cannot be delivered. */
  readonly storageAccountId: string | undefined;
}

interface EnsuredEvents {
  /** ARM id of the vault. */
  readonly vault: string;
  readonly subscriptions: readonly { readonly functionName: string; readonly changed: boolean }[];
}

/**
 * Makes sure that a vault's events reach the app: one event subscription for each event function. What aims elsewhere is
 * somebody else's and stays.
 */
export async function ensureEvents(
  options: EventsOptions,
  eventGrid: EventGrid,
  { azure, journal }: Operation,
): Promise<EnsuredEvents> {
  const vault = managed(await findVault(options.vault, azure), azure.cloud);
  if (vault.kind === 'managedHsm') {
    throw new CmkError(
      'Refused',
      `${vault.name} is a Managed HSM, which sends no events.`,
      'There is nothing to set up: the app looks at its keys by itself, every few minutes.',
    );
  }
  const { topic, topicUnreadable, subscriptions } = await eventGrid.read(vault);
  if (topicUnreadable)
    journal.note(
      'Whether the vault has a system topic cannot be read: subscriptions on the vault itself are looked at.',
    );
  const ensured: { functionName: string; changed: boolean }[] = [];
  for (const verdict of judgeSubscriptions(wantedSubscriptions(destinationOf(options)), subscriptions)) {
    const { functionName, eventType } = verdict.wanted;
    if (verdict.is === 'right') {
      journal.found(`${eventType} reaches ${functionName}`);
      ensured.push({ functionName, changed: false });
      continue;
    }
    // One that aims elsewhere may belong to somebody else: a new one is put beside it.
    const existing = verdict.is === 'misaimed' && verdict.ours ? verdict.found : undefined;
    if (verdict.is === 'misaimed')
      journal.found(`event subscription ${verdict.found.name}: ${verdict.differences.join(' ')}`);
    const name = existing?.name ?? subscriptionName(verdict.wanted);
    const place = { topic: existing?.place === 'vault' ? undefined : topic, name };
    const text = `event subscription ${name} ${existing ? 'put right' : 'made'}: ${eventType} to ${functionName}`;
    await journal.change({ text, action: 'events.ensure', resource: `${vault.id} ${name}` }, () =>
      eventGrid.put(vault, place, verdict.wanted),
    );
    ensured.push({ functionName, changed: true });
  }
  return { vault: vault.id, subscriptions: ensured };
}

function destinationOf({ functionAppId, storageAccountId }: EventsOptions): WantedDestination {
  const app = functionAppId === undefined ? undefined : parseResourceId(functionAppId);
  if (app?.type.toLowerCase() !== 'microsoft.web/sites') {
    throw new CmkError(
      'ArgumentInvalid',
      functionAppId === undefined
        ? 'Which app are the events to reach?'
        : `${functionAppId} is not the ARM id of a function app.`,
      'Give it with --function-app, or set CMK_FUNCTION_APP_ID: /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Web/sites/<app>',
    );
  }
  const storage = storageAccountId === undefined ? undefined : parseStorageAccountId(storageAccountId);
  if (storageAccountId !== undefined && !storage) {
    throw new CmkError(
      'ArgumentInvalid',
      `${storageAccountId} is not the ARM id of a storage account.`,
      'Give it with --storage, or set CMK_STORAGE_ACCOUNT_ID: /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/<account>',
    );
  }
  return { functionAppId: app.id, storageAccountId: storage?.id };
}
