import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/azure/turns.ts';
import { createFleetIndex } from '../../src/fleet/create-fleet-index.ts';
import { IndexBuilding } from '../../src/fleet/index-building.ts';
import type { RekeyOrder, RekeyStore } from '../../src/fleet/rekey-order.ts';
import type { LogRecord } from '../../src/log.ts';
import { carryOutRekey, type RekeyServices } from '../../src/rekey/carry-out.ts';
import { reviveRekeys } from '../../src/rekey/revive.ts';
import type { Work } from '../../src/work/messages.ts';
import { MemoryAudit } from '../simulation/memory-audit.ts';
import { day, KEY, keyVersion, REVOKER, SUBSCRIPTION, VAULTS, versionName } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { MemoryRekeys } from '../support/memory-rekeys.ts';
import { rekeyOrder } from '../support/rekeys.ts';

const now = day(101);
const PAUSED = { reason: 'Paused', detail: 'of the key', delaySeconds: 60 } as const;
const account = `/subscriptions/${SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/st1`;

const refused = (statusCode: number) => Object.assign(new Error('no'), { statusCode });

/** One step of an order, step 7 unless told otherwise, and what is sent by it. */
async function step(
  change: Partial<RekeyOrder>,
  services: Partial<RekeyServices> | ((store: RekeyStore) => Partial<RekeyServices>) = {},
  { tick = 7, failed = false, isAuditDown = false } = {},
) {
  const store = new MemoryRekeys();
  const rekeys = store.port();
  const audit = new MemoryAudit();
  const order = rekeyOrder(change);
  store.has(order);
  if (failed) {
    const failure = {
      reason: 'IdentityHasNoAccess',
      detail: '',
      at: now.toISOString(),
      since: order.startedOn,
    } as const;
    await rekeys.put(order.id, { account, location: 'westeurope', state: 'moved', at: now.toISOString(), failure });
  }
  const sent: Work[] = [];
  const delays: (number | undefined)[] = [];
  const logged: LogRecord[] = [];
  const ports = {
    rekeys,
    audit: audit.port((_, effect) => (isAuditDown ? Promise.reject(new Error('down')) : Promise.resolve(effect()))),
    queue: {
      async send(_: string, work: Work, seconds?: number) {
        sent.push(work);
        delays.push(seconds);
      },
    },
    schedule: new Turns(1),
    now: () => now,
    keys: { listVersions: async () => [keyVersion(1)] },
    inSight: async () => undefined,
    settings: { vaults: VAULTS },
    rollout: { paused: async () => undefined },
    leases: { acquire: async () => ({ release: async () => {} }) },
    ...(typeof services === 'function' ? services(rekeys) : services),
  } as unknown as RekeyServices;
  const cause = { by: 'operator', ref: 'test', since: '' } as const;
  const outcome = await carryOutRekey(
    { kind: 'rekey', order: order.id, key: KEY.id, tick, cause, attempt: 0 },
    ports,
    (record) => void logged.push(record),
  );
  const recorded = audit.entries.map(({ reason }) => reason);
  return { outcome, sent, delays, order: store.orders[0], recorded, warnings: logged.map(({ because }) => because) };
}

/** So many accounts have moved by an order that is taken back now. */
const movedBefore = (count: number) => (rekeys: RekeyStore) => ({
  rollout: {
    async paused() {
      for (let n = 0; n < count; n += 1) {
        const subject = { account: `${account}${n}`, location: 'westeurope', state: 'moved' } as const;
        await rekeys.put('order-1', { ...subject, at: now.toISOString() });
      }
      return undefined;
    },
  },
});

