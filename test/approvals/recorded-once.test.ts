import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { approveRequest, askForApproval, closeRequest, withdrawRequest } from '../../src/approvals/approvals.ts';
import { type ApprovalCall, recordDeeds, reviveApprovals } from '../../src/approvals/record-deeds.ts';
import type { CmkError } from '../../src/errors.ts';
import { type ApprovalWork, parseKeyQueueWork, type Work } from '../../src/work/messages.ts';
import { MemoryAudit } from '../simulation/memory-audit.ts';
import type { Way } from '../simulation/memory-vault.ts';
import { dying } from '../support/dying.ts';
import { type LostAnswer, MemoryApprovals } from './memory-approvals.ts';

// What is done to a request is on record, once, although whoever did it was killed before it was: at any call that it makes.

const now = new Date('2026-11-25T03:00:00Z');
const call = (objectId: string): ApprovalCall => ({
  caller: { objectId, appId: 'az', kind: 'person' },
  correlationId: `call of ${objectId}`,
});
const WHAT = { action: 'restore', vault: 'kv-files', key: 'k', revocation: 'cafe', reason: 'Found' } as const;
const NEEDED = { revokers: [], atLeast: 2 };
const quiet = () => {};

class World {
  readonly store = new MemoryApprovals();
  readonly audit = new MemoryAudit();
  readonly queue: ApprovalWork[] = [];
  readonly logged: unknown[] = [];
  #calls = 0;
  isAuditDown = false;
  isQueueDown = false;

  ports(way: Way = async (_, effect) => effect()) {
    const send = (work: Work): void => {
      if (this.isQueueDown) throw new Error('no queue');
      if (work.kind === 'approval') this.queue.push(parseKeyQueueWork(work) as ApprovalWork);
    };
    return {
      approvals: this.store.port(way),
      audit: this.audit.port((label, effect, writes) => {
        if (this.isAuditDown) return Promise.reject(new Error('no answer'));
        return way(label, effect, writes);
      }),
      queue: { send: async (_queue: string, work: Work) => way('send', () => send(work)) },
      now: () => now,
    };
  }

  ask(way?: Way) {
    return askForApproval(WHAT, 2, call('alice'), this.ports(way), quiet);
  }

  /** Each is a call of its own, whoever makes it. */
  approve(id: string, who: string, way?: Way) {
    this.#calls += 1;
    const own = { ...call(who), correlationId: `call ${this.#calls}` };
    return approveRequest(id, NEEDED, own, this.ports(way), quiet);
  }

  withdraw(id: string, way?: Way) {
    return withdrawRequest(id, call('alice'), this.ports(way), quiet);
  }

  /** What is in the queue, in turn. */
  async carryOut(): Promise<string[]> {
    const outcomes: string[] = [];
    for (const work of this.queue.splice(0)) {
      const { outcome } = await recordDeeds(work, this.ports(), (record) => this.logged.push(record));
      outcomes.push(outcome);
    }
    return outcomes;
  }

  async driftCheck() {
    await reviveApprovals(this.ports());
    return this.carryOut();
  }

  /** By what the requests say themselves. */
  get deeds(): string[] {
    return this.store.all.flatMap(({ request: { id, askedBy, approvedBy, state } }) => [
      `approval.ask ${id} ${askedBy.objectId}`,
      ...approvedBy.map(({ objectId }) => `approval.approve ${id} ${objectId}`),
      ...(state === 'withdrawn' ? [`approval.withdraw ${id} ${askedBy.objectId}`] : []),
    ]);
  }

  expectRecorded(): void {
    const records = this.audit.entries.map(
      ({ action, details, caller }) => `${action} ${details?.approval} ${caller?.objectId}`,
    );
    expect(records.sort()).toEqual(this.deeds.sort());
    expect(this.store.all.filter(({ unrecorded }) => unrecorded.length > 0)).toEqual([]);
  }
}

const CALLS = Array.from({ length: 12 }, (_, at) => at);

