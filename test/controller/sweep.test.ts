import { beforeEach, describe, expect, it } from 'vitest';
import { Controller, type ControllerPorts } from '../../src/controller/controller.ts';
import { sweepWork } from '../../src/controller/sweep.ts';
import type { FleetWork } from '../../src/controller/worker-ports.ts';
import type { LogRecord } from '../../src/errors/log.ts';
import type { Job } from '../../src/index/jobs.ts';
import { NO_ROLLOUT } from '../../src/index/rollout-row.ts';
import { createKeyItem, type NewWorkItem } from '../../src/index/work-items.ts';
import type { Settings } from '../../src/settings/settings.ts';
import { FLEET_WORK } from '../../src/work/messages.ts';
import { KEY, VAULTS } from '../support/keys.ts';
import { CAUSE, Fleet } from './fleet.ts';

/** Work that is due since so many seconds; less than 0: from then on. */
interface Due {
  readonly dueSince?: number;
}

const subscriptionOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

let fleet: Fleet;
let sent: { readonly work: FleetWork; readonly visibleAfter: number }[];
let sentKeys: string[];
let sentJobs: { readonly job: Job; readonly visibleAfter: number }[];
let ports: Parameters<typeof sweepWork>[0];

beforeEach(() => {
  fleet = new Fleet();
  sent = [];
  sentKeys = [];
  sentJobs = [];

  ports = {
    ...fleet.ports(),
    inSight: async () => Array.from({ length: 25 }, (_, n) => subscriptionOf(n)),
    send: async (work, visibleOn) => {
      sent.push({ work, visibleAfter: ((visibleOn?.getTime() ?? fleet.clock) - fleet.clock) / 1000 });
    },
    sendKey: async (key) => {
      sentKeys.push(key);
    },
    sendJob: async (job, visibleOn) => {
      sentJobs.push({ job, visibleAfter: ((visibleOn?.getTime() ?? fleet.clock) - fleet.clock) / 1000 });
    },
  };
});

function want(subscription: string, { dueSince = 60, ...more }: Partial<NewWorkItem> & Due = {}): void {
  const due = new Date(fleet.clock - dueSince * 1000);
  fleet.items.put({ subscription, kind: 'list', about: '', due, since: due, cause: CAUSE, ...more });
}

