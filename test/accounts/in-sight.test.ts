import { expect, it } from 'vitest';
import { createInSight } from '../../src/accounts/in-sight.ts';

/** The subscriptions in sight for two calls, and how often they were listed. */
async function inSight(list: () => Promise<string[]>, named?: readonly string[]) {
  let lists = 0;
  const subscriptions = {
    list: () => {
      lists += 1;
      return list();
    },
  };
  const read = createInSight({ settings: { subscriptions: named }, subscriptions });
  return { all: [await read(), await read()], lists };
}

it('the subscriptions in sight are the configured ones, or else those that Azure lists, listed once for all callers', async () => {
  const seen = async () => ['a', 'b'];
  expect(await inSight(seen, ['c'])).toEqual({ all: [['c'], ['c']], lists: 0 });
  expect(await inSight(seen)).toEqual({ all: Array(2).fill(['a', 'b']), lists: 1 });
});

it('the subscriptions in sight are unknown while Azure does not answer', async () => {
  const unknown = [undefined, undefined];
  expect((await inSight(() => Promise.reject(new Error('no answer')))).all).toEqual(unknown);
  const began = performance.now();
  expect(await inSight(() => new Promise(() => {}))).toEqual({ all: unknown, lists: 1 });
  expect(performance.now() - began).toBeLessThan(20_000);
});