describe.each([false, true])('whoever is killed at a call, after it took effect: %s', (isAfter) => {
  it.each<[string, (world: World) => Promise<(way: Way) => Promise<unknown>>]>([
    ['who asks', async (world) => (way) => world.ask(way)],
    [
      'who approves',
      async (world) => {
        const { id } = await world.ask();
        return (way) => world.approve(id, 'bob', way);
      },
    ],
    [
      'who is the last to approve',
      async (world) => {
        const { id } = await world.ask();
        await world.approve(id, 'bob');
        return (way) => world.approve(id, 'carol', way);
      },
    ],
    [
      'who takes it back',
      async (world) => {
        const { id } = await world.ask();
        return (way) => world.withdraw(id, way);
      },
    ],
  ])('%s', async (_, prepare) => {
    let done = 0;
    for (const at of CALLS) {
      const world = new World();
      const act = await prepare(world);
      const before = world.deeds.length;
      const { way, died } = dying(at, isAfter);
      world.queue.splice(0);
      await Promise.race([act(way), died]);
      const isDone = world.deeds.length > before;
      done += isDone ? 1 : 0;
      // What is not begun is sent again by nobody.
      if (isDone) expect(world.queue.length).toBe(1);
      await world.carryOut();
      world.expectRecorded();
    }
    expect(done).toBeGreaterThan(5);
  });
});

/** It asks, and dies before that is on record. */
async function askedAndKilled(world: World): Promise<string> {
  // Those that wait, the queue, the request; the next is the trail.
  const { way, died } = dying(3, false);
  await Promise.race([world.ask(way), died]);
  expect(world.audit.entries).toEqual([]);
  const [id] = await world.store.unrecorded();
  return id ?? expect.unreachable();
}

describe('what is not on record', () => {
  it('is told as it was done, and as found; the log has it, which alerts go by', async () => {
    const world = new World();
    const id = await askedAndKilled(world);
    await world.carryOut();
    await world.approve(id, 'bob');
    const { caller, correlationId } = call('alice');
    const about = { what: 'restore', revocation: 'cafe', why: 'Found', needed: 2, approval: id, on: now.toISOString() };
    const given = [{ objectId: 'bob', on: now.toISOString() }];
    expect(world.audit.entries).toMatchObject([
      { reason: 'ApprovalAsked', resource: 'kv-files/k', caller, correlationId, details: { ...about, given: [] } },
      { reason: 'ApprovalGiven', resource: 'kv-files/k', caller: { objectId: 'bob' }, details: { ...about, given } },
    ]);
    expect(world.audit.entries.map(({ details }) => details?.foundIn)).toEqual(['cmk-approvals', undefined]);
    expect(world.logged).toMatchObject([{ reason: 'ApprovalAsked', approval: id, caller: 'alice', correlationId }]);
  });

  it('is told as it was then, whatever was done since', async () => {
    const world = new World();
    const id = await askedAndKilled(world);
    world.isAuditDown = true;
    await world.approve(id, 'bob');
    await approveRequest(id, { ...NEEDED, atLeast: 3 }, call('carol'), world.ports(), quiet);
    world.isAuditDown = false;
    await world.carryOut();
    expect(world.audit.entries.map(({ details }) => details)).toMatchObject([
      { needed: 2, given: [] },
      { needed: 2, given: [{ objectId: 'bob' }] },
      { needed: 3, given: [{ objectId: 'bob' }, { objectId: 'carol' }] },
    ]);
  });

  it('stays with the request, whatever becomes of that, until the trail can be written', async () => {
    const world = new World();
    world.isAuditDown = true;
    const { id } = await world.ask();
    await world.approve(id, 'bob');
    expect(await world.approve(id, 'carol')).toMatchObject({ state: 'running' });
    await closeRequest(id, 'done', 'Restored', world.ports());
    const messages = [...world.queue];
    expect(await world.carryOut()).toEqual(['retry', 'retry', 'retry']);
    expect(world.logged).toEqual([]);
    world.isAuditDown = false;
    world.queue.push(...messages);
    expect(await world.carryOut()).toEqual(['done', 'done', 'done']);
    world.expectRecorded();
    expect(world.logged).toHaveLength(3);
  });

  it('is found by a drift check, where the queue was down', async () => {
    const world = new World();
    world.isQueueDown = true;
    await askedAndKilled(world);
    expect(world.queue).toEqual([]);
    world.isQueueDown = false;
    expect(await world.driftCheck()).toEqual(['done']);
    world.expectRecorded();
    expect(await world.driftCheck()).toEqual([]);
  });

  it('is not told of a request that somebody has altered in the storage; the log has that', async () => {
    const world = new World();
    const id = await askedAndKilled(world);
    const { request, etag, unrecorded } = (await world.store.get(id)) ?? expect.unreachable();
    await world.store.put({ ...request, reason: 'Another' }, etag, unrecorded);
    expect(await world.carryOut()).toEqual(['done']);
    expect(world.audit.entries).toEqual([]);
    expect(world.logged).toMatchObject([{ reason: 'AuditFailed', because: 'ApprovalAltered', unrecorded: [{}] }]);
  });

  it('is tried again where the storage does not answer', async () => {
    const world = new World();
    await askedAndKilled(world);
    world.store.get = () => Promise.reject(Object.assign(new Error('no answer'), { statusCode: 503 }));
    expect(await world.carryOut()).toEqual(['retry']);
  });
});

