import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createChangeRows } from '../../src/drift/changes/change-rows.ts';
import { checkChanges } from '../../src/drift/changes/check-changes.ts';
import { type JobPorts, requestJob, runJob, toHint } from '../../src/index/jobs.ts';
import { SWEEP_MS } from '../../src/index/work-items.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import type { ChangesWork } from '../../src/work/messages.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import { MemoryWorkItems } from '../support/memory-work-items.ts';
import { NOW } from './checks/subjects.ts';
import { report } from './reports.ts';

// Changes that events report while instances die between any two calls: one of the instances checks each.

const TROUBLES = ['killedBefore', 'killedAfter', 'noEffect', 'answerLost'] as const;

interface History {
  /** When each change arrives, in milliseconds, and for how long its resource cannot be read. */
  readonly changes: readonly { readonly atMs: number; readonly unreadMs: number }[];
  /** The steps that go wrong, and how. */
  readonly troubles: readonly { readonly step: number; readonly trouble: (typeof TROUBLES)[number] }[];
  /** Seed of the choice among the calls in flight. */
  readonly seed: number;
}

/** A message of a dead host is visible again after this time (facts of the Functions host), an event sooner. */
const REDELIVERY_MS = 600_000;
const EVENT_REDELIVERY_MS = 30_000;
/** A check ends this long after a change or a fault: claim, sweep, and the watch of what cannot be read. */
const MOST_MS = 6 * 60_000;
const STORAGE = { connectionString: 'UseDevelopmentStorage=true' };
const CAUSE = { by: 'ResourceChanged', ref: '', since: '' };

class World {
  readonly #history: History;
  readonly #control = new MemoryFleetTable();
  readonly #items = new MemoryWorkItems();
  readonly #leases = new MemoryLeases(() => new Date(this.#nowMs));
  readonly #events: { atMs: number; run: () => void }[] = [];
  readonly #inFlight: (() => void)[] = [];
  #nowMs = NOW.getTime();
  #sweepMs = this.#nowMs + SWEEP_MS;
  #lastTroubleMs = this.#nowMs;
  #checkedMs: number | undefined;
  #random: number;
  steps = 0;
  readonly poisoned: string[] = [];

  constructor(history: History) {
    this.#history = history;
    this.#random = history.seed * 7_919 + 1;
    for (const [index, { atMs }] of history.changes.entries()) this.#after(atMs, () => this.#deliverEvent(index));
  }

