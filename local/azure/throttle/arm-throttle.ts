import { ArmError } from '../arm/errors.ts';
import type { World } from '../world.ts';
import { TokenBucket } from './token-bucket.ts';

type Kind = 'reads' | 'writes' | 'deletes';

/** ARM's token buckets per subscription, principal and operation type (Azure, "request limits and throttling"). */
const limits: Record<Kind, { capacity: number; perSecond: number }> = {
  reads: { capacity: 250, perSecond: 25 },
  writes: { capacity: 200, perSecond: 10 },
  deletes: { capacity: 200, perSecond: 10 },
};

/** How the methods that do not write are counted. */
const KINDS: Readonly<Record<string, Kind>> = { GET: 'reads', HEAD: 'reads', DELETE: 'deletes' };

/** ARM's throttle. Returns the headers with the remaining tokens; throws the 429 if there are none. */
export function createArmThrottle(
  world: World,
): (subscriptionId: string | undefined, principalId: string, method: string) => Record<string, string> {
  const buckets = new Map<string, TokenBucket>();

  return (subscriptionId, principalId, method) => {
    const kind = KINDS[method] ?? 'writes';
    const name = `${subscriptionId ?? 'tenant'}/${principalId}/${kind}`;
    const nowMs = world.clock.nowMs();
    let bucket = buckets.get(name);
    if (!bucket) {
      bucket = new TokenBucket(limits[kind].capacity, limits[kind].perSecond, nowMs);
      buckets.set(name, bucket);
    }

    const header = `x-ms-ratelimit-remaining-${subscriptionId ? 'subscription' : 'tenant'}-${kind}`;
    if (!world.settings.throttle) return { [header]: String(limits[kind].capacity - 1) };

    const waitMs = bucket.waitMs(nowMs);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      throw new ArmError(
        429,
        subscriptionId ? 'SubscriptionRequestsThrottled' : 'TenantRequestsThrottled',
        `Number of ${kind} for ${subscriptionId ? `subscription '${subscriptionId}'` : 'the tenant'} exceeded the limit. Please try again after '${seconds}' seconds.`,
        { 'retry-after': String(seconds), [header]: '0', 'x-ms-failure-cause': 'gateway' },
      );
    }

    bucket.take(nowMs);

    return { [header]: String(bucket.remaining(nowMs)) };
  };
}