describe('whatever happens at once', () => {
  it('a record that was written and answered as if it had not been is not written anew', async () => {
    const world = new World();
    const { audit, ...others } = world.ports();
    const unanswered: typeof audit = async (...args) => {
      await audit(...args);
      return { failed: 'no answer' };
    };
    await askForApproval(WHAT, 2, call('alice'), { ...others, audit: unanswered }, quiet);
    expect(await world.store.unrecorded()).toHaveLength(1);
    await world.carryOut();
    world.expectRecorded();
  });

  it('what is noted of one record while another is being noted takes nothing from that', async () => {
    const world = new World();
    const id = await askedAndKilled(world);
    world.isAuditDown = true;
    await world.approve(id, 'bob');
    world.isAuditDown = false;
    const { approvals, ...others } = world.ports();
    const [work] = world.queue.splice(0);
    let isFirst = true;
    const put: typeof approvals.put = async (...args) => {
      const kept = isFirst ? await world.store.get(id) : undefined;
      isFirst = false;
      // Somebody else has recorded the approval, and notes that just before.
      if (kept) await world.store.put(kept.request, kept.etag, kept.unrecorded.slice(0, 1));
      return approvals.put(...args);
    };
    const services = { ...others, approvals: { ...approvals, writes: 0, put } };
    expect(await recordDeeds(work ?? expect.unreachable(), services, quiet)).toEqual({ outcome: 'done' });
    world.expectRecorded();
  });

  it('the last approval counts whose answer is lost, though it is recorded by somebody else meanwhile', async () => {
    const world = new World();
    const { id } = await world.ask();
    await world.approve(id, 'bob');
    const { approvals, ...others } = world.ports();
    const losing: typeof approvals = {
      ...approvals,
      writes: 0,
      put: async (...args) => {
        await approvals.put(...args);
        await world.carryOut();
        return false;
      },
    };
    const given = await approveRequest(id, NEEDED, call('carol'), { ...others, approvals: losing }, quiet);
    expect(given.state).toBe('running');
    await world.carryOut();
    world.expectRecorded();
  });

  it('each is recorded once, and the last approval is that of one', async () => {
    const runs = fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.tuple(fc.constantFrom('bob', 'carol', 'dave', 'withdraw'), fc.option(fc.nat({ max: 9 }))), {
        minLength: 2,
        maxLength: 4,
      }),
      fc.boolean(),
      fc.array(fc.constantFrom<(LostAnswer | undefined)[]>(undefined, undefined, 'refused', 'lost'), { maxLength: 12 }),
      async (scheduler, calls, isAfter, lost) => {
        const world = new World();
        const id = await askedAndKilled(world);
        const fates = [...lost];
        const inTurn: Way = async (label, effect) => {
          await scheduler.schedule(Promise.resolve(), label);
          if (label === 'put approval') world.store.fail = fates.shift();
          return effect();
        };
        let carriedOut = 0;
        const act = async ([who, at]: (typeof calls)[number]): Promise<void> => {
          const killed = dying(at ?? 1_000, isAfter);
          const way: Way = (label, effect) => inTurn(label, () => killed.way(label, effect)) as never;
          const acting = who === 'withdraw' ? world.withdraw(id, way) : world.approve(id, who, way);
          const end = await Promise.race([acting.catch(() => undefined), killed.died]);
          if (typeof end === 'object' && end.state === 'running') carriedOut += 1;
        };
        const look = async (): Promise<void> => {
          const [work] = world.queue;
          if (work) await recordDeeds(work, world.ports(inTurn), quiet);
        };
        await scheduler.waitFor(Promise.all([...calls.map(act), look(), look()]));
        world.store.fail = undefined;
        const isRunning = world.store.all.some(({ request }) => request.state === 'running');
        expect(carriedOut).toBeLessThanOrEqual(isRunning ? 1 : 0);
        // By whoever was the last to approve, unless they were killed.
        if (calls.every(([, at]) => at === null)) expect(carriedOut).toBe(isRunning ? 1 : 0);
        await world.carryOut();
        world.expectRecorded();
      },
    );
    await fc.assert(runs, { numRuns: 400 });
  });
});

