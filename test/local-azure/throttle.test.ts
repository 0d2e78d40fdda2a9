import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ArmError } from '../../local/azure/arm/errors.ts';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { createWorld } from '../../local/azure/create-world.ts';
import { createArmThrottle } from '../../local/azure/throttle/arm-throttle.ts';
import { createStorageThrottle } from '../../local/azure/throttle/storage-throttle.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm } from './support.ts';

/** How many calls pass before one is refused, and what the refusal says. */
function exhaust(call: () => unknown): { passed: number; refusal: ArmError } {
  for (let passed = 0; passed < 10_000; passed++) {
    try {
      call();
    } catch (error) {
      if (error instanceof ArmError) return { passed, refusal: error };
      throw error;
    }
  }
  throw new Error('Nothing was refused.');
}

/** Its clock stands still but for what the test moves it: buckets refill by the millisecond. */
function stillWorld() {
  const world = createWorld({ throttle: true });
  let nowMs = 1_800_000_000_000;
  world.clock.nowMs = () => nowMs;
  const advance = (ms: number) => {
    nowMs += ms;
  };
  return { world, advance };
}

describe("ARM's buckets", () => {
  it.each([
    ['GET', 250, 25, 'reads'],
    ['PATCH', 200, 10, 'writes'],
    ['DELETE', 200, 10, 'deletes'],
  ])('%s: %i at once, then %i a second', (method, capacity, perSecond, name) => {
    const { world, advance } = stillWorld();
    const throttle = createArmThrottle(world);
    const { passed, refusal } = exhaust(() => throttle('sub', 'me', method));
    expect(passed).toBe(capacity);
    expect([refusal.status, refusal.headers['retry-after']]).toEqual([429, '1']);
    advance(1000);
    expect(exhaust(() => throttle('sub', 'me', method)).passed).toBe(perSecond);
    expect(throttle('other', 'me', method)).toEqual({
      [`x-ms-ratelimit-remaining-subscription-${name}`]: String(capacity - 1),
    });
    expect(throttle('sub', 'somebody else', method)).toEqual({
      [`x-ms-ratelimit-remaining-subscription-${name}`]: String(capacity - 1),
    });
  });
});

describe("the Storage provider's buckets", () => {
  it('take 10 writes a second and 1,200 an hour, in each region', () => {
    const { world, advance } = stillWorld();
    const throttle = createStorageThrottle(world);
    const write = (region = 'westeurope') => throttle('sub', region, 'PATCH', true);
    expect(exhaust(write).passed).toBe(10);
    expect(() => write('northeurope')).not.toThrow();
    let written = 10;
    for (let second = 1; second <= 300; second++) {
      advance(1000);
      const { passed, refusal } = exhaust(write);
      written += passed;
      if (refusal.message.includes('01:00:00')) break;
    }
    // 1,200 there at first, a third of a write a second besides.
    expect(written).toBeGreaterThanOrEqual(1200);
    expect(written).toBeLessThanOrEqual(1250);
  });

  it.each([
    ['reads', true, 800],
    ['lists', false, 100],
  ])('take so many %s in five minutes', (_, isItem, capacity) => {
    const { world, advance } = stillWorld();
    const throttle = createStorageThrottle(world);
    const { passed, refusal } = exhaust(() => throttle('sub', 'westeurope', 'GET', isItem));
    expect(passed).toBe(capacity);
    expect(refusal.message).toMatch(
      /^The request is being throttled as the limit has been reached for operation type - (Read|List)_ObservationWindow_00:05:00\./,
    );
    advance(300_000);
    expect(exhaust(() => throttle('sub', 'westeurope', 'GET', isItem)).passed).toBe(capacity);
  });
});

describe('over the wire', () => {
  const local = useLocalAzure({ fleet: 'sample' });
  const account = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`;
  beforeEach(() => {
    local.azure.world.settings.throttle = true;
  });
  afterEach(() => vi.useRealTimers());

  it('a refused write says when to come again, and passes then', async () => {
    const write = () => arm(local.azure, 'PATCH', account, { body: { tags: {} } });
    // Ten a second pass: all of them, where a machine takes long over them and time goes on.
    vi.useFakeTimers({ toFake: ['Date'] });
    const refused = (await Promise.all(Array.from({ length: 60 }, write))).filter(({ status }) => status === 429);
    expect(refused).toHaveLength(50);
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
    expect(refused[0]?.body.error?.code).toBe('TooManyRequests');
    local.azure.clock.advance(1000);
    expect((await write()).status).toBe(200);
  });
});
