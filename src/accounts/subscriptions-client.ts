import { SubscriptionClient } from '@azure/arm-resources-subscriptions';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { withDeadline } from '../azure/deadline.ts';
import type { CallLimits } from '../azure/limits.ts';
import { createArmOptions } from '../azure/resource-manager.ts';
import { DAY_MS } from '../formats/spans.ts';
import type { FleetIndex } from '../index/fleet-index.ts';

export interface Subscriptions {
  /** Lists the ids of the enabled subscriptions that the identity can read, in lower case. */
  list(): Promise<string[]>;
}

/** Tenant of each subscription, by the subscription's id. */
export interface Tenants {
  tenants(): Promise<ReadonlyMap<string, string>>;
}

interface ListedSubscription {
  readonly id: string;
  /** A disabled subscription is read-only, and its accounts do not serve data until it is enabled. */
  readonly usable: boolean;
  readonly tenantId?: string | undefined;
}

export function createSubscriptions(
  credential: TokenCredential,
  cloud: Cloud,
  limits?: CallLimits,
): Subscriptions & Tenants & { all(): Promise<ListedSubscription[]> } {
  const client = new SubscriptionClient(credential, createArmOptions(cloud, limits));
  const all = async (): Promise<ListedSubscription[]> => {
    const listed: ListedSubscription[] = [];
    for await (const { subscriptionId, state, tenantId } of client.subscriptions.list()) {
      const usable = state === undefined || /^(Enabled|Warned|PastDue)$/.test(state);
      if (subscriptionId) listed.push({ id: subscriptionId.toLowerCase(), usable, tenantId });
    }
    return listed;
  };

  return {
    all,
    list: async () => (await all()).filter(({ usable }) => usable).map(({ id }) => id),
    tenants: async () =>
      new Map((await all()).flatMap(({ id, tenantId }) => (tenantId ? [[id, tenantId] as const] : []))),
  };
}

/** Time in which a cancelled subscription can be reactivated (Azure Cost Management, "Cancel your subscription"). */
const RETENTION_MS = 90 * DAY_MS;
/** Short deadline, since the blast radius needs the list. Milliseconds. */
const LISTINGS_MS = 3_000;

/**
 * Adds subscriptions that the index listed before and that the identity can no longer read. Reads of such subscriptions
 * fail and are reported; otherwise the app would silently skip their accounts. `CMK_SUBSCRIPTIONS` can exclude them.
 *
 * @param fleet an index that cannot be read in time adds no subscription; no account moves without it
 */
export function withVanished(
  visible: { all(): Promise<readonly ListedSubscription[]> },
  fleet: Pick<FleetIndex, 'listings'>,
  now: () => Date,
): Subscriptions {
  const none: ReadonlyMap<string, Date> = new Map();
  const listings = () =>
    withDeadline(LISTINGS_MS, 'The listings were not read', () => fleet.listings()).catch(() => none);

  return {
    async list() {
      const [seen, listed] = await Promise.all([visible.all(), listings()]);
      const known = new Set(seen.map(({ id }) => id));
      const since = now().getTime() - RETENTION_MS;
      const vanished = [...listed].filter(([id, on]) => !known.has(id) && on.getTime() > since).map(([id]) => id);
      return [...seen.filter(({ usable }) => usable).map(({ id }) => id), ...vanished];
    },
  };
}
