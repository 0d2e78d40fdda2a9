import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogRecord } from '../../src/log.ts';
import { type ControlOrder, orderPause, orderResume } from '../../src/rollout/order-pause.ts';
import { type ControlState, NO_CONTROL } from '../../src/rollout/pause.ts';
import { recordFoundOrders } from '../../src/rollout/record-orders.ts';
import { StandingControl } from '../../src/rollout/standing-control.ts';
import { MemoryAudit } from '../simulation/memory-audit.ts';
import type { Way } from '../simulation/memory-vault.ts';
import { dying } from '../support/dying.ts';
import { day, KEY, keyVersion, VAULTS } from '../support/keys.ts';
import { type LostAnswer, MemoryControl } from './memory-control.ts';

// A pause or resume is on record although whoever ordered it was killed before it was, at any call that it makes. It may be
// there twice, under one id.

type Deed = 'pause' | 'pause key' | 'resume' | 'resume key';
const DEEDS: readonly Deed[] = ['pause', 'pause key', 'resume', 'resume key'];
const direct: Way = async (_, effect) => effect();

class World {
  readonly store = new MemoryControl();
  readonly audit = new MemoryAudit();
  readonly logged: LogRecord[] = [];
  readonly #log = (record: LogRecord) => void this.logged.push(record);
  #nowMs = day(200).getTime();
  #orders = 0;
  isAuditDown = false;