describe('The sweep', () => {
  it('The sweep sends one message for ten subscriptions with overdue work', async () => {
    const all = Array.from({ length: 25 }, (_, n) => subscriptionOf(n));
    for (const subscription of all) want(subscription);
    expect(await sweepWork(ports)).toBe(25);
    expect(sent.map(({ work }) => work.subscriptions.length)).toEqual([10, 10, 5]);
    expect(sent.flatMap(({ work }) => work.subscriptions)).toEqual(all);
    expect(sent.map(({ visibleAfter }) => visibleAfter)).toEqual([0, 0, 0]);
  });

  it('The sweep sends work that is due before the next sweep in messages that stay hidden until all of their work is due', async () => {
    want(subscriptionOf(1), { dueSince: -61 });
    want(subscriptionOf(2), { dueSince: -68 });
    want(subscriptionOf(3), { dueSince: -100 });
    want(subscriptionOf(4), { dueSince: -130 });

    expect(await sweepWork(ports)).toBe(0);
    expect(sent.map(({ work }) => work.subscriptions)).toEqual([
      [subscriptionOf(1), subscriptionOf(2)],
      [subscriptionOf(3)],
    ]);

    const late = sent.map(({ visibleAfter }, n) => visibleAfter - (n === 0 ? 68 : 100));
    expect(late.every((seconds) => seconds >= 0 && seconds < 10)).toBe(true);
  });

  it('The sweep skips an item that names no subscription: it would make the message of nine others invalid', async () => {
    want('no subscription');
    want(subscriptionOf(1));
    await sweepWork(ports);
    expect(sent.map(({ work }) => work.subscriptions)).toEqual([[subscriptionOf(1)]]);
  });

  it('The sweep finishes overdue work of subscriptions that are no longer managed, and keeps it while those are unknown', async () => {
    want(subscriptionOf(1), { dueSince: 0 });
    want(subscriptionOf(99));
    await sweepWork({ ...ports, inSight: async () => undefined });
    expect(fleet.items.all).toHaveLength(2);
    sent = [];
    expect(await sweepWork(ports)).toBe(0);
    expect(sent).toEqual([]);
    expect(fleet.items.all).toMatchObject([{ subscription: subscriptionOf(1) }]);
  });

  it('The sweep skips the rollouts and the re-keys of keys whose vault is no longer managed', async () => {
    const gone = 'https://kv-gone.vault.azure.net/keys/files-key';
    const since = new Date(fleet.clock - 3_600_000).toISOString();
    const row = { ...NO_ROLLOUT, target: `${gone}/1`, unfinished: 3, progressOn: since, checkedOn: since };

    await ports.rollouts.put(gone, row, undefined);

    const order = {
      id: 'rekey-1',
      from: gone,
      to: KEY.id,
      maxFailures: 3,
      reason: 'test',
      by: { objectId: 'operator' },
    };

    const rekey = { ...order, state: 'active', startedOn: since } as const;

    await ports.orders.change((orders) => ({ ...orders, rekeys: [rekey] }));

    expect(await sweepWork(ports)).toBe(0);
    expect([sentKeys, fleet.items.all]).toEqual([[], []]);
  });

  it('The sweep sends a message for each key with overdue work', async () => {
    fleet.items.put({ ...createKeyItem(KEY.id, CAUSE, new Date(fleet.clock - 60_000)) });
    await sweepWork(ports);
    expect([sent, sentKeys]).toEqual([[], [KEY.id]]);
  });
});

describe('The sweep of jobs', () => {
  const job = { subscription: '-', about: KEY.id, cause: CAUSE } as const;

  it('The sweep sends a message for each job that is overdue, and a hidden one for each that is due before the next sweep', async () => {
    want('-', { ...job, kind: 'rotate' });
    want('-', { ...job, kind: 'probe', dueSince: -100 });
    expect(await sweepWork(ports)).toBe(1);
    expect([sent, sentKeys]).toEqual([[], []]);
    expect(sentJobs).toEqual([
      { job: { kind: 'probe', key: KEY.id, cause: CAUSE, hint: true }, visibleAfter: 100 },
      { job: { kind: 'rotate', key: KEY.id, cause: CAUSE, hint: true }, visibleAfter: 0 },
    ]);
  });

  it('The sweep sends no message for a job that runs, or that waits for a later sweep', async () => {
    want('-', { ...job, kind: 'rotate', dueSince: 10 });
    want('-', { ...job, kind: 'probe', dueSince: -150 });
    expect(await sweepWork(ports)).toBe(0);
    expect(sentJobs).toEqual([]);
  });
});

describe('The sweep of an instance', () => {
  const logs: LogRecord[] = [];
  const log = (record: LogRecord) => {
    logs.push(record);
  };
  let queued: string[];
  let isQueueDown: boolean;

  const controller = () =>
    new Controller({
      ...(ports as unknown as ControllerPorts),
      settings: { vaults: VAULTS, subscriptions: undefined } as Settings,
      queue: {
        send: async (queue) => {
          if (isQueueDown) throw new Error('no answer');
          queued.push(queue);
        },
      },
    });

  beforeEach(() => {
    logs.length = 0;
    queued = [];
    isQueueDown = false;
    want(subscriptionOf(1));
  });

  it('The sweep sends overdue work and logs that, however long the queue is', async () => {
    await controller().sweep(log);
    expect(queued).toEqual([FLEET_WORK]);
    expect(logs).toMatchObject([{ reason: 'WorkOverdue', overdue: 1 }]);
  });

  it('The sweep does not report work as sent that the queue rejected', async () => {
    isQueueDown = true;
    await expect(controller().sweep(log)).rejects.toThrow();
    expect(logs).toEqual([]);
  });
});
