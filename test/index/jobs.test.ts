import { beforeEach, describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/errors/log.ts';
import { CLAIM_MS, type Job, type JobPorts, requestJob, runJob, toHint } from '../../src/index/jobs.ts';
import { LONGEST_WAIT_MS, type WorkItem } from '../../src/index/work-items.ts';
import { BUSY, type JobOutcome } from '../../src/work/outcome.ts';
import { KEY } from '../support/keys.ts';
import { MemoryWorkItems } from '../support/memory-work-items.ts';

const CAUSE = { by: 'KeyNearExpiry', ref: 'e1', since: '' };
const REQUEST: Job = { kind: 'rotate', key: KEY.id, cause: CAUSE };
const HINT: Job = { ...REQUEST, hint: true };
const NOON = Date.parse('2026-06-01T12:00:00.000Z');
const DONE = { outcome: 'done' } as const;
const AGAIN = { outcome: 'again', delaySeconds: 40 } as const;

function retry(more: { readonly counts?: boolean; readonly delaySeconds?: number } = {}): JobOutcome {
  return { outcome: 'retry', reason: 'Conflict', detail: 'why', counts: true, delaySeconds: undefined, ...more };
}

let nowMs: number;
let items: MemoryWorkItems;
let sent: { readonly work: Job; readonly delaySeconds: number }[];
let poisoned: string[];
let logs: LogRecord[];

beforeEach(() => {
  nowMs = NOON;
  items = new MemoryWorkItems();
  sent = [];
  poisoned = [];
  logs = [];
});

function ports(): JobPorts {
  return {
    items: items.port(),
    queue: {
      send: async (_, work, delaySeconds = 0) => {
        sent.push({ work: work as Job, delaySeconds });
      },
    },
    poison: async (reason, detail) => {
      poisoned.push(`${reason}: ${detail}`);
    },
    now: () => new Date(nowMs),
    log: (record) => {
      logs.push(record);
    },
  };
}

/** Runs a message. @returns whether the job ran */
async function run(message: Job, outcome: JobOutcome = DONE, own = ports()): Promise<boolean> {
  let hasRun = false;
  const job = async () => {
    hasRun = true;
    return outcome;
  };
  await runJob(message, job, own);
  return hasRun;
}

function stored(): WorkItem | undefined {
  return items.all[0];
}

const secondsUntilDue = () => ((stored()?.due.getTime() ?? 0) - nowMs) / 1_000;

function put(more: { readonly dueMs?: number; readonly attempts?: number } = {}): void {
  const due = new Date(more.dueMs ?? nowMs);
  const job = { subscription: '-', kind: 'rotate', about: KEY.id, cause: CAUSE } as const;
  items.put({ ...job, due, since: due, attempts: more.attempts ?? 0 });
}

describe('a request', () => {
  it('A request stores an item that is due only if its message is lost', async () => {
    await requestJob(REQUEST, 1, ports());
    expect(secondsUntilDue()).toBe(1 + CLAIM_MS / 1_000);
    expect(sent).toEqual([{ work: REQUEST, delaySeconds: 1 }]);
  });

  it('A request keeps the item of an earlier one', async () => {
    put({ attempts: 5 });
    const before = items.all;
    await requestJob(REQUEST, 1, ports());
    expect(items.all).toEqual(before);
  });

  it('A request fails only if neither its item nor its message can be stored', async () => {
    const down = async (): Promise<never> => {
      throw new Error('down');
    };
    const noTable = { ...ports(), items: { ...items.port(), putNew: down } };
    const noQueue = { ...ports(), queue: { send: down } };

    await requestJob(REQUEST, 1, noTable);
    await requestJob(REQUEST, 1, noQueue);

    expect([sent.length, items.all.length]).toEqual([1, 1]);
    await expect(requestJob(REQUEST, 1, { ...noTable, queue: { send: down } })).rejects.toThrow('down');
  });
});

describe('a job that is requested', () => {
  it('A request leaves nothing when its job is done', async () => {
    expect(await run(REQUEST)).toBe(true);
    expect([items.all, sent, poisoned]).toEqual([[], [], []]);
  });

  it('A requested job that fails is stored with the time and the number of its attempts, and a hint is sent for that time', async () => {
    await run(REQUEST, retry());
    expect(stored()).toMatchObject({ kind: 'rotate', about: KEY.id, attempts: 1, reason: 'Conflict', cause: CAUSE });
    expect(secondsUntilDue()).toBe(15);
    expect(sent).toEqual([{ work: HINT, delaySeconds: 15 }]);
    expect(logs).toMatchObject([{ level: 'warning', reason: 'Conflict', attempts: 1, delaySeconds: 15 }]);
  });

  it('A request runs a job at once that waits for a later time, and continues its attempts', async () => {
    put({ dueMs: nowMs + 300_000, attempts: 5 });
    expect(await run(REQUEST, retry())).toBe(true);
    expect(stored()?.attempts).toBe(6);
  });

  it('A job with a next step runs again with its attempts reset', async () => {
    put({ attempts: 5 });
    await run(REQUEST, AGAIN);
    expect([stored()?.attempts, secondsUntilDue(), sent]).toEqual([0, 40, [{ work: HINT, delaySeconds: 40 }]]);
  });

  it('A job whose item another worker changes during the run requests its next step by a message', async () => {
    await runJob(
      REQUEST,
      async () => {
        put({ dueMs: nowMs + 150_000 });
        return AGAIN;
      },
      ports(),
    );

    expect(secondsUntilDue()).toBe(150);
    expect(sent).toEqual([{ work: { ...REQUEST, hint: undefined }, delaySeconds: 40 }]);
  });

  it('A request of a job that another worker runs leaves the item of that worker', async () => {
    put({ dueMs: nowMs + 100_000, attempts: 2 });
    const before = items.all;
    await run(REQUEST, BUSY);
    expect(items.all).toEqual(before);
    expect(sent).toEqual([]);
  });

  it('A requested job runs, and waits in the queue, while the table does not answer', async () => {
    const down = async (): Promise<never> => {
      throw new Error('no table');
    };
    const own = { ...ports(), items: { ...items.port(), ofKey: down, putNew: down } };
    expect(await run(REQUEST, retry(), own)).toBe(true);
    expect(sent).toEqual([{ work: { ...REQUEST, hint: undefined }, delaySeconds: 15 }]);
  });

  it('A job that throws counts as failed', async () => {
    const fails = async () => {
      throw new Error('boom');
    };
    await runJob(REQUEST, fails, ports());
    expect(stored()).toMatchObject({ attempts: 1, reason: 'Unexpected' });
  });
});

describe('a hint', () => {
  it.each([
    ['has no item', undefined],
    ['has an item that is due later', { dueMs: NOON + 10_000 }],
  ])('A hint runs nothing if it %s', async (_, item) => {
    if (item) put(item);
    expect(await run(HINT)).toBe(false);
  });

  it('A hint runs an item that is due, within the precision of the clock', async () => {
    put({ dueMs: nowMs + 1_000 });
    expect(await run(HINT)).toBe(true);
    expect(items.all).toEqual([]);
  });

  it('A hint of a job that another worker runs is repeated later, without counting an attempt', async () => {
    put({ attempts: 2 });
    await run(HINT, BUSY);
    expect([stored()?.attempts, secondsUntilDue(), sent]).toEqual([2, CLAIM_MS / 1_000, []]);
  });

  it('A hint runs no item that another instance runs', async () => {
    put();

    let second = true;
    await runJob(
      HINT,
      async () => {
        second = await run(HINT);
        return DONE;
      },
      ports(),
    );

    expect(second).toBe(false);
  });
});

it('A request during a run stays stored, if the run began before it', async () => {
  put();

  await runJob(
    HINT,
    async () => {
      put();
      return DONE;
    },
    ports(),
  );

  expect(items.all).toHaveLength(1);
});

describe('attempts', () => {
  it('Attempts follow after 15, 30, 60, 120, 240 and then 300 seconds, and end after 24 in the poison queue', async () => {
    const delays: number[] = [];

    await run(REQUEST, retry());
    while (items.all.length > 0 && delays.length < 30) {
      delays.push(secondsUntilDue());
      nowMs = stored()?.due.getTime() ?? nowMs;
      await run(HINT, retry());
    }

    expect(delays.slice(0, 7)).toEqual([15, 30, 60, 120, 240, 300, 300]);
    expect(delays).toHaveLength(23);
    expect(poisoned).toEqual(['Conflict: Failed after 24 attempts. why']);
  });

  it('Attempts that Azure throttles do not count', async () => {
    put({ attempts: 23 });
    await run(HINT, retry({ counts: false }));
    expect([stored()?.attempts, secondsUntilDue(), poisoned]).toEqual([23, 15, []]);
  });

  it('Attempts wait for a longer Retry-After, up to the longest time that the app sets', async () => {
    await run(REQUEST, retry({ delaySeconds: 100 }));
    expect(secondsUntilDue()).toBe(100);
    await run(REQUEST, retry({ delaySeconds: 86_400 }));
    expect(secondsUntilDue()).toBe(LONGEST_WAIT_MS / 1_000);
  });

  it('A job that a retry cannot help becomes poison at once', async () => {
    put();
    await run(HINT, { outcome: 'reject', reason: 'VaultNotManaged', detail: 'no vault' });
    expect([items.all, poisoned]).toEqual([[], ['VaultNotManaged: no vault']]);
  });
});

it('The check of changes is one job, whose hint names nothing', async () => {
  const changes: Job = { kind: 'changes', cause: CAUSE };
  await run(changes, retry());
  expect(stored()).toMatchObject({ kind: 'changes', about: '' });
  expect(toHint(stored() as WorkItem)).toEqual({ ...changes, hint: true });
});

describe('a notification', () => {
  const notify: Job = { kind: 'notify', target: 'siem', notification: '0'.repeat(32), cause: CAUSE };

  it('A notification that fails is stored by its target and id, and its hint goes to its own queue', async () => {
    const queues: string[] = [];
    const { queue, ...rest } = ports();
    const send = async (name: string) => {
      queues.push(name);
    };
    await run(notify, retry(), { ...rest, queue: { ...queue, send } });
    expect(stored()).toMatchObject({ kind: 'notify', about: `siem/${'0'.repeat(32)}` });
    expect(queues).toEqual(['notify-work']);
    expect(toHint(stored() as WorkItem)).toEqual({ ...notify, hint: true });
  });

  it('A notification waits as long as its receiver asks, up to six hours', async () => {
    await run(notify, retry({ delaySeconds: 86_400 }));
    expect(secondsUntilDue()).toBe(21_600);
    expect(sent).toEqual([]);
    expect(await run({ ...notify, hint: true })).toBe(false);
  });
});

describe('a job whose process dies', () => {
  const dies = new Promise<never>(() => {});

  it('A job whose process dies is due again after its claim, and counts as attempted', async () => {
    put({ attempts: 3 });
    runJob(HINT, () => dies, ports()).catch(() => {});
    await expect.poll(() => stored()?.attempts).toBe(4);
    expect(secondsUntilDue()).toBe(CLAIM_MS / 1_000);
  });

  it('A job whose process died at each of 24 attempts becomes poison', async () => {
    put({ attempts: 24 });
    expect(await run(HINT)).toBe(false);
    expect(poisoned).toHaveLength(1);
    expect(items.all).toEqual([]);
  });

  it.each([
    ['fails', retry(), 0],
    ['fails for the last time', retry(), 23],
    ['is rejected', { outcome: 'reject', reason: 'VaultNotManaged', detail: '' } as const, 0],
    ['has a next step', { outcome: 'again', delaySeconds: 5 } as const, 0],
  ])('A job that %s is stored or poison, at whichever call its process dies', async (_, outcome, attempts) => {
    for (let killedAt = 1; killedAt <= 6; killedAt += 1) {
      for (const takesEffect of [true, false]) {
        items.clear();
        put({ attempts });
        poisoned = [];

        let calls = 0;
        const killed = Promise.withResolvers<void>();
        const call = async <T>(effect: () => T | Promise<T>): Promise<T> => {
          calls += 1;
          if (calls > killedAt) return dies;
          if (calls < killedAt) return effect();
          if (takesEffect) await effect();
          killed.resolve();
          return dies;
        };

        const { queue, poison, ...rest } = ports();
        const own: JobPorts = {
          ...rest,
          items: items.port((_label, effect) => call(effect)),
          queue: { send: (...work) => call(() => queue.send(...work)) },
          poison: (...of) => call(() => poison(...of)),
        };

        const message = toHint(stored() as WorkItem) as Job;
        await Promise.race([runJob(message, async () => outcome, own), killed.promise]);

        expect(items.all.length + poisoned.length, `${killedAt} ${takesEffect}`).toBeGreaterThan(0);
      }
    }
  });
});
