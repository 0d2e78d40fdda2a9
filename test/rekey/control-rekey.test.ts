import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { Turns } from '../../src/azure/turns.ts';
import { isSubjectSettled, type RekeyOrder, wayOf, wayOff } from '../../src/fleet/rekey-order.ts';
import type { Keys } from '../../src/keys/key-client.ts';
import { type ManagedKey, ManagedVaults } from '../../src/keys/managed-vaults.ts';
import { changedBy, changeRekey, type RekeyChange } from '../../src/rekey/control-rekey.ts';
import { sendAccounts } from '../../src/rekey/send-accounts.ts';
import { startRekey } from '../../src/rekey/start-rekey.ts';
import { firstOf, nextWave, secondsToLook, waveUnderWay } from '../../src/rekey/waves.ts';
import type { Work } from '../../src/work/messages.ts';
import { day, KEY, keyVersion, SUBSCRIPTION, VAULT } from '../support/keys.ts';
import { MemoryRekeys } from '../support/memory-rekeys.ts';
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
    expect(change('takeBack')).toMatchObject({ state: 'takingBack', resumedOn: now.toISOString() });
    expect(change('takeBack', rekeyOrder({ paused }))).not.toHaveProperty('paused');
    expect(change('takeBack', rekeyOrder({ state: 'done', endedOn: now.toISOString() }))).not.toHaveProperty('endedOn');
    for (const state of ['takingBack', 'takenBack', 'ended'] as const) {
      expect(() => change('takeBack', rekeyOrder({ state }))).toThrow(/nothing to take back/);
    }
  });

  it('is ended as it is', () => {
    expect(change('end')).toMatchObject({ state: 'ended', endedOn: now.toISOString() });
    expect(() => change('end', rekeyOrder({ state: 'done' }))).toThrow(/nothing to end/);
  });
});

describe('an answer that is lost, where the client asks again and is told of a change in between', () => {
  const lost = <T>(label: string, effect: () => T): Promise<T> => {
    const answer = effect();
    return Promise.resolve(/^rekey (?:replace|stand)/.test(label) ? (undefined as T) : answer);
  };
  const world = () => {
    const rekeys = new MemoryRekeys();
    const recorded: string[] = [];
    const sent: number[] = [];
    const services = {
      rekeys: rekeys.port(lost),
      audit: async ({ reason }: AuditEntry) => {
        recorded.push(reason);
        return { written: { file: 'trail', seq: 1, hash: '' } };
      },
      queue: { send: async (_queue: string, work: Work) => void (work.kind === 'rekey' && sent.push(work.tick)) },
      now: () => now,
      newId: () => 'order-1',
    };
    return { rekeys, recorded, sent, services };
  };

  it('does not hide that an order has begun', async () => {
    const { rekeys, recorded, sent, services } = world();
    const check = async () => ({ problems: [], warnings: [], accounts: 0, withoutRole: [] });
    const request = {
      from: KEY,
      to: { ...KEY, name: 'new-key', id: rekeyOrder().to },
      reason: 'why',
      ticket: undefined,
    };
    await startRekey({ ...request, maxFailures: 3 }, CALL, { ...services, check }, () => {});
    expect(rekeys.orders).toMatchObject([{ state: 'moving' }]);
    expect(recorded).toEqual(['RekeyStarted']);
    // Beforehand, should it be killed, and at once.
    expect(sent).toEqual([0, 0]);
  });

  it.each([
    ['pause', 'RekeyPaused', [8], rekeyOrder()],
    ['resume', 'RekeyResumed', [8, 8], rekeyOrder({ paused })],
    ['end', 'RekeyEnded', [8], rekeyOrder()],
  ] as const)('does not hide that it was changed: %s', async (what, reason, ticks, order) => {
    const { rekeys, recorded, sent, services } = world();
    rekeys.has(order);
    const vaults = new ManagedVaults([VAULT]);
    await changeRekey(order.id, what, 'why', CALL, { ...services, keys: {} as Keys, vaults }, () => {});
    expect(recorded).toEqual([reason]);
    expect(sent).toEqual(ticks);
  });
});