  ports(way: Way = direct) {
    const now = () => new Date(this.#nowMs);
    const controlStore = this.store.port(way);
    return {
      ...{ now, controlStore, control: new StandingControl(controlStore, now), settings: { vaults: VAULTS } },
      audit: this.audit.port((label, effect, writes) => {
        if (this.isAuditDown) return Promise.reject(new Error('no answer'));
        return way(label, effect, writes);
      }),
      keys: { listVersions: async () => way('versions', () => [keyVersion(199)]) },
      queue: { send: async () => way('send', () => {}) },
      newId: () => `order-${this.#orders}`,
    };
  }

  /** No two are at the same time: each is known by when it was. */
  order(deed: Deed, way?: Way, more: Partial<ControlOrder> = {}) {
    this.#nowMs += 1_000;
    this.#orders += 1;
    const caller = { objectId: 'alice', appId: 'az', kind: 'person' } as const;
    const order = {
      ...{ caller, correlationId: `call ${this.#orders}`, reason: deed, ticket: 'CHG-1' },
      key: deed.endsWith('key') ? KEY.id : undefined,
      ...more,
    };
    const { newId, now, ...ports } = this.ports(way);
    const [id, at] = [newId(), now()];
    const own = { ...ports, newId: () => id, now: () => at };
    return deed.startsWith('pause') ? orderPause(order, own, this.#log) : orderResume(order, own, this.#log);
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  driftCheck(way?: Way) {
    return recordFoundOrders(this.ports(way), this.#log);
  }

  /** What was ever ordered, by the orders themselves. */
  get deeds(): string[] {
    const all = this.store.written.flatMap((text) => {
      const { pauses, resumedOn }: ControlState = JSON.parse(text);
      return [...pauses.map(({ since }) => `Paused ${since}`), ...(resumedOn ? [`Resumed ${resumedOn}`] : [])];
    });
    return [...new Set(all)].sort();
  }

  get records(): string[] {
    const told = new Map(this.audit.entries.map(({ id, reason, details }) => [id, `${reason} ${details?.on}`]));
    return [...told.values()].sort();
  }

  expectRecorded(): void {
    expect(this.records).toEqual(this.deeds);
    expect(this.store.state.unrecorded).toEqual([]);
  }
}

/** It writes its order, and dies before that is on record. */
async function orderedAndKilled(world: World, deed: Deed, more?: Partial<ControlOrder>): Promise<void> {
  const before = world.deeds.length;
  const { way, died } = dying(1, true);
  const isOfKey = deed === 'resume key';
  // The versions of the key come before, where they are asked for.
  const late: Way = (label, effect, writes) => (label === 'versions' ? direct : way)(label, effect, writes);
  await Promise.race([world.order(deed, isOfKey ? late : way, more), died]);
  expect(world.deeds).toHaveLength(before + 1);
}

const CALLS = Array.from({ length: 10 }, (_, at) => at);

describe.each([false, true])('whoever is killed at a call, after it took effect: %s', (isAfter) => {
  it.each(DEEDS.flatMap((deed) => [[deed, 'a drift check'] as const, [deed, 'the next order'] as const]))(
    '%s, recorded by %s',
    async (deed, by) => {
      let done = 0;
      for (const at of CALLS) {
        const world = new World();
        await world.order('pause');
        await world.order('pause key');
        const before = world.deeds.length;
        const { way, died } = dying(at, isAfter);
        await Promise.race([world.order(deed, way), died]);
        done += world.deeds.length - before;
        world.pass(120_000);
        if (by === 'a drift check') await world.driftCheck();
        else await world.order('pause');
        world.expectRecorded();
      }
      expect(done).toBeGreaterThan(5);
    },
  );
});

describe('what is not on record', () => {
  it('is told as it was done, and as found; the log has it, which alerts go by', async () => {
    const world = new World();
    await orderedAndKilled(world, 'pause');
    await orderedAndKilled(world, 'resume key');
    await orderedAndKilled(world, 'resume');
    expect(world.audit.entries).toEqual([]);
    expect(world.logged.filter(({ reason }) => reason !== 'Paused' && reason !== 'Resumed')).toEqual([]);
    world.logged.splice(0);
    world.pass(120_000);
    expect(await world.driftCheck()).toEqual(['order-1', 'order-2', 'order-3']);
    const caller = { objectId: 'alice', appId: 'az', kind: 'person' };
    const on = (seconds: number) => new Date(day(200).getTime() + seconds * 1_000).toISOString();
    const found = { ticket: 'CHG-1', foundIn: 'cmk-control' };
    expect(world.audit.entries).toEqual([
      {
        ...{ id: 'fleet.control/order-1', action: 'fleet.pause', reason: 'Paused', resource: 'cmk-autopilot/keys' },
        ...{ caller, correlationId: 'call 1' },
        details: { on: on(1), why: 'pause', ended: [], ...found },
      },
      {
        ...{ id: 'fleet.control/order-2', action: 'fleet.resume', reason: 'Resumed', resource: KEY.id },
        ...{ caller, correlationId: 'call 2' },
        details: { on: on(2), why: 'resume key', ended: [], ...found },
      },
      {
        ...{ id: 'fleet.control/order-3', action: 'fleet.resume', reason: 'Resumed', resource: 'cmk-autopilot/keys' },
        ...{ caller, correlationId: 'call 3' },
        details: { on: on(3), why: 'resume', ended: ['order-1'], ...found },
      },
    ]);
    expect(world.logged).toMatchObject([
      { reason: 'Paused', caller: 'alice', correlationId: 'call 1', why: 'pause', foundIn: 'cmk-control' },
      { reason: 'Resumed', key: KEY.id, correlationId: 'call 2' },
      { reason: 'Resumed', correlationId: 'call 3' },
    ]);
    expect(await world.driftCheck()).toEqual([]);
  });

  it('stays with the orders until the trail can be written; the answer says so', async () => {
    const world = new World();
    world.isAuditDown = true;
    for (const deed of DEEDS) expect(await world.order(deed)).toMatchObject({ audit: 'no answer' });
    expect(world.store.state.pauses).toEqual([]);
    world.pass(120_000);
    await expect(world.driftCheck()).rejects.toThrow('no answer');
    expect(world.store.state.unrecorded).toHaveLength(4);
    world.isAuditDown = false;
    expect(await world.driftCheck()).toHaveLength(4);
    world.expectRecorded();
  });

  it('is not that which whoever did it records: the log has it once, and the record proves the call', async () => {
    const world = new World();
    await world.order('pause');
    expect(world.logged).toMatchObject([{ reason: 'Paused', caller: 'alice', correlationId: 'call 1', why: 'pause' }]);
    for (const told of [world.logged[0], world.audit.entries[0]?.details]) expect(told).not.toHaveProperty('foundIn');
  });

  it('of others is left to them for a minute: what they record themselves is no find', async () => {
    const world = new World();
    await orderedAndKilled(world, 'pause key');
    expect(await world.driftCheck()).toEqual([]);
    expect(await world.order('pause')).toMatchObject({ audit: 'written' });
    expect(world.audit.entries.map(({ details }) => details?.why)).toEqual(['pause']);
    world.pass(60_000);
    expect(await world.driftCheck()).toHaveLength(1);
    world.expectRecorded();
  });

  it('of others does not have an order told as not recorded that is', async () => {
    const world = new World();
    await orderedAndKilled(world, 'pause key');
    world.pass(120_000);
    let records = 0;
    const way: Way = async (label, effect) => {
      if (label.startsWith('audit') && ++records > 1) throw new Error('no answer');
      return effect();
    };
    expect(await world.order('pause', way)).toMatchObject({ audit: 'written' });
    expect(world.store.state.unrecorded).toHaveLength(1);
  });

  it('is found beside what is damaged, and so is the rest; a content of before has none', async () => {
    const world = new World();
    await orderedAndKilled(world, 'pause');
    await orderedAndKilled(world, 'resume');
    const state = JSON.parse(world.store.written.at(-1) ?? '');
    const [first, second] = state.unrecorded;
    const kept = [first, { ...first, id: 7 }, 'rubbish', { ...first, reason: 'Revoked' }, null, second];
    world.store.written.push(JSON.stringify({ ...state, unrecorded: kept }));
    world.pass(120_000);
    expect(await world.driftCheck()).toEqual(['order-1', 'order-2']);
    world.expectRecorded();

    await world.order('pause');
    const { unrecorded: _, ...old } = world.store.state;
    for (const content of [old, { ...old, unrecorded: 'rubbish' }]) {
      world.store.written.push(JSON.stringify(content));
      expect(world.store.state).toEqual({ ...old, unrecorded: [] });
    }
    await world.order('resume');
    world.expectRecorded();
  });

  it('is kept of the last 200; what falls out is logged and told, and nothing else is lost', async () => {
    const world = new World();
    world.isAuditDown = true;
    for (let n = 1; n <= 200; n += 1) expect(await world.order('pause')).toMatchObject({ warnings: [] });
    world.logged.splice(0);
    const { warnings } = await world.order('resume');
    expect(warnings).toMatchObject([/: Paused .* by alice \(order-1\)\.$/].map((text) => expect.stringMatching(text)));
    const lost = world.logged.filter(({ reason }) => reason === 'AuditFailed');
    expect(lost).toMatchObject([
      { level: 'error', entry: { id: 'fleet.control/order-1', action: 'fleet.pause', correlationId: 'call 1' } },
    ]);
    world.isAuditDown = false;
    world.pass(120_000);
    await world.driftCheck();
    expect(world.records).toEqual(world.deeds.slice(1));
    expect(world.store.state.unrecorded).toEqual([]);
  });
});

describe.each<LostAnswer>(['refused', 'lost'])('a write that took effect and whose answer was %s', (answer) => {
  it.each(DEEDS)('%s: the order is made once, with what it has ended', async (deed) => {
    const world = new World();
    await world.order('pause');
    await world.order('pause key');
    world.store.fail = answer;
    const ordering = world.order(deed);
    if (answer === 'lost') await expect(ordering).rejects.toThrow('no answer');
    else {
      const ended = deed.endsWith('key') ? 'order-2' : 'order-1';
      expect(await ordering).toMatchObject({ ended: [{ id: ended }], audit: 'written' });
      expect(world.audit.entries.at(-1)?.details).toMatchObject({ ended: [ended] });
    }
    const { pauses, goOns } = world.store.state;
    expect(pauses).toHaveLength(deed.startsWith('pause') ? 2 : 1);
    expect(goOns).toHaveLength(deed === 'resume key' ? 1 : 0);
    world.pass(120_000);
    await world.driftCheck();
    world.expectRecorded();
  });
});

it('whatever is ordered at once, found at once, killed or not heard of is recorded under one id', async () => {
  const runs = fc.asyncProperty(
    fc.scheduler(),
    fc.array(fc.tuple(fc.constantFrom(...DEEDS), fc.option(fc.nat({ max: 9 }))), { minLength: 2, maxLength: 4 }),
    fc.boolean(),
    fc.array(fc.constantFrom<(LostAnswer | undefined)[]>(undefined, undefined, 'refused', 'lost'), { maxLength: 12 }),
    async (scheduler, orders, isAfter, lost) => {
      const world = new World();
      await orderedAndKilled(world, 'pause');
      world.pass(120_000);
      const fates = [...lost];
      const inTurn: Way = async (label, effect) => {
        await scheduler.schedule(Promise.resolve(), label);
        if (label === 'put control') world.store.fail = fates.shift();
        return effect();
      };
      const act = async ([deed, at]: (typeof orders)[number]): Promise<void> => {
        const killed = dying(at ?? 1_000, isAfter);
        const way: Way = (label, effect) => inTurn(label, () => killed.way(label, effect)) as never;
        await Promise.race([world.order(deed, way).catch(() => undefined), killed.died]);
      };
      const look = () => world.driftCheck(inTurn).catch(() => undefined);
      await scheduler.waitFor(Promise.all([...orders.map(act), look(), look()]));
      world.store.fail = undefined;
      const { pauses, goOns } = world.store.state;
      for (const all of [pauses, goOns]) expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      world.pass(120_000);
      await world.driftCheck();
      world.expectRecorded();
    },
  );
  await fc.assert(runs, { numRuns: 400 });
});

describe('an order waits for nothing beside it that hangs', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each<[string, RegExp, number, string]>([
    ['the audit trail', /^audit/, 5_000, 'no answer in time'],
    ['what is noted of its record', /^put control 2/, 2_000, 'written'],
  ])('%s', async (_, hangs, ms, audit) => {
    const world = new World();
    let puts = 0;
    const way: Way = async (label, effect) => {
      if (label === 'put control') puts += 1;
      return hangs.test(`${label} ${puts}`) ? new Promise<never>(() => {}) : effect();
    };
    await waits(world, way, [audit, ms]);
  });

  it('what others could not record, for which the time is that which is left', async () => {
    const world = new World();
    await orderedAndKilled(world, 'pause key');
    world.pass(120_000);
    let records = 0;
    const way: Way = async (label, effect) => {
      if (!label.startsWith('audit')) return effect();
      if (++records > 1) return new Promise<never>(() => {});
      return new Promise((resolve) => setTimeout(resolve, 3_000)).then(effect);
    };
    await waits(world, way, ['written', 5_000]);
  });

  async function waits(world: World, way: Way, expected: readonly [audit: string, ms: number]): Promise<void> {
    const began = Date.now();
    const ordering = world.order('pause', way).then((ordered) => [ordered.audit, Date.now() - began]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await ordering).toEqual(expected);
    expect(world.store.state).not.toEqual(NO_CONTROL);
    world.pass(120_000);
    await world.driftCheck();
    world.expectRecorded();
  }
});
