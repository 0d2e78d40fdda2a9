import { SubscriptionClient } from '@azure/arm-resources-subscriptions';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { armOptions } from '../azure/resource-manager.ts';

/** The ids of the enabled subscriptions that the identity sees. */
export interface Subscriptions {
  list(): Promise<string[]>;
}

export function createSubscriptions(credential: TokenCredential, cloud: Cloud): Subscriptions {
  const client = new SubscriptionClient(credential, armOptions(cloud));
  return {
    async list() {
      const ids: string[] = [];
      for await (const subscription of client.subscriptions.list()) {
        // A disabled subscription can be read and not written; its accounts are of no use to anybody until it is enabled.
        const usable = subscription.state === undefined || /^(Enabled|Warned|PastDue)$/.test(subscription.state);
        if (subscription.subscriptionId && usable) ids.push(subscription.subscriptionId.toLowerCase());
      }
      return ids;
    },
  };
}
