import { beforeEach, describe, expect, it } from 'vitest';
import { RECEIVER_HOST } from '../../local/azure/receiver.ts';
import { storageClock } from '../../src/azure/storage-clock.ts';
import { runWithTimeLimit } from '../../src/functions/time-limits.ts';
import { type Job, runJob, toHint } from '../../src/index/jobs.ts';
import { collectNotifications } from '../../src/notify/collect.ts';
import { deliver } from '../../src/notify/deliver.ts';
import { formatNameOfKey } from '../../src/notify/from-record.ts';
import type { Services } from '../../src/services.ts';
import { NOTIFY_WORK, type NotifyWork } from '../../src/work/messages.ts';
import { DONE } from '../../src/work/outcome.ts';
import { processWork } from '../../src/work/process.ts';
import { replay } from '../../src/work/work-queue-client.ts';
import { report } from '../drift/reports.ts';
import { useWire } from '../support/wire.ts';
import { workItems } from '../support/work-items.ts';
import { CMK_NOTIFY, TARGETS, verified } from './targets.ts';

const wire = useWire();
const signal = new AbortController().signal;
const KEY = 'https://kv-files.vault.azure.net/keys/';
let mark = 0;
let number = 0;

beforeEach(async () => {
  // What the tests before have left is told by now.
  await collect();
  await wire.queues.getQueueClient(NOTIFY_WORK).clearMessages();
  for (const item of await stored()) await instance().workItems.finish(item);
  wire.sent.length = 0;
  wire.records.length = 0;
  mark = wire.azure.received.length;
});

const instance = (env: Record<string, string> = {}) => wire.services({ CMK_NOTIFY, ...env });
const collect = (services = instance()) => collectNotifications(services, wire.log, signal);
const received = (name?: string) =>
  wire.azure.received.slice(mark).filter(({ path }) => name === undefined || path.startsWith(`/${name}`));
const revoked = async (services: Services) => {
  number += 1;

  const resource = `${KEY}k${number}`;
  const entry = {
    id: `revoke-${number}`,
    action: 'key.revoke',
    reason: 'Revoked',
    resource,
    details: { why: 'stolen' },
  };

  expect(await services.audit(entry, 5_000)).toHaveProperty('written');

  return formatNameOfKey(resource);
};

/** Takes every message that is in sight, as the host does, once; after how many seconds each job runs again. */
async function work(services = instance()): Promise<number[]> {
  const queue = wire.queues.getQueueClient(NOTIFY_WORK);
  const before = wire.records.length;
  const { receivedMessageItems } = await queue.receiveMessages({ numberOfMessages: 32, visibilityTimeout: 600 });
  for (const { messageId, popReceipt, messageText } of receivedMessageItems) {
    await processWork({
      queueName: NOTIFY_WORK,
      received: { entry: JSON.parse(messageText), dequeueCount: 1 },
      run: async (message, poison) => {
        const run = (job: Job) => runWithTimeLimit(30_000, () => deliver(job as NotifyWork, services, wire.log));
        await runJob(message, run, {
          ...services,
          items: services.workItems,
          poison,
          now: storageClock.now,
          log: wire.log,
        });
        return DONE;
      },
      queue: services.queue,
      log: wire.log,
    });

    await queue.deleteMessage(messageId, popReceipt);
  }

  return wire.records
    .slice(before)
    .flatMap(({ delaySeconds }) => (delaySeconds === undefined ? [] : Number(delaySeconds)));
}

const stored = async () => (await workItems(instance())).filter(({ kind }) => kind === 'notify');

/** Makes all stored notifications due, and does what their hints ask for. */
async function again(services = instance()): Promise<number[]> {
  const due = storageClock.now();
  const items = (await stored()).map(({ etag, ...item }) => ({ ...item, due }));
  await services.workItems.put(items);
  await wire.queues.getQueueClient(NOTIFY_WORK).clearMessages();

  for (const item of items) {
    const hint = toHint(item);
    if (hint) await services.queue.send(NOTIFY_WORK, hint);
  }

  return work(services);
}

const outage = { match: { host: RECEIVER_HOST }, answer: { status: 503 } };

