import { describe, expect, it } from 'vitest';
import { ArmError } from '../../local/azure/arm/errors.ts';
import { createWorld } from '../../local/azure/create-world.ts';
import { createArmThrottle } from '../../local/azure/throttle/arm-throttle.ts';
import { createStorageThrottle } from '../../local/azure/throttle/storage-throttle.ts';

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

/** Only the test moves its clock, since buckets refill by the millisecond. */
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
  ])('ARM permits %s %i times at once, then %i times a second', (method, capacity, perSecond, name) => {
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
    expect(throttle('sub', 'another caller', method)).toEqual({
      [`x-ms-ratelimit-remaining-subscription-${name}`]: String(capacity - 1),
    });
  });
});

describe("the Storage provider's buckets", () => {
  it('The Storage provider permits 10 writes a second and 1,200 an hour in each region', () => {
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
  ])('The Storage provider permits a fixed number of %s in five minutes', (_, isItem, capacity) => {
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
