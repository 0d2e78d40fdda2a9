import { expect, it } from 'vitest';
import { createInSight } from '../../src/accounts/in-sight.ts';
import type { SeenNow } from '../../src/accounts/subscriptions-client.ts';
import { day } from '../support/keys.ts';

/** What is in sight at several times, in milliseconds, and how often somebody looked. */
async function inSight(seen: () => Promise<SeenNow>, named?: readonly string[], times: readonly number[] = [0]) {
  let looks = 0;
  let nowMs = day(1).getTime();
  const subscriptions = {
    seen: () => {
      looks += 1;
      return seen();
    },
  };
  const read = createInSight({ settings: { subscriptions: named }, subscriptions, now: () => new Date(nowMs) });
  const all: (readonly string[] | undefined)[] = [];
  for (const ms of times) {
    nowMs = day(1).getTime() + ms;
    all.push(await read());
  }
  return { all, looks };
}

it('is what is named, or else what is seen, which is believed for ten seconds', async () => {
  const seen = async () => ({ ids: ['a', 'b'], vanished: ['b'] });
  expect(await inSight(seen, ['c'])).toEqual({ all: [['c']], looks: 0 });
  expect(await inSight(seen, undefined, [0, 9_999, 10_000])).toEqual({ all: Array(3).fill(['a', 'b']), looks: 2 });
});

it('is not known where what was seen before is not, or where nobody answers', async () => {
  expect((await inSight(async () => ({ ids: ['a'], vanished: [], isPart: true }))).all).toEqual([undefined]);
  expect((await inSight(() => Promise.reject(new Error('no answer')))).all).toEqual([undefined]);
  const began = performance.now();
  expect(await inSight(() => new Promise(() => {}), undefined, [0, 5_000])).toEqual({
    all: [undefined, undefined],
    looks: 1,
  });
  expect(performance.now() - began).toBeLessThan(5_000);
});
