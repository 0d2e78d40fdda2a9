import type { Settings } from '../settings/settings.ts';
import type { Subscriptions } from './subscriptions-client.ts';

/** Ids of the subscriptions that are looked after: those that are named, or else all that the app sees or saw. */
export async function lookedAfter({
  settings,
  subscriptions,
}: {
  readonly settings: Pick<Settings, 'subscriptions'>;
  readonly subscriptions: Pick<Subscriptions, 'seen'>;
}): Promise<readonly string[]> {
  return settings.subscriptions ?? (await subscriptions.seen()).ids;
}