  /** Runs until every change is checked and no item is left. @returns milliseconds from the last fault to the last check */
  async run(): Promise<number> {
    for (let turns = 0; turns < 20_000; turns += 1) {
      await turn();

      this.#events.sort((a, b) => a.atMs - b.atMs);
      const [event] = this.#events;

      if (event && event.atMs <= this.#nowMs) {
        this.#events.shift();
        event.run();
        continue;
      }

      if (this.#inFlight.length > 0) {
        this.#random = (this.#random * 48_271) % 2_147_483_647;
        const [next] = this.#inFlight.splice(this.#random % this.#inFlight.length, 1);
        this.#nowMs += 10 + (this.#random % 290);
        next?.();
        continue;
      }

      if (this.#isChecked) this.#checkedMs ??= this.#nowMs;
      if (this.#checkedMs && this.#items.isEmpty) return this.#checkedMs - this.#lastTroubleMs;

      if (event && event.atMs < this.#sweepMs) this.#nowMs = event.atMs;
      else this.#sweep();
    }

    throw new Error('It does not come to an end.');
  }

  get #isChecked(): boolean {
    const checked = this.#control.rows('changed').length;
    return checked === this.#history.changes.length && this.#control.rows('change').length === 0;
  }

  #after(ms: number, run: () => void): void {
    this.#events.push({ atMs: this.#nowMs + ms, run });
  }

  #sweep(): void {
    this.#nowMs = Math.max(this.#nowMs, this.#sweepMs);
    this.#sweepMs = this.#nowMs + SWEEP_MS;
    for (const item of this.#items.all) {
      const hint = toHint(item);
      if (hint && item.due.getTime() <= this.#nowMs - 30_000) this.#deliver(hint as ChangesWork);
    }
  }

  #deliverEvent(index: number): void {
    const again = () => this.#after(EVENT_REDELIVERY_MS, () => this.#deliverEvent(index));
    const { call, ports } = this.#instance(again);
    const rows = createChangeRows(this.#control.port((_, effect) => call(effect)));
    const on = new Date(this.#nowMs).toISOString();
    const at = `/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Sql/servers/s${index}`;
    const changedBy = { on, operation: 'Microsoft.Sql/servers/write', resource: at, confirmed: true };
    const handle = async (): Promise<void> => {
      await rows.put([{ id: `change-${index}`, concern: 'keyUser', at, changedBy, notedOn: on }]);
      await requestJob({ kind: 'changes', cause: CAUSE }, 1, ports);
    };

    handle().catch(again);
  }

  #deliver(message: ChangesWork): void {
    const { call, ports } = this.#instance(() => this.#after(REDELIVERY_MS, () => this.#deliver(message)));
    const services = {
      settings: { vaults: { all: [] }, otherDependents: 'all', drift: { autofix: [] }, storage: STORAGE },
      orderStore: { read: () => call(() => NO_ORDERS), recent: async () => NO_ORDERS },
      changes: createChangeRows(this.#control.port((_, effect) => call(effect))),
      driftStorage: {
        managedAccounts: () => call(() => undefined),
        merge: (change: (whole: ReturnType<typeof report>) => unknown) => call(() => change(report({ findings: [] }))),
      },
      keyUsers: { get: ({ name }: { readonly name: string }) => call(() => this.#readKeyUser(name)) },
      tenants: { tenants: async () => new Map() },
      leases: { acquire: (name: string) => this.#acquire(name, call) },
      workItems: { put: async () => {}, putNew: async () => [] },
      now: ports.now,
      newId: () => 'id',
    };

    runJob(message, () => checkChanges(services as never, () => {}), ports).catch(() =>
      this.#after(15_000, () => this.#deliver(message)),
    );
  }

  #readKeyUser(name: string): undefined {
    const { atMs = 0, unreadMs = 0 } = this.#history.changes[Number(name.slice(1))] ?? {};
    if (this.#nowMs < NOW.getTime() + atMs + unreadMs) throw new Error('It cannot be read.');
    return undefined;
  }

  async #acquire(name: string, call: Call) {
    let granted: Awaited<ReturnType<MemoryLeases['acquire']>>;
    const acquire = async () => {
      granted = await this.#leases.acquire(name);
      return granted;
    };
    const lease = await call(acquire).catch((error: unknown) => {
      granted?.expire();
      throw error;
    });
    return lease && { ...lease, release: () => call(() => lease.release()).catch(() => lease.expire()) };
  }

  /** @param redeliver what the queue or Event Grid does after the death of this instance */
  #instance(redeliver: () => void): { readonly call: Call; readonly ports: JobPorts } {
    let isDead = false;
    const die = (): Promise<never> => {
      isDead = true;
      this.#leases.kill();
      redeliver();
      return new Promise(() => {});
    };

    const call: Call = async (effect) => {
      if (isDead) return new Promise(() => {});
      await new Promise<void>((go) => this.#inFlight.push(go));
      this.steps += 1;

      const trouble = this.#history.troubles.find(({ step }) => step === this.steps)?.trouble;
      if (trouble) this.#lastTroubleMs = this.#nowMs;
      if (trouble === 'killedBefore') return die();
      if (trouble === 'noEffect') throw new Error('no answer');

      const result = await effect();
      if (trouble === 'killedAfter') return die();
      if (trouble === 'answerLost') throw new Error('no answer');

      return result;
    };

    const ports: JobPorts = {
      items: this.#items.port((_, effect) => call(effect)),
      queue: {
        send: (_, work, seconds = 0) =>
          call(() => this.#after(seconds * 1_000, () => this.#deliver(work as ChangesWork))),
      },
      poison: async (reason, detail) => {
        this.poisoned.push(`${reason}: ${detail}`);
      },
      now: () => new Date(this.#nowMs),
      log: () => {},
    };

    return { call, ports };
  }
}

type Call = <T>(effect: () => T | Promise<T>) => Promise<T>;

/** Plays a history to its end. @returns the number of its steps */
async function holds(history: History, mostMs = MOST_MS): Promise<number> {
  const world = new World(history);
  const ms = await world.run();
  const about = JSON.stringify(history);

  expect(world.poisoned, about).toEqual([]);
  expect(ms, about).toBeLessThan(mostMs + Math.max(...history.changes.map(({ atMs }) => atMs)));

  return world.steps;
}

const TWO = [
  { atMs: 0, unreadMs: 0 },
  { atMs: 1_200, unreadMs: 6_000 },
];

it('Each change is checked although the instance that handles it dies, or has no answer, at any one call', async () => {
  const steps = await holds({ changes: TWO, troubles: [], seed: 1 });

  for (let step = 1; step <= steps + 5; step += 1) {
    for (const trouble of TROUBLES) await holds({ changes: TWO, troubles: [{ step, trouble }], seed: step });
  }
});

it('Each of several changes is checked within seconds, however the calls of three instances interleave', async () => {
  for (let seed = 1; seed <= 600; seed += 1) {
    const changes = [0, 1, 2, 3, 4].map((index) => ({
      atMs: (index * seed * 377) % 3_000,
      unreadMs: index === 4 ? 5_000 : 0,
    }));
    await holds({ changes, troubles: [], seed }, 15_000);
  }
});

it('Each of several changes is checked in random histories with two faults', async () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const changes = [0, 1, 2, 3].map((index) => ({
      atMs: (index * seed * 377) % 9_000,
      unreadMs: (seed * (index + 1)) % 3 === 0 ? 60_000 : 0,
    }));
    const troubles = [seed % 29, 17 + (seed % 47)].map((step, index) => ({
      step,
      trouble: TROUBLES[(seed + index) % TROUBLES.length] ?? 'killedAfter',
    }));

    await holds({ changes, troubles, seed });
  }
});