describe('a notification', () => {
  it('A notification is sent to every target that requested it, in its form, signed, and to none twice', async () => {
    const services = instance();
    const key = await revoked(services);

    await collect();
    await work();

    const [event] = received('siem');
    expect(event?.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');

    expect(JSON.parse(event?.body ?? '')).toMatchObject({
      id: event && verified(event),
      type: 'CmkAutopilot.Revoked',
      source: services.settings.drift.functionAppId,
      data: { title: `${key} was revoked`, why: 'stolen' },
    });

    expect(JSON.parse(received('ops')[0]?.body ?? '')).toMatchObject({ type: 'message' });
    expect(JSON.parse(received('chat')[0]?.body ?? '')).toMatchObject({ text: `🔴 ${key} was revoked` });
    expect(received()).toHaveLength(3);

    // Nothing new: nothing is said again, by whichever instance.
    await Promise.all([collect(), collect(), collect()]);

    expect(await work()).toEqual([]);
    expect(received()).toHaveLength(3);
  });

  it('A notification outlives an outage of its receiver: nothing is lost, nothing comes twice', async () => {
    const services = instance();
    const keys = [await revoked(services)];

    wire.azure.faults.add([outage]);
    await collect();

    expect(await work()).toEqual([15, 15, 15]);

    keys.push(await revoked(services));
    await collect();
    await work();

    expect(await again()).toHaveLength(6);
    expect(received()).toEqual([]);

    wire.azure.faults.clear();
    await again();
    keys.push(await revoked(services));
    await collect();
    await work();
    await collect();
    await work();

    for (const { name } of TARGETS) {
      const bodies = received(name).map(({ body }) => body);
      for (const key of keys) expect(bodies.filter((body) => body.includes(`${key} was revoked`))).toHaveLength(1);
      expect(bodies).toHaveLength(3);
    }

    expect(new Set(received('siem').map(verified)).size).toBe(3);
    expect(JSON.stringify(wire.records)).not.toMatch(new RegExp(`s3cret|${RECEIVER_HOST}`));
  });

  it('A notification keeps its id when an answer is lost and it is sent again: at least once', async () => {
    await revoked(instance());
    await collect();
    wire.azure.faults.add([{ match: { host: RECEIVER_HOST, path: '^/siem' }, times: 1, resetAfter: true }]);
    await work();
    await again();
    const ids = received('siem').map(verified);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    expect([received('ops').length, received('chat').length]).toEqual([1, 1]);
  });

  it('A notification is queued again when its instance dies after queuing it, and sent once', async () => {
    await revoked(instance());
    const services = instance();
    const saveProgress = () => Promise.reject(new Error('killed'));
    await collect({ ...services, outbox: { ...services.outbox, saveProgress } });
    await collect();
    expect(wire.sent).toHaveLength(6);
    await work();
    expect(received()).toHaveLength(3);
  });

  it('A notification waits as long as its receiver asks, but not for days', async () => {
    await revoked(instance());
    await collect();

    const asks = (path: string, value: string, status = 429) => ({
      match: { host: RECEIVER_HOST, path },
      times: 1,
      answer: { status, headers: { 'retry-after': value } },
    });

    const date = new Date(wire.azure.clock.now().getTime() + 600_000).toUTCString();

    wire.azure.faults.add([asks('^/siem', '120'), asks('^/ops', date, 503), asks('^/chat', '999999')]);

    const delays = (await work()).sort((a, b) => a - b);
    expect(delays[0]).toBe(120);
    expect(delays[1]).toBeGreaterThan(590);
    expect(delays[1]).toBeLessThanOrEqual(600);
    expect(delays[2]).toBe(21_600);
  });

  it('A notification follows no redirect', async () => {
    await revoked(instance());
    await collect();
    const headers = { location: `https://${RECEIVER_HOST}/elsewhere` };
    wire.azure.faults.add([{ match: { host: RECEIVER_HOST }, answer: { status: 307, headers } }]);
    expect(await work()).toEqual([15, 15, 15]);
    expect(received()).toEqual([]);
    expect(wire.records.map(({ message }) => message).join()).toContain(
      'siem answered 307: redirects are not followed',
    );
  });

  it('A notification is tried for twelve hours, ends in poison with a record, and can be replayed', async () => {
    await revoked(instance());
    await collect();
    wire.azure.faults.add([outage]);

    let waited = 0;
    let delays = await work();
    for (let tries = 1; delays.length > 0; tries += 1) {
      expect(tries).toBeLessThan(30);

      waited += delays[0] ?? 0;
      delays = await again();
    }

    expect(waited).toBeGreaterThan(11 * 3_600);
    expect(waited).toBeLessThan(14 * 3_600);

    const poisoned = wire.records.filter(({ reason }) => reason === 'Poisoned');
    expect(poisoned).toHaveLength(3);
    expect(poisoned[0]).toMatchObject({ level: 'error', queue: NOTIFY_WORK, because: 'NotificationNotTaken' });

    wire.azure.faults.clear();

    expect(await replay(wire.queues, NOTIFY_WORK)).toEqual({ replayed: 3, left: [] });

    await work();

    expect(received()).toHaveLength(3);
  });

  it('A notification is poison at once when the receiver is gone for good', async () => {
    await revoked(instance());
    await collect();
    wire.azure.faults.add([{ match: { host: RECEIVER_HOST, path: '^/chat' }, answer: { status: 410 } }]);
    expect(await work()).toEqual([]);
    expect(wire.records.filter(({ reason }) => reason === 'Poisoned')).toHaveLength(1);
  });
});

describe('settings of notifications', () => {
  it('Wrong settings hold the notifications in the queue, and the drift check says so', async () => {
    await revoked(instance());
    await collect();
    const wrong = instance({ CMK_NOTIFY: '{"targets":[]}' });
    expect(wrong.settings.drift.problems).toEqual([expect.stringMatching(/^CMK_NOTIFY targets: is empty/)]);
    await collect(wrong);
    expect(wire.records.at(-1)).toMatchObject({ level: 'error', reason: 'NotificationsHeld' });
    expect(await work(wrong)).toEqual([300, 300, 300]);
    await again();
    expect(received()).toHaveLength(3);
  });

  it('Settings that no longer name a target drop the notifications for it, and log that', async () => {
    await revoked(instance());
    await collect();
    await work(instance({ CMK_NOTIFY: JSON.stringify({ targets: [TARGETS[1]] }) }));
    expect(received().map(({ path }) => path)).toEqual(['/ops/s3cret']);
    expect(wire.records.filter(({ reason }) => reason === 'NotificationDropped')).toHaveLength(2);
  });

  it('Settings without a target send nothing', async () => {
    await revoked(instance());
    const before = wire.azure.requests.last;
    await collect(instance({ CMK_NOTIFY: '' }));
    expect(wire.sent).toEqual([]);
    expect(wire.azure.requests.since(before)).toEqual([]);
  });
});

describe('the drift check and the digest', () => {
  const publish = async (id: string, causes = report().causes) => {
    const at = wire.azure.clock.now().toISOString();
    await instance().driftStorage.write(report({ id, startedOn: at, finishedOn: at, causes }));
  };

  const atHour = async (hour: number) => {
    const now = wire.azure.clock.now();
    const next = new Date(now);
    next.setUTCHours(hour, 30, 0, 0);
    if (next <= now) next.setUTCDate(next.getUTCDate() + 1);
    await wire.azure.clock.advance(next.getTime() - now.getTime());
  };

  const titles = () => received('siem').map(({ body }) => (JSON.parse(body) as { data: { title: string } }).data.title);

  it('A new cause is sent once, and the digest once a day, whatever the number of instances', async () => {
    await atHour(3);
    await publish('a1');
    await Promise.all([collect(), collect()]);
    await publish('a2');
    await collect();
    await work();

    expect(titles()).toEqual(['1 new cause of drift']);

    await atHour(2);
    await collect();
    await work();

    expect(titles()).toHaveLength(1);

    await atHour(6);
    await Promise.all([collect(), collect(), collect()]);
    await collect();
    await work();

    expect(titles().slice(1)).toEqual(['Digest: 1 open, 0 new, 0 gone']);

    await atHour(5);
    await collect();
    await work();

    expect(titles()).toHaveLength(2);

    await atHour(7);
    await publish('a3', []);
    await collect();
    await work();

    expect(titles().slice(2)).toEqual(['Digest: 0 open, 0 new, 1 gone']);
  });

  it('New causes and the digest are sent although the audit trail cannot be read', async () => {
    await atHour(8);
    await collect();
    await atHour(7);

    // Gone and back: it has a new time.
    const since = wire.azure.clock.now().toISOString();

    await publish(
      'b1',
      report().causes.map((cause) => ({ ...cause, since })),
    );

    const services = instance();
    const files = { ...services.auditWatch.files, list: () => Promise.reject(new Error('outage')) };

    await collect({ ...services, auditWatch: { ...services.auditWatch, files } });

    expect(wire.records).toEqual([expect.objectContaining({ reason: 'NotificationsHeld' })]);

    await work();

    expect(titles().sort()).toEqual(['1 new cause of drift', 'Digest: 1 open, 1 new, 0 gone']);
  });
});
