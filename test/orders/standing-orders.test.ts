import { describe, expect, it } from 'vitest';
import {
  findConflicts,
  findPause,
  findRekey,
  isResumed,
  listOpenPauses,
  NO_ORDERS,
  type PauseOrder,
  type Rekey,
  STANDING_ORDERS,
  type StandingOrders,
  withPause,
  withRekey,
  withResume,
} from '../../src/orders/standing-orders.ts';
import { day, KEY } from '../support/keys.ts';

const OTHER = `${KEY.vault.uri}/keys/other-key`;
const THIRD = `${KEY.vault.uri}/keys/third-key`;
const by = { objectId: 'o' };
const pause = (change: Partial<PauseOrder> = {}): PauseOrder => ({
  id: 'p',
  reason: 'a change window',
  by,
  since: day(1).toISOString(),
  ...change,
});
const withPauses = (...pauses: PauseOrder[]): StandingOrders =>
  pauses.reduce((orders, one) => withPause(orders, one, day(1)), NO_ORDERS);
const rekey = (change: Partial<Rekey> = {}): Rekey => ({
  id: 'r1',
  from: KEY.id,
  to: OTHER,
  state: 'active',
  maxFailures: 3,
  reason: 'leaked',
  by,
  startedOn: day(1).toISOString(),
  ...change,
});

describe('A pause', () => {
  it('A pause of all keys pauses each key, and a pause of a key only that key, whatever the stored spelling', () => {
    expect(findPause(withPauses(pause()), KEY.id, day(2))).toMatchObject({ id: 'p' });
    const one = STANDING_ORDERS.parse(withPauses(pause({ key: KEY.id.toUpperCase() })));
    expect(findPause(one, KEY.id, day(2))).toMatchObject({ id: 'p' });
    expect(findPause(one, OTHER, day(2))).toBeUndefined();
  });

  it('A pause of all keys takes precedence over a pause of the key', () => {
    const both = withPauses(pause({ id: 'one', key: KEY.id }), pause({ id: 'all' }));
    expect(findPause(both, KEY.id, day(2))).toMatchObject({ id: 'all' });
  });

  it('A pause ends at its time', () => {
    const orders = withPauses(pause({ until: day(3).toISOString() }));
    expect(listOpenPauses(orders, day(2))).toHaveLength(1);
    expect(listOpenPauses(orders, day(3))).toEqual([]);
  });

  it('A pause replaces the pause of the same key, or of all keys', () => {
    const orders = withPauses(pause(), pause({ id: 'key', key: KEY.id }), pause({ id: 'later' }));
    expect(orders.pauses.map(({ id }) => id)).toEqual(['key', 'later']);
  });

  it('A pause of all keys is admitted when pauses of 200 keys fill the store', () => {
    const keys = Array.from({ length: 200 }, (_, n) => pause({ id: `${n}`, key: `${KEY.vault.uri}/keys/key-${n}` }));
    expect(findPause(withPauses(...keys, pause()), OTHER, day(2))).toMatchObject({ id: 'p' });
  });
});

describe('A resume', () => {
  const resume = { at: day(2).toISOString(), target: `${KEY.id}/1` };

  it('A resume of a key lets the rollout onto one version continue, for 90 days', () => {
    const orders = withResume(NO_ORDERS, KEY.id, [resume], day(2));
    expect(isResumed(orders, `${KEY.id}/1`)).toBe(true);
    expect(isResumed(orders, `${KEY.id}/2`)).toBe(false);
    expect(withPause(orders, pause(), day(93)).resumes).toEqual([]);
  });
});

describe('A re-key', () => {
  it.each(['active', 'verifying'] as const)('A re-key that is %s moves the uses of its source key', (state) => {
    const orders = withRekey(NO_ORDERS, rekey({ state }), day(1));
    expect(findRekey(orders, KEY.id)).toMatchObject({ id: 'r1' });
    expect(findRekey(orders, OTHER)).toBeUndefined();
  });

  it.each(['paused', 'stopped'] as const)('A re-key that is %s moves nothing, and keeps its keys', (state) => {
    const orders = withRekey(NO_ORDERS, rekey({ state }), day(1));
    expect(findRekey(orders, KEY.id)).toBeUndefined();
    expect(findConflicts(orders, { from: THIRD, to: KEY.id })).toHaveLength(1);
  });

  it.each(['done', 'ended'] as const)('A re-key that is %s conflicts with no other', (state) => {
    expect(findConflicts(withRekey(NO_ORDERS, rekey({ state }), day(1)), { from: OTHER, to: THIRD })).toEqual([]);
  });
});

describe('The document', () => {
  const many = (state: Rekey['state']): StandingOrders => ({
    ...NO_ORDERS,
    rekeys: Array.from({ length: 200 }, (_, n) => rekey({ id: `r${n}`, state })),
  });

  it('The document of orders drops the oldest ended re-key when it has 200 entries', () => {
    const { rekeys } = withRekey(many('done'), rekey({ id: 'new' }), day(2));
    expect(rekeys).toHaveLength(200);
    expect([rekeys[0]?.id, rekeys.at(-1)?.id]).toEqual(['r1', 'new']);
  });

  it('The document of orders keeps a re-key that another re-key rolls back', () => {
    const { rekeys } = withRekey(many('ended'), rekey({ id: 'back', only: 'r0' }), day(2));
    expect([rekeys[0]?.id, rekeys[1]?.id]).toEqual(['r0', 'r2']);
  });

  it('The document of orders rejects an entry when it has 200 that are needed', () => {
    expect(() => withPause(many('paused'), pause({ key: KEY.id }), day(2))).toThrow(
      expect.objectContaining({ reason: 'TooManyOrders' }),
    );
  });
});
