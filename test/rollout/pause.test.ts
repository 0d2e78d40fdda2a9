import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/log.ts';
import {
  CONTROL_STATE,
  type ControlState,
  endProblem,
  isOrderedOn,
  lastReleased,
  listedPause,
  NO_CONTROL,
  type Pause,
  pausedView,
  standingPause,
  standingPauses,
  withPause,
  withResume,
} from '../../src/rollout/pause.ts';
import { StandingControl } from '../../src/rollout/standing-control.ts';
import { day, KEY } from '../support/keys.ts';

const OTHER = `${KEY.vault.uri}/keys/other-key`;
const by = { objectId: 'o' };
const pause = (change: Partial<Pause> = {}): Pause => ({
  id: 'p',
  reason: 'a change window',
  by,
  since: day(1).toISOString(),
  ...change,
});
const order = (key?: string, at = day(10)) => ({
  id: 'r',
  reason: 'over',
  by,
  at: at.toISOString(),
  ...(key ? { key } : {}),
});
const with_ = (...pauses: Pause[]): ControlState =>
  pauses.reduce((state, one) => withPause(state, one, day(1)), NO_CONTROL);

describe('a pause', () => {
  it('of all keys holds each; of a key that one alone, however it is spelt', () => {
    expect(standingPause(with_(pause()), KEY.id, day(2))).toMatchObject({ id: 'p' });
    const one = with_(pause({ key: KEY.id }));
    expect(standingPause(one, KEY.id.toUpperCase(), day(2))).toMatchObject({ id: 'p' });
    expect(standingPause(one, OTHER, day(2))).toBeUndefined();
  });

  it('is told with whoever paused, why and since when; in a list with its key too', () => {
    const told = { reason: 'a change window', by: 'o', since: day(1).toISOString() };
    expect(listedPause(pause())).toEqual(told);
    const until = day(3).toISOString();
    expect(pausedView(pause({ key: KEY.id, until }))).toEqual({ ...told, until });
    expect(listedPause(pause({ key: KEY.id, until }))).toEqual({ key: KEY.id, ...told, until });
  });

  it('ends by itself', () => {
    const state = with_(pause({ until: day(3).toISOString() }));
    expect(standingPauses(state, day(2))).toHaveLength(1);
    expect(standingPauses(state, day(3))).toEqual([]);
    expect(lastReleased(state, KEY.id, day(2))).toBeUndefined();
    expect(lastReleased(state, KEY.id, day(4))).toEqual(day(3));
  });

  it('takes the place of an earlier one of the same reach, and stands beside others', () => {
    const state = with_(
      pause({ id: 'a' }),
      pause({ id: 'b', key: KEY.id }),
      pause({ id: 'c' }),
      pause({ id: 'd', key: OTHER }),
    );
    expect(standingPauses(state, day(2)).map(({ id }) => id)).toEqual(['b', 'c', 'd']);
    expect(standingPause(state, KEY.id, day(2))?.id).toBe('c');
  });

  it('that has ended by itself is remembered as that, whatever is paused next', () => {
    const ended = with_(pause({ key: KEY.id, until: day(3).toISOString() }));
    const next = withPause(ended, pause({ id: 'q', key: OTHER }), day(4));
    expect(standingPauses(next, day(4)).map(({ id }) => id)).toEqual(['q']);
    expect(lastReleased(next, KEY.id, day(5))).toEqual(day(3));
    expect(lastReleased(withPause(next, pause({ id: 'r' }), day(5)), KEY.id, day(6))).toEqual(day(3));
  });

  it('ends at a time to come, of which the year has four digits', () => {
    expect(endProblem(day(3), day(3))).toMatch(/is over/);
    expect(endProblem(new Date('9999-12-31T23:59:59-14:00'), day(3))).toMatch(/too far/);
    expect(endProblem(new Date('?'), day(3))).toMatch(/too far/);
    expect(endProblem(day(4), day(3))).toBeUndefined();
  });

  it('stands although another entry cannot be read', () => {
    const state = with_(pause(), pause({ id: 'b', key: KEY.id, until: '+010000-01-01T13:59:59.000Z' }));
    const read = CONTROL_STATE.parse({ ...state, goOns: [{ id: 'r' }, { ...order(KEY.id), more: 1 }] });
    expect(standingPauses(read, day(2)).map(({ id }) => id)).toEqual(['p']);
    expect(read.goOns).toEqual([order(KEY.id)]);
  });

  it('is ended for its own reach', () => {
    const state = with_(pause({ id: 'a' }), pause({ id: 'b', key: KEY.id }));
    expect(standingPauses(withResume(state, order()), day(11)).map(({ id }) => id)).toEqual(['b']);
    const resumed = withResume(state, order(KEY.id));
    expect(standingPauses(resumed, day(11)).map(({ id }) => id)).toEqual(['a']);
    expect(lastReleased(resumed, OTHER, day(11))).toEqual(day(10));
    expect(lastReleased({ ...resumed, resumedOn: undefined }, OTHER, day(11))).toBeUndefined();
    expect(lastReleased({ ...resumed, resumedOn: undefined }, KEY.id, day(11))).toEqual(day(10));
  });
});

