import { describe, expect, it } from 'vitest';
import { isSettled, isStanding, wayOf, wayOff } from '../../src/fleet/rekey-order.ts';
import { changedBy, type RekeyChange } from '../../src/rekey/control-rekey.ts';
import { firstOf, nextWave, secondsToAsk, waveUnderWay } from '../../src/rekey/waves.ts';
import { day, KEY } from '../support/keys.ts';
import { rekeyOrder } from '../support/rekeys.ts';

const now = day(101);
const CALL = { caller: { objectId: 'o', appId: 'a', name: 'Jo' }, correlationId: 'c' };
const paused = { on: day(100).toISOString(), why: 'three accounts failed' };
const change = (what: RekeyChange, order = rekeyOrder()) => changedBy(order, what, 'why', CALL, now);

describe('a re-key that is changed', () => {
  it('is paused, by a person also where the app has stopped it, and overtakes the steps that are under way', () => {
    expect(change('pause')).toMatchObject({ paused: { why: 'why', by: { name: 'Jo' } }, tick: 8, state: 'moving' });
    expect(change('pause', rekeyOrder({ paused }))).toMatchObject({ paused: { why: 'why' } });
    expect(() => change('pause', rekeyOrder({ paused: { ...paused, by: CALL.caller } }))).toThrow(/nothing to pause/);
  });

  it('is resumed, and tries again what has failed', () => {
    const resumed = change('resume', rekeyOrder({ paused }));
    expect(resumed).toMatchObject({ tick: 8, resumedOn: now.toISOString() });
    expect(resumed).not.toHaveProperty('paused');
    expect(() => change('resume')).toThrow(/nothing to resume/);
  });

  it('is taken back while it stands, paused or not, and when it is done', () => {
    expect(change('takeBack')).toMatchObject({ state: 'takingBack' });
    expect(change('takeBack', rekeyOrder({ paused }))).not.toHaveProperty('paused');
    expect(change('takeBack', rekeyOrder({ state: 'done', endedOn: now.toISOString() }))).not.toHaveProperty('endedOn');
    for (const state of ['takingBack', 'takenBack', 'ended', 'checking'] as const) {
      expect(() => change('takeBack', rekeyOrder({ state }))).toThrow(/nothing to take back/);
    }
  });

  it('is ended as it is', () => {
    expect(change('end')).toMatchObject({ state: 'ended', endedOn: now.toISOString() });
    expect(() => change('end', rekeyOrder({ state: 'done' }))).toThrow(/nothing to end/);
  });
});

describe('what an order moves', () => {
  it('goes its way, the other way when it is taken back, and none when it is paused or over', () => {
    const order = rekeyOrder();
    expect(wayOf(order)).toMatchObject({ from: order.from, to: order.to, back: false });
    expect(wayOf({ ...order, state: 'takingBack' })).toMatchObject({ from: order.to, to: order.from, back: true });
    expect(wayOf({ ...order, paused })).toBeUndefined();
    expect(wayOf({ ...order, state: 'done' })).toBeUndefined();
    expect(wayOff([order], KEY.id.toUpperCase().replace('HTTPS', 'https'))).toMatchObject({ back: false });
    expect(wayOff([order], order.to)).toBeUndefined();
    expect(isStanding({ ...order, state: 'ended' }, now)).toBe(false);
  });

  it('is settled when it is there, was put elsewhere, is gone, or failed since the order was resumed', () => {
    const order = rekeyOrder();
    const subject = { account: 'st', location: 'x', at: now.toISOString() };
    const failure = { reason: 'Refused', detail: '', at: now.toISOString() } as const;
    const settled = (state: Parameters<typeof isSettled>[0]['state'], change = {}) =>
      isSettled({ ...subject, state }, { ...order, ...change });
    expect((['none', 'begun', 'moved', 'back', 'left', 'gone'] as const).map((state) => settled(state))).toEqual([
      ...[false, false, true, false, true, true],
    ]);
    expect(settled('moved', { state: 'takingBack' })).toBe(false);
    expect(settled('back', { state: 'takingBack' })).toBe(true);
    expect(isSettled({ ...subject, state: 'begun', failure }, order)).toBe(true);
    expect(isSettled({ ...subject, state: 'begun', failure }, { ...order, resumedOn: day(102).toISOString() })).toBe(
      false,
    );
  });
});

describe('waves', () => {
  const rows = (settled: number, failed = 0) => ({ settled: { size: settled }, failed: { size: failed } });

  it('begin small, grow by what went well, and have an upper limit', () => {
    expect([0, 2, 10, 1_000].map((settled) => nextWave(rows(settled), 5_000, now).wave.sent)).toEqual([5, 8, 40, 500]);
    expect(nextWave(rows(10), 3, now)).toMatchObject({ seconds: 3, wave: { sent: 3, settled: 10 } });
    expect(nextWave(rows(1_000), 500, now).seconds).toBe(50);
  });

  it('are waited for while they may still come through, less often the longer it takes', () => {
    const wave = { sent: 40, settled: 10, on: now.toISOString() };
    const later = (ms: number) => new Date(now.getTime() + ms);
    expect(waveUnderWay({}, rows(0), now)).toBeUndefined();
    expect(waveUnderWay({ wave }, rows(48, 2), now)).toBeUndefined();
    expect(waveUnderWay({ wave }, rows(49), later(1_000))).toEqual({ seconds: 3, wave });
    expect(waveUnderWay({ wave }, rows(49), later(60_000))).toEqual({ seconds: 20, wave });
    expect(waveUnderWay({ wave }, rows(49), later(64_001))).toBeUndefined();
  });
});

it('those with the lowest wave go first, and those without one last', () => {
  const first = (...tags: (string | undefined)[]) => firstOf(tags, (tag) => tag);
  expect(first('2', undefined, '1', '1')).toEqual(['1', '1']);
  expect(first(undefined, '7')).toEqual(['7']);
  expect(first(undefined, 'soon', undefined)).toEqual([undefined, 'soon', undefined]);
  expect(first()).toEqual([]);
});

it('it looks again for accounts that were never asked for their scopes as soon as they can have been', () => {
  expect([1, 40, 5_000].map(secondsToAsk)).toEqual([5, 40, 900]);
});
