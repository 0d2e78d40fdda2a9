import { setImmediate as turn } from 'node:timers/promises';
import type { AuditEntry } from '../../src/audit/record.ts';
import { runJob, toHint } from '../../src/index/jobs.ts';
import { SWEEP_MS } from '../../src/index/work-items.ts';
import { compareAge, type KeyVersion } from '../../src/keys/key-versions.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import { type RotationPorts, rotateWhenDue } from '../../src/rotation/rotate-when-due.ts';
import type { Lease } from '../../src/work/lease-client.ts';
import type { RotateWork } from '../../src/work/messages.ts';
import { day, KEY, keyVersion, VAULTS, versionName } from '../support/keys.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import { MemoryWorkItems } from '../support/memory-work-items.ts';

/** What happens to one call. `late`: the caller is told that no answer came; that, or killed, and it takes effect afterwards. */
export const TROUBLES = ['killedBefore', 'killedAfter', 'killedLate', 'answerLost', 'late', 'noEffect'] as const;
export type Trouble = (typeof TROUBLES)[number];

export interface History {
  /** How many messages ask for the same, each received by an instance of its own. */
  readonly messages: number;
  /** The step that goes wrong, and how. */
  readonly step: number;
  readonly trouble: Trouble;
  /** A call after that which goes wrong, too. */
  readonly later?: { readonly step: number; readonly trouble: Trouble };
  /** Which of the calls under way goes on next. */
  readonly seed: number;
}

export interface Ending {
  readonly versions: readonly KeyVersion[];
  readonly trail: readonly AuditEntry[];
  readonly state: unknown;
  /** Calls that were made: a fault beyond them hits no call. */
  readonly steps: number;
}

/** Within the minute in which what was given up may still take effect. */
const LATE_MS = 55_000;
/** When the queue delivers a message again whose receiver died. */
const REDELIVERY_MS = 30_000;

const REQUEST: RotateWork = {
  kind: 'rotate',
  key: KEY.id,
  cause: { by: 'KeyNearExpiry', ref: 'e1', since: '' },
};

/** Runs one history to its end: until no message waits, no call is under way, and nothing may take effect any more. */
export async function play(history: History): Promise<Ending> {
  const world = new HistoryWorld(history);
  for (let n = 0; n < history.messages; n += 1) world.after(n, () => world.deliver(REQUEST));
  await world.run();
  return world.ending();
}

class HistoryWorld {
  readonly #history: History;
  #nowMs = day(20).getTime();
  readonly #events: { at: number; run: () => void }[] = [];
  readonly #underWay: (() => void)[] = [];
  readonly #leases = new MemoryLeases(() => new Date(this.#nowMs));
  readonly #items = new MemoryWorkItems();
  #versions: KeyVersion[] = [keyVersion(2, { expiresOn: day(40), tags: { owner: 'files', 'cmk-rotation': 'auto' } })];
  readonly #trail: AuditEntry[] = [];
  #steps = 0;
  #random: number;

  constructor(history: History) {
    this.#history = history;
    this.#random = history.seed * 7_919 + 1;
  }

  after(ms: number, run: () => void): void {
    this.#events.push({ at: this.#nowMs + ms, run });
    this.#events.sort((a, b) => a.at - b.at);
  }

