import { SubscriptionClient } from '@azure/arm-resources-subscriptions';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';

/** The ids of the enabled subscriptions that the identity sees. */
export interface Subscriptions {
  list(): Promise<string[]>;
}

export interface ListedSubscription {
  readonly id: string;
  /** A disabled one can be read and not written; its accounts are of no use to anybody until it is enabled. */
  readonly usable: boolean;
}

export function createSubscriptions(
  credential: TokenCredential,
  cloud: Cloud,
): Subscriptions & { all(): Promise<ListedSubscription[]> } {
  const client = new SubscriptionClient(credential, {
    endpoint: cloud.resourceManager,
    credentials: { scopes: [cloud.resourceManagerScope] },
    retryOptions: { maxRetries: 2, retryDelayInMs: 500, maxRetryDelayInMs: 5_000 },
  });
  const all = async (): Promise<ListedSubscription[]> => {
    const listed: ListedSubscription[] = [];
    for await (const { subscriptionId, state } of client.subscriptions.list()) {
      const usable = state === undefined || /^(Enabled|Warned|PastDue)$/.test(state);
      if (subscriptionId) listed.push({ id: subscriptionId.toLowerCase(), usable });
    }
    return listed;
  };
  return { all, list: async () => (await all()).filter(({ usable }) => usable).map(({ id }) => id) };
}
