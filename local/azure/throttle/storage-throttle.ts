import { ArmError } from '../arm/errors.ts';
import type { World } from '../world.ts';
import { TokenBucket } from './token-bucket.ts';

type Kind = 'Read' | 'Write' | 'List';

/**
 * The Storage resource provider's limits per subscription and region: 800 reads in 5 minutes, 10 writes a second and
 * 1,200 an hour, 100 lists in 5 minutes.
 */
const limits: Record<Kind, { capacity: number; seconds: number; window: string }[]> = {
  Read: [{ capacity: 800, seconds: 300, window: '00:05:00' }],
  Write: [
    { capacity: 10, seconds: 1, window: '00:00:01' },
    { capacity: 1200, seconds: 3600, window: '01:00:00' },
  ],
  List: [{ capacity: 100, seconds: 300, window: '00:05:00' }],
};

function kindOf(method: string, isItem: boolean): Kind {
  if (method !== 'GET' && method !== 'HEAD') return 'Write';
  return isItem ? 'Read' : 'List';
}

/** The provider's throttle. Throws the 429 with `Retry-After` if a window is used up. */
export function createStorageThrottle(
  world: World,
): (subscriptionId: string, region: string, method: string, isItem: boolean) => void {
  const buckets = new Map<string, { bucket: TokenBucket; window: string }[]>();

  return (subscriptionId, region, method, isItem) => {
    if (!world.settings.throttle) return;

    const kind = kindOf(method, isItem);
    const name = `${subscriptionId}/${region}/${kind}`;
    const nowMs = world.clock.nowMs();
    let windows = buckets.get(name);
    if (!windows) {
      windows = limits[kind].map(({ capacity, seconds, window }) => ({
        bucket: new TokenBucket(capacity, capacity / seconds, nowMs),
        window,
      }));
      buckets.set(name, windows);
    }

    for (const { bucket, window } of windows) {
      const waitMs = bucket.waitMs(nowMs);
      if (waitMs === 0) continue;
      throw new ArmError(
        429,
        'TooManyRequests',
        `The request is being throttled as the limit has been reached for operation type - ${kind}_ObservationWindow_${window}. For more information, see - https://aka.ms/srpthrottlinglimits`,
        { 'retry-after': String(Math.ceil(waitMs / 1000)) },
      );
    }

    for (const { bucket } of windows) bucket.take(nowMs);
  };
}
