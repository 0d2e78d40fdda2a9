import type { IndexBuilding } from '../fleet/index-building.ts';
import type { AccountsOfKey } from '../fleet/unindexed-accounts.ts';
import type { Settings } from '../settings/settings.ts';
import type { AccountWork } from '../work/messages.ts';
import type { AskServices } from './ask-scopes.ts';
import type { UnreadableScopes } from './inventory.ts';
import type { Subscriptions } from './subscriptions-client.ts';

/** What is to be looked at: an account, with what the index says of its scopes. */
export interface Dependent {
  /** ARM id. */
  readonly id: string;
  readonly subscriptionId: string;
  readonly location: string;
  /** It had no scope that uses a key when it was last asked. */
  readonly scopes?: 'none';
  /** How it used the key when it was seen last. */
  readonly seen?: NonNullable<AccountWork['seen']>;
}

export interface DiscoveryServices extends AskServices {
  readonly settings: Pick<Settings, 'scopeDiscovery'>;
  readonly accountsOfKey: AccountsOfKey;
  readonly building: IndexBuilding;
}

/** Which subscriptions are to be looked at. */
export interface SearchedSubscriptions {
  readonly ids: readonly string[];
  /** Those among them that are listed whatever the index knows of them. */
  readonly list: readonly string[];
  /** There may be more that are looked after. */
  readonly isPart?: boolean;
}

/** Those that are looked after: the ones that are named, or else all that the app sees or saw. */
export async function allLookedAfter({
  settings,
  subscriptions,
}: {
  readonly settings: Pick<Settings, 'subscriptions'>;
  readonly subscriptions: Pick<Subscriptions, 'seen'>;
}): Promise<SearchedSubscriptions> {
  if (settings.subscriptions) return { ids: settings.subscriptions, list: [] };
  const { vanished, ...seen } = await subscriptions.seen();
  return { ...seen, list: vanished };
}

/** What is done with what is found. */
export interface Findings {
  /** Takes each dependent as soon as it is known. */
  found(dependent: Dependent): Promise<void>;
  /** Sends somebody to ask accounts for their scopes, one by one; of those that could not be asked now, why. */
  ask(accounts: readonly Dependent[], unreadable: readonly UnreadableScopes[]): Promise<void>;
}

/** Where an account is: one that was moved to another resource group is in the index where it was, and elsewhere in Azure. */
export function accountPlace(account: string): string {
  return account.normalize('NFC').toLowerCase();
}