describe('an order to go on', () => {
  it('holds for rotations that began before it', () => {
    const state = withResume(NO_CONTROL, order(KEY.id));
    const began = (n: number) => ({ version: 'v1', startedOn: day(n) });
    expect([9, 11].map((n) => isOrderedOn(state, KEY.id, began(n)))).toEqual([true, false]);
    expect(isOrderedOn(state, OTHER, began(9))).toBe(false);
    expect(isOrderedOn(withResume(NO_CONTROL, order()), KEY.id, began(9))).toBe(false);
    expect(withResume(state, order(OTHER, day(150))).goOns).toHaveLength(1);
  });
});

describe('an order to go on that names the version', () => {
  const state = withResume(NO_CONTROL, { ...order(KEY.id), version: 'v1' });
  const later = (ms: number) => new Date(day(10).getTime() + ms);

  it.each([
    ['behind', 300_000],
    ['ahead', -300_000],
  ])('holds for that rotation and for no other, by a clock that is %s', (_, ms) => {
    expect(isOrderedOn(state, KEY.id, { version: 'v1', startedOn: later(ms) })).toBe(true);
    expect(isOrderedOn(state, KEY.id, { version: 'v2', startedOn: later(ms) })).toBe(false);
  });

  it('is read back as it was written', () => {
    expect(CONTROL_STATE.parse(JSON.parse(JSON.stringify(state))).goOns).toEqual(state.goOns);
  });
});

describe('what an instance knows of orders', () => {
  function instance() {
    let nowMs = day(2).getTime();
    let state = with_(pause());
    let isOut = false;
    let reads = 0;
    const records: LogRecord[] = [];
    const read = async () => {
      reads += 1;
      if (isOut) throw new Error('no answer');
      return state;
    };
    const control = new StandingControl({ read }, () => new Date(nowMs));
    return {
      records,
      control,
      reads: () => reads,
      pass: (ms: number) => {
        nowMs += ms;
      },
      out: (value: boolean) => {
        isOut = value;
      },
      resume: () => {
        state = NO_CONTROL;
      },
      paused: async () => (await control.pause(KEY.id, (record) => records.push(record))) !== undefined,
    };
  }

  it('is read once in ten seconds, by all that ask at the same time', async () => {
    const { paused, reads, pass, resume } = instance();
    expect(await Promise.all([paused(), paused(), paused()])).toEqual([true, true, true]);
    resume();
    expect(await paused()).toBe(true);
    expect(reads()).toBe(1);
    pass(10_000);
    expect(await paused()).toBe(false);
    expect(reads()).toBe(2);
  });

  it('holds for an hour where it cannot be read any more, and that is said once', async () => {
    const { paused, pass, out, records, resume } = instance();
    await paused();
    out(true);
    pass(3_500_000);
    expect(await paused()).toBe(true);
    pass(200_000);
    expect(await paused()).toBe(false);
    expect(records.map(({ reason }) => reason)).toEqual(['PauseUnreadable']);
    out(false);
    pass(10_000);
    expect(await paused()).toBe(true);
    resume();
    pass(10_000);
    expect(await paused()).toBe(false);
  });

  it('is nothing where it was never read: moves go on', async () => {
    const { paused, out, records } = instance();
    out(true);
    expect(await paused()).toBe(false);
    expect(records).toHaveLength(1);
  });

  it('is not told as it was before by whoever has to know how it stands, and holds all the same', async () => {
    const { control, paused, out } = instance();
    const known = () => control.known(() => {});
    expect((await known()).pauses).toHaveLength(1);
    out(true);
    await expect(known()).rejects.toThrow('no answer');
    expect(await paused()).toBe(true);
    out(false);
    expect((await known()).pauses).toHaveLength(1);
  });

  it('is what it has just ordered itself, whatever is read meanwhile', async () => {
    const { control, paused } = instance();
    const reading = paused();
    control.learn(NO_CONTROL);
    await reading;
    expect(control.pauseNow(KEY.id)).toBeUndefined();
  });
});