  ending(): Ending {
    const state = this.#leases.state(`key/kv-files.vault.azure.net/${KEY.name}`);
    return {
      versions: [...this.#versions].sort(compareAge),
      trail: [...new Map(this.#trail.map((entry) => [entry.id, entry])).values()],
      state,
      steps: this.#steps,
    };
  }

  async run(): Promise<void> {
    for (let turns = 0; turns < 5_000; turns += 1) {
      await turn();

      if (this.#underWay.length > 0) {
        this.#random = (this.#random * 48_271) % 2_147_483_647;

        const [next] = this.#underWay.splice(this.#random % this.#underWay.length, 1);

        this.#nowMs += 50;
        next?.();
        continue;
      }

      const event = this.#events.shift();
      if (!event && this.#items.isEmpty) return;

      if (!event) {
        this.#sweep();
        continue;
      }

      this.#nowMs = Math.max(this.#nowMs, event.at);
      event.run();
    }

    throw new Error('It does not come to an end.');
  }

  /** Sends messages for the jobs that are due and have none. */
  #sweep(): void {
    this.#nowMs += SWEEP_MS;
    for (const item of this.#items.all) {
      const hint = toHint(item);
      if (hint && item.due.getTime() <= this.#nowMs) this.deliver(hint as RotateWork);
    }
  }

  /** An instance takes the message; what comes later is delivered when it is due. */
  deliver(message: RotateWork): void {
    const { ports, call } = this.#instance(message);

    runJob(message, (job) => rotateWhenDue(job as RotateWork, ports, () => {}), {
      items: this.#items.port((_, effect) => call(effect)),
      queue: {
        send: (_, work, seconds = 0) => call(() => this.after(seconds * 1_000, () => this.deliver(work as RotateWork))),
      },
      poison: async (reason, detail) => {
        throw new Error(`Given up: ${reason} ${detail}`);
      },
      now: ports.now,
      log: () => {},
    }).catch(() => this.after(REDELIVERY_MS, () => this.deliver(message)));
  }

  #instance(message: RotateWork) {
    const troubles = [this.#history, this.#history.later];
    let dead = false;
    let holds = false;
    const die = (): Promise<never> => {
      dead = true;
      if (holds) this.#leases.kill();
      this.after(REDELIVERY_MS, () => this.deliver(message));
      return new Promise(() => {});
    };

    /** One call of this instance: a step of the scheduler, which may go wrong. */
    const call = async <T>(effect: () => T | Promise<T>): Promise<T> => {
      if (dead) return new Promise(() => {});

      await new Promise<void>((go) => this.#underWay.push(go));
      this.#steps += 1;

      const hit = troubles.find((one) => one?.step === this.#steps)?.trouble;
      const noAnswer = (): Error => Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' });

      if (hit === 'killedBefore') return die();
      if (hit === 'noEffect') throw noAnswer();

      if (hit === 'late' || hit === 'killedLate') {
        // A late refusal concerns no caller.
        this.after(LATE_MS, () => {
          Promise.resolve(effect()).catch(() => {});
        });
        if (hit === 'killedLate') return die();
        throw noAnswer();
      }

      const result = await effect();

      if (hit === 'killedAfter') return die();
      if (hit === 'answerLost') throw noAnswer();

      return result;
    };

    const ports: RotationPorts = {
      settings: { vaults: VAULTS },
      keys: {
        listVersions: () => call(() => [...this.#versions]),
        rotationPolicy: () => call(() => ({ rotates: false })),
        rotate: () => call(() => this.#make()),
        updateVersion: (_key, version, change) => call(() => this.#update(version, change)),
      },
      leases: {
        acquire: (name) => {
          // A lease that its holder does not know of expires.
          let granted: Awaited<ReturnType<MemoryLeases['acquire']>>;
          let givenUp = false;

          return call(async (): Promise<Lease | undefined> => {
            const lease = await this.#leases.acquire(name);
            if (!lease) return undefined;

            granted = lease;

            if (givenUp || dead) lease.expire();

            holds = true;

            return {
              state: lease.state,
              held: () => lease.held(),
              save: (state) => call(() => lease.save(state)),
              release: async () => {
                // What cannot be released expires.
                await call(() => lease.release()).catch(() => lease.expire());
                holds = false;
              },
            };
          }).catch((error: unknown) => {
            givenUp = true;
            granted?.expire();
            throw error;
          });
        },
      },
      orderStore: { read: async () => NO_ORDERS },
      dependents: () => call(() => ({ answer: 'some' }) as const),
      audit: async (entry) => {
        const written = { written: { file: '', seq: 1, hash: '' } };

        // A block is appended only where its writer saw the end of the trail: one that is late is refused.
        const end = this.#trail.length;
        const write = () => {
          if (this.#trail.length === end) this.#trail.push(entry);
        };
        try {
          await call(write);
          return written;
        } catch {
          return { failed: 'The audit trail did not answer.' };
        }
      },
      now: () => new Date(this.#nowMs),
    };

    return { ports, call };
  }

  #make(): KeyVersion {
    const version = keyVersion(3 + this.#versions.length, {
      createdOn: new Date(Math.floor(this.#nowMs / 1_000) * 1_000),
    });
    this.#versions = [...this.#versions, version];
    return version;
  }

  #update(version: string, change: Partial<KeyVersion>): KeyVersion {
    const [before] = this.#versions.filter((one) => one.version === version);
    if (!before) throw new Error(`There is no version ${version} beside ${versionName(2)}.`);
    const after = { ...before, ...change };
    this.#versions = this.#versions.map((one) => (one === before ? after : one));
    return after;
  }
}