describe('a step', () => {
  it('sends the first few, and is followed by one that no longer says why it waited', async () => {
    const waits = { reason: 'Paused', detail: '' } as const;
    const { sent, order } = await step({ state: 'takingBack', waits }, movedBefore(6));
    expect(sent.map(({ kind }) => kind)).toEqual([...Array<string>(5).fill('account'), 'rekey']);
    expect(order).toMatchObject({ tick: 8, wave: { sent: 5 } });
    expect(order).not.toHaveProperty('waits');
  });

  it('sends who goes back to be looked at for encryption scopes only where some of it were moved', async () => {
    const at = now.toISOString();
    const { sent } = await step({ state: 'takingBack' }, (rekeys) => ({
      rollout: {
        async paused() {
          for (const subject of [{ account: `${account}1` }, { account: `${account}2` }]) {
            await rekeys.put('order-1', { ...subject, location: 'westeurope', state: 'moved', at });
          }
          const scope = { account: `${account}2`, scope: 'a', location: 'westeurope', state: 'moved', at } as const;
          await rekeys.put('order-1', scope);
          return undefined;
        },
      },
    }));
    const accounts = sent.flatMap((work) => (work.kind === 'account' ? [[work.account.at(-1), work.scopes]] : []));
    expect(accounts).toEqual([
      ['1', 'none'],
      ['2', undefined],
    ]);
  });

  it('that has to wait is followed by one that comes when that may be over, and says so once', async () => {
    const paused = { rollout: { paused: async () => PAUSED } };
    const { delays, warnings, order } = await step({}, paused);
    expect([delays, warnings]).toEqual([[PAUSED.delaySeconds], [PAUSED.reason]]);
    expect((await step({ waits: order?.waits }, paused)).warnings).toEqual([]);
  });

  it.each([
    [6, 0],
    [7, 1],
    [8, 1],
    [9, 0],
  ])('%i of an order that is at 7 is followed by %i', async (tick, next) => {
    const { outcome, sent, order } = await step({}, { rollout: { paused: async () => PAUSED } }, { tick });
    expect(outcome.outcome).toBe('done');
    expect(sent).toMatchObject(next ? [{ kind: 'rekey', tick: tick + 1 }] : []);
    expect(order?.tick).toBe(next ? tick + 1 : 7);
  });

  it('waits while a double of it is made', async () => {
    const { outcome, sent } = await step({}, { leases: { acquire: async () => undefined } as never });
    expect([outcome, sent]).toMatchObject([{ outcome: 'retry', counts: false }, []]);
  });

  it('that a double has made meanwhile is not made again', async () => {
    const { outcome, sent } = await step({}, (rekeys) => ({
      rollout: { paused: async () => PAUSED },
      leases: {
        acquire: async () => {
          const order = await rekeys.order('order-1');
          if (order) await rekeys.replace({ ...order, tick: 8 });
          return { release: async () => {} };
        },
      } as never,
    }));
    expect([outcome.outcome, sent]).toEqual(['done', []]);
  });

  it('sends nobody anew while the wave before may still come through', async () => {
    const on = new Date(now.getTime() - 30_000).toISOString();
    const wave = { sent: 2, tick: 6, settled: 0, on };
    const { sent, order, warnings } = await step({ state: 'takingBack', wave }, (rekeys) => ({
      rollout: {
        async paused() {
          for (const n of [1, 2]) {
            await rekeys.put('order-1', { account: `${account}${n}`, location: 'westeurope', state: 'moved', at: on });
          }
          await rekeys.noteSent('order-1', [`${account}1`], 5); // one before it, which was given up
          await rekeys.noteSent('order-1', [`${account}2`], 6);
          return undefined;
        },
      },
    }));
    expect(sent).toMatchObject([{ kind: 'rekey', tick: 8 }]);
    expect(order?.wave).toMatchObject({ ...wave, reached: 1 });
    // It goes on by itself: nothing to warn of.
    expect([order?.waits?.reason, warnings]).toEqual(['RekeyUnderWay', []]);
  });

  it('sends the next ones as soon as those of the wave before are done with', async () => {
    const wave = { sent: 2, tick: 6, settled: 0, on: now.toISOString() };
    const { sent } = await step({ state: 'takingBack', wave }, movedBefore(1));
    expect(sent.map(({ kind }) => kind)).toEqual(['account', 'rekey']);
  });

  const STOPPED =
    '1 account could not be moved. All else that is known has moved; the encryption scopes of 1 account could not be listed.';
  it.each([
    ['that is asked', now.toISOString(), true, ['rekey'], 'RekeyUnverified', undefined, 5],
    ['that is asked, and none has failed', now.toISOString(), false, ['rekey'], 'RekeyUnverified', undefined, 5],
    ['that refuses, and none has failed', undefined, false, ['rekey'], 'RekeyUnverified', undefined, 900],
    ['that refuses', undefined, true, [], undefined, STOPPED, undefined],
  ])(
    'waits for an account %s for its scopes, as one has failed',
    async (_, sentOn, failed, sent, waits, why, seconds) => {
      const fleet = createFleetIndex(new MemoryFleetTable().port());
      const other = { account: account.replace('st1', 'st2'), location: 'westeurope' };
      await fleet.listed(SUBSCRIPTION, now);
      await fleet.write([{ put: 'unasked', account: { ...other, ...(sentOn ? { sentOn } : {}) } }]);
      const { order, ...done } = await step(
        { maxFailures: 5 },
        {
          fleet,
          building: new IndexBuilding(),
          accountsOfKey: { using: async function* () {} } as never,
          turns: new Turns(1),
          accounts: {
            listScopes: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(refused(403)) }) }),
          } as never,
          settings: { vaults: VAULTS, subscriptions: [SUBSCRIPTION], scopeDiscovery: 'all' } as never,
        },
        { failed },
      );
      expect(done.delays).toEqual(seconds === undefined ? [] : [seconds]);
      expect(done.sent.map(({ kind }) => kind)).toEqual(sent);
      expect([order?.waits?.reason, order?.paused?.why]).toEqual([waits, why]);
    },
  );

  it.each<[string, boolean, Partial<RekeyServices>]>([
    ['Paused', true, { rollout: { paused: async () => PAUSED } }],
    ['ServiceUnavailable', true, { keys: { listVersions: () => Promise.reject(refused(503)) } as never }],
    ['VaultUnreadable', true, { keys: { listVersions: () => Promise.reject(refused(403)) } as never }],
    ['NoUsableVersion', false, { keys: { listVersions: async () => [keyVersion(1, { enabled: false })] } as never }],
  ])('that has to wait (%s) knows the wave before: %s, as it stays in the queue', async (reason, isKept, services) => {
    const wave = { sent: 300, tick: 6, settled: 0, on: now.toISOString() };
    const { order } = await step({ wave }, services);
    expect(order?.waits?.reason).toBe(reason);
    expect(order?.wave).toEqual(
      isKept ? { ...wave, until: new Date(now.getTime() + 60_000).toISOString() } : undefined,
    );
  });

  it('sends nobody anew after a long pause: they come back by themselves', async () => {
    const at = (seconds: number) => () => new Date(now.getTime() + seconds * 1_000);
    const paused = { rollout: { paused: async () => PAUSED } };
    let order = rekeyOrder({ state: 'takingBack', wave: { sent: 5, tick: 6, settled: 0, on: now.toISOString() } });
    for (let seconds = 30; seconds <= 600; seconds += 60) {
      const held = await step(order, { ...paused, now: at(seconds) }, { tick: order.tick });
      order = held.order ?? order;
    }
    const services = (rekeys: RekeyStore) => {
      const { paused } = movedBefore(5)(rekeys).rollout;
      const sent = () => rekeys.noteSent('order-1', [`${account}0`], 6);
      return { rollout: { paused: async () => sent().then(paused) }, now: at(631) };
    };
    expect((await step(order, services, { tick: order.tick })).sent.map(({ kind }) => kind)).toEqual(['rekey']);
  });

  it('knows when the last turn of those comes whom it sends', async () => {
    const schedule = new Turns(1);
    const { sent, order } = await step({ state: 'takingBack' }, (rekeys) => ({ ...movedBefore(5)(rekeys), schedule }));
    const turns = sent.flatMap((work) => (work.kind === 'account' ? (work.turn ?? []) : []));
    expect(turns.length).toBe(5);
    expect(Date.parse(order?.wave?.until ?? '')).toBe(Math.max(...turns));
    expect(Math.max(...turns)).toBeGreaterThan(now.getTime());
  });

  it('is followed by the next one, whatever comes of its own write', async () => {
    let writes = 0;
    const { sent } = await step({}, (rekeys) => ({
      rollout: { paused: async () => PAUSED },
      rekeys: {
        ...rekeys,
        replace: async (order) => {
          writes += 1;
          if (writes > 1) throw new Error('down');
          return rekeys.replace(order);
        },
      },
    }));
    expect(sent).toMatchObject([{ kind: 'rekey', tick: 8 }]);
  });

  it('that cannot be written down sends nobody, and is tried again', async () => {
    const { outcome, sent } = await step({ state: 'takingBack' }, (rekeys) => ({
      ...movedBefore(1)(rekeys),
      rekeys: { ...rekeys, replace: () => Promise.reject(new Error('down')) },
    }));
    expect([outcome.outcome, sent]).toEqual(['retry', []]);
  });

  it('of a vault that throttles is put back for as long as that says', async () => {
    const { outcome, sent } = await step({}, { keys: { listVersions: () => Promise.reject(refused(429)) } as never });
    expect([outcome, sent]).toMatchObject([{ outcome: 'retry', reason: 'Throttled', counts: false }, []]);
  });

  it('sends nobody where as many have failed as may, though nobody could say so when they did', async () => {
    const { sent, order, recorded } = await step(
      { state: 'takingBack', maxFailures: 1 },
      (rekeys) => ({
        rollout: {
          async paused() {
            const other = { account: account.replace('st1', 'st2'), location: 'westeurope', at: now.toISOString() };
            await rekeys.put('order-1', { ...other, state: 'moved' });
            return undefined;
          },
        },
      }),
      { failed: true },
    );
    expect([sent, recorded]).toEqual([[], ['RekeyStopped']]);
    expect(order?.paused?.why).toBe('1 account could not be moved.');
  });

  const revoked = keyVersion(1, {
    enabled: false,
    tags: { 'cmk-revocation': `${REVOKER.id} ${now.toISOString()} ${REVOKER.revokedBy} ${versionName(1)}` },
  });
  it.each<[string, string, Partial<RekeyServices>]>([
    ['the new key goes on', 'Paused', { rollout: { paused: async (key) => (key.id === KEY.id ? undefined : PAUSED) } }],
    ['the old key goes on', 'Paused', { rollout: { paused: async (key) => (key.id === KEY.id ? PAUSED : undefined) } }],
    [
      'the vault of the old key lets it in',
      'VaultUnreadable',
      { keys: { listVersions: () => Promise.reject(refused(403)) } as never },
    ],
    [
      'the vault of the new key lets it in',
      'VaultUnreadable',
      {
        keys: {
          listVersions: async ({ id }: { id: string }) => {
            if (id === KEY.id) return [keyVersion(1)];
            throw refused(403);
          },
        } as never,
      },
    ],
    [
      'the vault answers',
      'ServiceUnavailable',
      { keys: { listVersions: () => Promise.reject(refused(500)) } as never },
    ],
    ['the key can be used again', 'RevocationOpen', { keys: { listVersions: async () => [revoked] } as never }],
  ])('moves nothing until %s', async (_, reason, services) => {
    const { outcome, sent, order } = await step({}, services);
    expect([outcome.outcome, order?.waits?.reason]).toEqual(['done', reason]);
    expect(sent).toMatchObject([{ kind: 'rekey', tick: 8 }]);
  });
});

