import { SubscriptionClient } from '@azure/arm-resources-subscriptions';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import type { CallLimits } from '../azure/limits.ts';
import { armOptions } from '../azure/resource-manager.ts';

/** The ids of the enabled subscriptions that the identity sees. */
export interface Subscriptions {
  list(): Promise<string[]>;
  /** The same, and those among them that it saw before and does not see any more. */
  seen(): Promise<SeenNow>;
}

export interface SeenNow {
  readonly ids: readonly string[];
  readonly vanished: readonly string[];
  /** What was seen before could not be read: there may be more that have vanished. */
  readonly isPart?: boolean;
}

/** Which tenant a subscription is in, by the subscription's id. */
export interface Tenants {
  tenants(): Promise<ReadonlyMap<string, string>>;
}

export interface ListedSubscription {
  readonly id: string;
  /** A disabled subscription can be read but not written; its accounts do not serve until it is enabled. */
  readonly usable: boolean;
  readonly tenantId?: string | undefined;
}

export function createSubscriptions(
  credential: TokenCredential,
  cloud: Cloud,
  limits?: CallLimits,
): Subscriptions & Tenants & { all(): Promise<ListedSubscription[]> } {
  const client = new SubscriptionClient(credential, armOptions(cloud, limits));
  const all = async (): Promise<ListedSubscription[]> => {
    const listed: ListedSubscription[] = [];
    for await (const { subscriptionId, state, tenantId } of client.subscriptions.list()) {
      const usable = state === undefined || /^(Enabled|Warned|PastDue)$/.test(state);
      if (subscriptionId) listed.push({ id: subscriptionId.toLowerCase(), usable, tenantId });
    }
    return listed;
  };
  const list = async () => (await all()).filter(({ usable }) => usable).map(({ id }) => id);
  return {
    all,
    list,
    seen: async () => ({ ids: await list(), vanished: [] }),
    tenants: async () =>
      new Map((await all()).flatMap(({ id, tenantId }) => (tenantId ? [[id, tenantId] as const] : []))),
  };
}