describe('what a change of an order takes', () => {
  function standing(order: RekeyOrder, more: object = {}) {
    const rekeys = new MemoryRekeys();
    rekeys.has(order);
    const services = {
      rekeys: rekeys.port(),
      audit: async () => ({ written: { file: 'trail', seq: 1, hash: '' } }),
      queue: { send: async () => {} },
      now: () => now,
      keys: { listVersions: async () => [keyVersion(1)] } as unknown as Keys,
      vaults: new ManagedVaults([VAULT]),
      ...more,
    };
    const change = (what: RekeyChange) => changeRekey(order.id, what, 'why', CALL, services, () => {});
    return { rekeys, services, change };
  }

  it('is the queue where it is to go on, and not where it is to stop', async () => {
    const down = { queue: { send: () => Promise.reject(new Error('queue down')) } };
    const { change, rekeys } = standing(rekeyOrder(), down);
    expect(await change('pause')).toMatchObject({ paused: { why: 'why' } });
    await expect(change('resume')).rejects.toThrow('queue down');
    expect(rekeys.orders).toMatchObject([{ paused: { why: 'why' } }]);
  });

  it('is an old key that can be used again where it is taken back, whatever the new one is like', async () => {
    const order = rekeyOrder();
    const without = (off: string) => ({
      keys: { listVersions: async ({ id }: ManagedKey) => [keyVersion(1, { enabled: id !== off })] } as unknown as Keys,
    });
    const refused = standing(order, without(order.from)).change('takeBack');
    await expect(refused).rejects.toMatchObject({ reason: 'NoUsableVersion' });
    expect(await standing(order, without(order.to)).change('takeBack')).toMatchObject({ state: 'takingBack' });
  });

  it('is a check without a problem where one is started, or nothing is written', async () => {
    const { rekeys, services } = standing(rekeyOrder({ id: 'another', state: 'ended' }));
    const problems = [{ reason: 'RevocationOpen', detail: 'It is revoked.', fix: '' }] as const;
    const check = async () => ({ problems: [...problems], warnings: [], accounts: 0, withoutRole: [] });
    const to = { ...KEY, name: 'new-key', id: rekeyOrder().to };
    const request = { from: KEY, to, reason: 'why', ticket: undefined, maxFailures: 3 };
    const refused = await startRekey(request, CALL, { ...services, check, newId: () => 'order-1' }, () => {});
    expect(refused).not.toHaveProperty('order');
    expect(rekeys.orders.map(({ id }) => id)).toEqual(['another']);
  });

  it('is both its keys where one is started: who was faster has them', async () => {
    const { rekeys, services } = standing(rekeyOrder({ id: 'another', state: 'ended' }));
    const check = async () => ({ problems: [], warnings: [], accounts: 0, withoutRole: [] });
    const to = { ...KEY, name: 'new-key', id: rekeyOrder().to };
    const request = { from: KEY, to, reason: 'why', ticket: undefined, maxFailures: 3 };
    const start = (stand = services.rekeys.stand) => {
      const ports = { ...services, rekeys: { ...services.rekeys, stand }, check, newId: () => 'order-1' };
      return startRekey(request, CALL, ports, () => {});
    };
    await expect(start(async () => undefined)).rejects.toMatchObject({ reason: 'RekeyConflict' });
    await start();
    expect(rekeys.orders.map(({ id }) => id)).toEqual(['another', 'order-1']);
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
  });

  it('is settled when it is there, was put elsewhere, is gone, or failed since the order was resumed', () => {
    const order = rekeyOrder();
    const subject = { account: 'st', location: 'x', at: now.toISOString() };
    const failure = { reason: 'Refused', detail: '', at: now.toISOString(), since: order.startedOn } as const;
    const settled = (state: Parameters<typeof isSubjectSettled>[0]['state'], change = {}) =>
      isSubjectSettled({ ...subject, state }, { ...order, ...change });
    expect((['none', 'begun', 'moved', 'back', 'left', 'gone'] as const).map((state) => settled(state))).toEqual([
      ...[false, false, true, false, true, true],
    ]);
    expect(settled('moved', { state: 'takingBack' })).toBe(false);
    expect(settled('back', { state: 'takingBack' })).toBe(true);
    // Also where it has arrived itself, and its scopes have failed.
    for (const state of ['begun', 'moved', 'left'] as const) {
      expect(isSubjectSettled({ ...subject, state, failure }, order)).toBe(true);
      // Whichever clock is ahead: that of whoever resumed it, or that of the instance that could not move it.
      for (const resumedOn of [day(102), new Date(day(100).getTime() + 60_000)].map((on) => on.toISOString())) {
        expect(isSubjectSettled({ ...subject, state, failure }, { ...order, resumedOn })).toBe(false);
        expect(
          isSubjectSettled({ ...subject, state, failure: { ...failure, since: resumedOn } }, { ...order, resumedOn }),
        ).toBe(true);
      }
    }
  });
});

