import { SubscriptionClient } from '@azure/arm-resources-subscriptions';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { withDeadline } from '../azure/deadline.ts';
import type { CallLimits } from '../azure/limits.ts';
import { armOptions } from '../azure/resource-manager.ts';
import type { FleetIndex } from '../fleet/fleet-index.ts';
import { DAY_MS } from '../time/spans.ts';

export interface Subscriptions {
  /** The ids of the enabled subscriptions that the identity sees, in lower case. */
  list(): Promise<string[]>;
}

/** Which tenant a subscription is in, by the subscription's id. */
export interface Tenants {
  tenants(): Promise<ReadonlyMap<string, string>>;
}

interface ListedSubscription {
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
  return {
    all,
    list: async () => (await all()).filter(({ usable }) => usable).map(({ id }) => id),
    tenants: async () =>
      new Map((await all()).flatMap(({ id, tenantId }) => (tenantId ? [[id, tenantId] as const] : []))),
  };
}

/** A subscription that was cancelled can be had back for so long (Azure Cost Management, "Cancel your subscription"). */
const FORGOTTEN_MS = 90 * DAY_MS;
/** A blast radius waits for it. Milliseconds. */
const LISTINGS_MS = 3_000;

/**
 * Adds the subscriptions that the index listed before and the identity does not see any more: reads of these fail and are
 * reported, where otherwise their accounts would be skipped in silence. To drop one, name the others (`CMK_SUBSCRIPTIONS`).
 *
 * @param fleet an index that cannot be read in time adds none; without it nothing is moved
 */
export function withVanished(
  visible: { all(): Promise<readonly ListedSubscription[]> },
  fleet: Pick<FleetIndex, 'listings'>,
  now: () => Date,
): Subscriptions {
  const none: ReadonlyMap<string, Date> = new Map();
  const listings = () => withDeadline(LISTINGS_MS, 'They were not read', () => fleet.listings()).catch(() => none);
  return {
    async list() {
      const [seen, listed] = await Promise.all([visible.all(), listings()]);
      const known = new Set(seen.map(({ id }) => id));
      const since = now().getTime() - FORGOTTEN_MS;
      const vanished = [...listed].filter(([id, on]) => !known.has(id) && on.getTime() > since).map(([id]) => id);
      return [...seen.filter(({ usable }) => usable).map(({ id }) => id), ...vanished];
    },
  };
}