describe('the end of an order', () => {
  const back = { state: 'takingBack' } as const;

  it('comes with a look at the key that everything is on', async () => {
    const { outcome, sent, order, recorded } = await step(back);
    expect([outcome.outcome, order?.state, recorded]).toEqual(['done', 'takenBack', ['RekeyTakenBack']]);
    expect(sent).toMatchObject([{ kind: 'key', key: KEY.id }]);
    expect(order?.tick).toBe(8);
  });

  it('does not come where an account could not be moved: a person is asked for', async () => {
    const waits = { reason: 'Paused', detail: 'Change freeze' } as const;
    const { order, recorded } = await step({ ...back, waits }, {}, { failed: true });
    expect([order?.state, order?.paused?.why, recorded]).toEqual([
      'takingBack',
      expect.stringContaining('1 account could not be moved'),
      ['RekeyStopped'],
    ]);
    // It waits for that person, and for nothing else.
    expect(order).not.toHaveProperty('waits');
    expect(order?.tick).toBe(8);
  });

  it('is on record where its answer was lost', async () => {
    const { outcome, recorded } = await step(back, (rekeys) => ({
      rekeys: { ...rekeys, replace: async (order) => void (await rekeys.replace(order)) },
    }));
    expect([outcome.outcome, recorded]).toEqual(['done', ['RekeyTakenBack']]);
  });

  it('is none where a person has ended it at the same moment', async () => {
    const { outcome, order, recorded } = await step(back, (rekeys) => ({
      queue: {
        send: async () => {
          const order = await rekeys.order('order-1');
          if (order) await rekeys.replace({ ...order, state: 'ended' });
        },
      } as never,
    }));
    expect([outcome.outcome, order?.state, recorded]).toEqual(['done', 'ended', []]);
  });

  it('is waited for until it is on record', async () => {
    const { outcome, order } = await step(back, {}, { isAuditDown: true });
    expect([outcome, order?.state]).toMatchObject([
      { outcome: 'retry', reason: 'AuditFailed', counts: false },
      'takenBack',
    ]);
  });
});

it.each<[string, Partial<RekeyOrder>, string[]]>([
  ['has made none for long', {}, ['order-1']],
  ['has made one lately', { tickedOn: now.toISOString() }, []],
  ['a person has stopped', { paused: { on: now.toISOString(), why: '' } }, []],
  [
    'is over, and of which something is not on record',
    { state: 'ended', unrecorded: [{ id: 'key.rekey/1', reason: 'RekeyEnded', on: now.toISOString() }] },
    ['order-1'],
  ],
])('a lost step is sent again for an order that %s', async (_, change, revived) => {
  const store = new MemoryRekeys();
  store.has(rekeyOrder(change));
  const sent: Work[] = [];
  const queue = { send: async (_queue: string, work: Work) => void sent.push(work) };
  expect(await reviveRekeys({ rekeys: store.port(), queue, now: () => now })).toEqual(revived);
  expect(sent).toMatchObject(revived.map(() => ({ kind: 'rekey', tick: 7 })));
});
