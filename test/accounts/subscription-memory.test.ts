import { describe, expect, it } from 'vitest';
import { remember, rememberedSubscriptions, type SeenSubscriptions } from '../../src/accounts/subscription-memory.ts';
import { keptLog } from '../support/app-services.ts';

const START = new Date('2026-01-01T00:00:00.000Z');
const day = (n: number) => new Date(START.getTime() + n * 24 * 3_600_000);
const usable = (...ids: string[]) => ids.map((id) => ({ id, usable: true }));

describe('subscriptions that were seen', () => {
  it('and are not any more are vanished until 90 days later', () => {
    const { seen } = remember({}, usable('a', 'b'), START);
    expect(seen).toEqual({ a: START.toISOString(), b: START.toISOString() });
    expect(remember(seen, usable('a'), day(1))).toEqual({ seen, vanished: ['b'], changed: false });
    expect(remember(seen, usable('a'), day(90))).toEqual({
      seen: { a: day(90).toISOString() },
      vanished: [],
      changed: true,
    });
  });

  it('are written anew once a week, and when there is another', () => {
    const { seen } = remember({}, usable('a'), START);
    expect(remember(seen, usable('a'), day(6.9)).changed).toBe(false);
    expect(remember(seen, usable('a'), day(7))).toMatchObject({ seen: { a: day(7).toISOString() }, changed: true });
    expect(remember(seen, usable('a', 'b'), day(1))).toMatchObject({ seen: { a: START.toISOString() }, changed: true });
  });

  it('and are switched off now are there: they have not vanished', () => {
    const { seen } = remember({}, usable('a'), START);
    const off = [{ id: 'a', usable: false }];
    expect(remember(seen, off, day(1)).vanished).toEqual([]);
    expect(remember({}, off, day(1))).toEqual({ seen: {}, vanished: [], changed: false });
  });
});

describe('without the memory', () => {
  const { log, records } = keptLog();
  const failing = () => Promise.reject(new Error('no storage'));
  const seen = (memory: { read: () => Promise<SeenSubscriptions>; write: () => Promise<void> }) =>
    rememberedSubscriptions({ all: async () => usable('a') }, memory, () => START, log).seen();

  it('what the identity sees is looked at all the same, and it is said', async () => {
    // Of what is known beside it nobody says that it is out of sight.
    expect(await seen({ read: failing, write: failing })).toEqual({ ids: ['a'], vanished: [], isPart: true });
    const before = async () => ({ b: START.toISOString() });
    expect(await seen({ read: before, write: failing })).toEqual({ ids: ['a', 'b'], vanished: ['b'] });
    expect(records).toMatchObject([
      { level: 'warning', reason: 'SubscriptionsNotRemembered', message: expect.stringContaining('no storage') },
      { level: 'warning', reason: 'SubscriptionsNotRemembered' },
    ]);
  });
});
