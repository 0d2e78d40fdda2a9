import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ActivationServices, awaitActivation } from '../../src/accounts/await-activation.ts';
import { nextActivation } from '../../src/keys/key-versions.ts';
import type { KeyWork } from '../../src/work/messages.ts';
import { KEY, keyVersion } from '../support/keys.ts';

const START = Date.UTC(2026, 0, 10);
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const LOOK: KeyWork = { kind: 'key', key: KEY.id, cause: { by: 'drift', ref: 'r', since: '' }, attempt: 0 };

type Fault = 'none' | 'killed before the state is saved' | 'no lease to be had';
/** A look without the lease does not know what waits: it sends for what is minutes away, and for what comes after it. */
const MOST_TOO_MANY: Readonly<Record<Fault, number>> = {
  none: 0,
  'killed before the state is saved': 1,
  'no lease to be had': 2,
};

/** A queue, a lease and a clock of one key, and any number of instances that look at it. */
class World {
  nowMs = START;
  /** When versions become active. */
  activations: number[] = [];
  queue: { work: KeyWork; dueMs: number }[] = [];
  #state: unknown;
  #held = false;

  services(fault: Fault, clockMs = 0): ActivationServices {
    return {
      now: () => new Date(this.nowMs + clockMs),
      sleep: async () => {},
      queue: {
        send: async (_, work, seconds = 0) => {
          this.queue.push({ work: JSON.parse(JSON.stringify(work)), dueMs: this.nowMs + seconds * 1000 });
        },
        poison: async () => {},
      },
      leases: {
        acquire: async () => {
          if (fault === 'no lease to be had') throw new Error('no storage');
          if (this.#held) return undefined;
          this.#held = true;
          return {
            state: this.#state,
            held: () => true,
            save: async (state) => {
              if (fault === 'killed before the state is saved') throw new Error('killed');
              this.#state = JSON.parse(JSON.stringify(state));
            },
            release: async () => {
              this.#held = false;
            },
            abandon: async () => true,
            releaseAfter: async () => true,
          };
        },
      },
    };
  }

  get versions() {
    return [
      keyVersion(1, { createdOn: new Date(START - DAY) }),
      ...this.activations.map((ms, n) =>
        keyVersion(n + 2, { createdOn: new Date(START + n), notBefore: new Date(ms) }),
      ),
    ];
  }

  async look(work: KeyWork = LOOK, fault: Fault = 'none', clockMs = 0): Promise<void> {
    await awaitActivation(KEY, this.versions, work, this.services(fault, clockMs));
  }

  /** Delivers what is due, `times` times each, as a queue may. */
  async deliver(times = 1, fault: Fault = 'none', clockMs = 0): Promise<void> {
    const due = this.queue.filter(({ dueMs }) => dueMs <= this.nowMs);
    this.queue = this.queue.filter(({ dueMs }) => dueMs > this.nowMs);
    for (const { work } of due) {
      for (let time = 0; time < times; time++) await this.look(work, fault, clockMs);
    }
  }
}

describe('a version that is not active yet', () => {
  it('is waited for by one message, whatever the number of looks at once and after each other', async () => {
    const world = new World();
    world.activations = [START + 60 * MINUTE];
    for (let n = 0; n < 20; n++) {
      await world.look();
      world.nowMs += MINUTE;
    }
    expect(world.queue).toHaveLength(1);
    expect(world.queue[0]).toMatchObject({ dueMs: START + 60 * MINUTE + 1_000, work: { waiter: 1 } });
  });

  it('is waited for anew where a queue holds a message for seven days at most, by one message again', async () => {
    const world = new World();
    world.activations = [START + 30 * DAY];
    await world.look();
    for (let day = 0; day < 29; day++) {
      world.nowMs += DAY;
      await world.deliver(2);
      await world.look();
      expect(world.queue, `day ${day}`).toHaveLength(1);
    }
    world.nowMs += 2 * DAY;
    await world.deliver();
    expect(world.queue).toEqual([]);
  });

  it('is waited for anew when it is to be active sooner', async () => {
    const world = new World();
    world.activations = [START + 120 * MINUTE];
    await world.look();
    world.activations = [START + 120 * MINUTE, START + 60 * MINUTE];
    await world.look();
    await world.look();
    expect(world.queue.map(({ dueMs }) => dueMs - START - 1_000)).toEqual([120 * MINUTE, 60 * MINUTE]);
  });

  it('is waited for by another message when the one that waited is lost', async () => {
    const world = new World();
    world.activations = [START + 14 * DAY];
    await world.look();
    world.queue = [];
    world.nowMs += 7 * DAY + 11 * MINUTE;
    await world.look();
    expect(world.queue).toHaveLength(1);
  });

  it('is waited for although the message that waited before it has come, and its end was not written down', async () => {
    const world = new World();
    world.activations = [START + 60 * MINUTE];
    await world.look();
    world.nowMs = world.queue[0]?.dueMs ?? 0;
    await world.deliver(1, 'killed before the state is saved');
    world.activations.push(world.nowMs + 30 * MINUTE);
    await world.look();
    expect(world.queue).toHaveLength(1);
    await world.look();
    expect(world.queue).toHaveLength(1);
  });

  it('that is disabled meanwhile, as by a revocation, and enabled again, is waited for again', async () => {
    const world = new World();
    world.activations = [START + 14 * DAY];
    await world.look();
    world.nowMs = world.queue[0]?.dueMs ?? 0;
    world.activations = [];
    await world.deliver();
    expect(world.queue).toEqual([]);
    world.activations = [START + 14 * DAY];
    await world.look();
    expect(world.queue).toHaveLength(1);
  });
});

it('is never without a message that comes in time, whoever is killed, and messages do not multiply', async () => {
  const fault = fc.constantFrom<Fault>(
    'none',
    'none',
    'none',
    'killed before the state is saved',
    'no lease to be had',
  );
  const clockMs = fc.integer({ min: -150, max: 150 }).map((seconds) => seconds * 1000);
  const step = fc.record({
    do: fc.constantFrom('look', 'look', 'deliver', 'deliver twice', 'wait', 'wait a day', 'new version'),
    fault,
    clockMs,
    minutes: fc.integer({ min: 1, max: 600 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const world = new World();
      let tooMany = 0;
      for (const one of steps) {
        tooMany += MOST_TOO_MANY[one.fault];
        if (one.do === 'new version') world.activations.push(world.nowMs + one.minutes * 30 * MINUTE);
        if (one.do === 'new version' || one.do === 'look') await world.look(LOOK, one.fault, one.clockMs);
        if (one.do === 'deliver') await world.deliver(1, one.fault, one.clockMs);
        if (one.do === 'deliver twice') await world.deliver(2, one.fault, one.clockMs);
        if (one.do === 'wait') world.nowMs += one.minutes * MINUTE;
        if (one.do === 'wait a day') world.nowMs += DAY;
        // The queue delivers what is due before long.
        if (one.do === 'wait' || one.do === 'wait a day') await world.deliver(1, one.fault, one.clockMs);
        const next = nextActivation(world.versions, new Date(world.nowMs))?.getTime() ?? Number.NaN;
        if (next > world.nowMs + 10 * MINUTE) {
          expect(Math.min(...world.queue.map(({ dueMs }) => dueMs))).toBeLessThanOrEqual(next + 6 * MINUTE);
        }
        // One that waits, one for each time that something earlier came up, and what faults cost.
        expect(world.queue.length).toBeLessThanOrEqual(1 + world.activations.length + tooMany);
      }
    }),
    { numRuns: 500 },
  );
});