describe('an approval waits for nothing beside it that hangs', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each<[string, RegExp, number]>([
    ['the queue', /^send/, 2_000],
    ['the audit trail', /^audit/, 2_000],
    ['what is noted of its record', /^put approval 2/, 2_000],
    ['queue and trail', /^send|^audit/, 4_000],
  ])('%s', async (_, hangs, ms) => {
    const world = new World();
    const { id } = await world.ask();
    await world.approve(id, 'bob');
    let puts = 0;
    const way: Way = async (label, effect) => {
      if (label === 'put approval') puts += 1;
      return hangs.test(`${label} ${puts}`) ? new Promise<never>(() => {}) : effect();
    };
    const began = Date.now();
    const approving = world.approve(id, 'carol', way).then(({ state }) => [state, Date.now() - began]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await approving).toEqual(['running', ms]);
    expect(await world.driftCheck()).toContain('done');
    world.expectRecorded();
  });

  it('the queue, once for each of twenty who approve at the same moment', async () => {
    const world = new World();
    const { id } = await world.ask();
    const sent: string[] = [];
    const way: Way = async (label, effect) => {
      // A request to the storage takes a moment.
      if (label !== 'send') return new Promise((resolve) => setTimeout(() => resolve(effect()), 10));
      sent.push(label);
      return new Promise<never>(() => {});
    };
    const began = Date.now();
    const approving = Array.from({ length: 20 }, async (_, n) => {
      const services = world.ports(way);
      const approved = approveRequest(id, { revokers: [], atLeast: 5 }, call(`person ${n}`), services, quiet);
      const end = await approved.then(
        ({ state }) => state,
        (error: CmkError) => error.reason,
      );
      return { end, ms: Date.now() - began };
    });
    await vi.advanceTimersByTimeAsync(60_000);
    const ends = await Promise.all(approving);
    expect(
      ends
        .map((one) => one.end)
        .filter((end) => end !== 'ApprovalOver')
        .sort(),
    ).toEqual([...['running', 'waiting', 'waiting', 'waiting', 'waiting']]);
    expect(Math.max(...ends.map(({ ms }) => ms))).toBeLessThan(5_000);
    expect(sent).toHaveLength(20);
    await world.driftCheck();
    world.expectRecorded();
  });
});