describe('waves', () => {
  const rows = (settled: number, failed = 0) => ({ settled: { size: settled }, failed: { size: failed } });

  it('begin small, grow by what went well, and have an upper limit', () => {
    expect([0, 2, 10, 1_000].map((settled) => nextWave(rows(settled), 5_000, now).wave.sent)).toEqual([5, 8, 40, 500]);
    // What has failed went through, and not well.
    expect(nextWave(rows(2, 10), 5_000, now).wave).toMatchObject({ sent: 8, settled: 12 });
    expect(nextWave(rows(10), 3, now)).toMatchObject({ seconds: 3, wave: { sent: 3, settled: 10 } });
    expect(nextWave(rows(1_000), 500, now).seconds).toBe(50);
  });

  it('come less often while they settle nobody', () => {
    const seconds = [];
    let last: RekeyOrder['wave'];
    for (const failed of [0, 0, 0, 0, 0, 1]) {
      const next = nextWave(rows(7, failed), 1, now, last);
      seconds.push(next.seconds);
      last = next.wave;
    }
    expect(seconds).toEqual([3, 12, 48, 60, 60, 3]);
  });

  it('are waited for while they may still come through, less often the longer it takes', () => {
    const wave = { sent: 40, tick: 7, settled: 10, on: now.toISOString() };
    const later = (ms: number) => new Date(now.getTime() + ms);
    expect(waveUnderWay({}, 0, now)).toBeUndefined();
    expect(waveUnderWay({ wave }, 0, now)).toBeUndefined();
    const last = { ...wave, reached: 39, until: now.toISOString() };
    expect(waveUnderWay({ wave }, 1, later(1_000))).toEqual({
      ...{ seconds: 3, wave: { ...last, until: later(1_000).toISOString() }, endsOn: later(65_000) },
    });
    expect(waveUnderWay({ wave: last }, 1, later(60_000))).toEqual({ seconds: 20, wave: last, endsOn: later(64_000) });
    expect(waveUnderWay({ wave: last }, 1, later(64_001))).toBeUndefined();
    // Nothing was noted of it yet.
    expect(waveUnderWay({ wave }, 40, later(64_001))).toBeUndefined();
  });

  it('are waited for until the last turn has come, and as long as accounts come through', () => {
    const later = (ms: number) => new Date(now.getTime() + ms);
    const minutes = (count: number) => later(count * 60_000);
    const wave = { sent: 400, tick: 7, settled: 10, on: now.toISOString(), until: minutes(20).toISOString() };
    expect(waveUnderWay({ wave }, 400, minutes(21))).toMatchObject({ seconds: 20, wave: { ...wave, reached: 0 } });
    expect(waveUnderWay({ wave }, 400, minutes(22))).toBeUndefined();
    const going = waveUnderWay({ wave }, 20, minutes(30))?.wave;
    expect(going).toEqual({ ...wave, reached: 380, until: minutes(30).toISOString() });
    expect(waveUnderWay({ wave: going }, 20, minutes(31))).toMatchObject({ wave: going });
    expect(waveUnderWay({ wave: going }, 20, minutes(32))).toBeUndefined();
    // Lists come back after five minutes, and until then none comes through.
    const listed = { ...wave, lists: true, reached: 380, until: minutes(30).toISOString() };
    expect(waveUnderWay({ wave: listed }, 20, minutes(36))).toMatchObject({ wave: listed });
    expect(waveUnderWay({ wave: listed }, 20, minutes(37))).toBeUndefined();
  });

  it('are waited for until the lists of their scopes can have been had, those of each place beside those of others', async () => {
    const account = (n: number, location: string, scopes?: 'none') => {
      const id = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st${n}`;
      return { id, subscriptionId: SUBSCRIPTION, location, ...(scopes ? { scopes } : {}) };
    };
    let schedule = new Turns(0.8);
    const send = async (count: number, location: string, scopes?: 'none') => {
      const wave = Array.from({ length: count }, (_, n) => account(n, location, scopes));
      const way = wayOf(rekeyOrder());
      if (!way) throw new Error('It does not move.');
      const work = { kind: 'rekey', order: 'order-1', key: KEY.id, tick: 1, attempt: 0 } as const;
      const cause = { by: 'operator', ref: 'r', since: now.toISOString() };
      const rekeys = new MemoryRekeys().port();
      const services = { schedule, queue: { send: async () => {} }, rekeys, now: () => now };
      schedule = new Turns(0.8);
      return sendAccounts([...wave, account(0, 'northeurope')], way, KEY, { ...work, cause }, services);
    };
    const minutes = (count: number) => new Date(now.getTime() + count * 60_000).toISOString();
    // All of them can be had at once.
    const soon = { tick: 1, lists: false, until: expect.stringMatching(minutes(0).slice(0, 16)) };
    expect(await send(70, 'westeurope')).toEqual(soon);
    expect(await send(161, 'westeurope', 'none')).toEqual(soon);
    expect(await send(71, 'westeurope')).toMatchObject({ lists: true });
    const { lists, until } = await send(161, 'westeurope');
    expect([lists, until >= minutes(10), until < minutes(11)]).toEqual([true, true, true]);
    // Whoever is lost among them does not hold up the others for longer.
    for (let n = 0; n < 2_000; n += 1) schedule.take(account(0, 'westeurope'), { lists: 1 }, now.getTime());
    expect(await send(1, 'westeurope')).toMatchObject({ lists: true, until: minutes(60) });
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
  expect([1, 40, 5_000].map((asked) => secondsToLook(asked))).toEqual([5, 40, 900]);
  expect([secondsToLook(0), secondsToLook(0, 1), secondsToLook(40, 1)]).toEqual([900, 310, 40]);
});
