import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/errors/log.ts';
import { KEY_WORK, PARSERS, type RevocationWork, type Work } from '../../src/work/messages.ts';
import type { Outcome } from '../../src/work/outcome.ts';
import { MAX_DEQUEUE_COUNT, planNextTry, processWork } from '../../src/work/process.ts';
import type { WorkQueue } from '../../src/work/work-queue-client.ts';

const WORK: RevocationWork = {
  kind: 'revocation',
  key: 'https://kv-files.vault.azure.net/keys/files-key',
  cause: { by: 'revoke', ref: 'e1', since: '' },
  attempt: 3,
};

/** A queue that keeps what it is given, to see what the decision was. */
function memory() {
  const sent: { queue: string; work: Work; delaySeconds: number | undefined }[] = [];
  const poisoned: string[] = [];
  const records: LogRecord[] = [];
  const queue: Pick<WorkQueue, 'send' | 'poison'> = {
    send: async (name, work, delaySeconds) => {
      sent.push({ queue: name, work, delaySeconds });
    },
    poison: async (_, text) => {
      poisoned.push(text);
    },
  };
  const run = (outcome: Outcome | Error, entry: unknown = WORK, dequeueCount = 1) =>
    processWork({
      queueName: KEY_WORK,
      received: { entry, dequeueCount },
      run: async () => {
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
      queue,
      log: (record) => {
        records.push(record);
      },
    });

  return { sent, poisoned, records, run, queue };
}

describe('processWork', () => {
  it('processWork leaves nothing behind when the work is done', async () => {
    const { sent, poisoned, run } = memory();
    await run({ outcome: 'done' });
    expect([...sent, ...poisoned]).toEqual([]);
  });

  it('processWork puts a message into the poison queue after the last try, with an error record', async () => {
    const { sent, poisoned, records, run } = memory();
    await run(
      { outcome: 'retry', reason: 'IdentityHasNoAccess', detail: '', counts: true, delaySeconds: undefined },
      { ...WORK, attempt: 23 },
    );

    expect(sent).toEqual([]);
    expect(poisoned.map((text) => JSON.parse(text))).toEqual([{ ...WORK, attempt: 23 }]);
    expect(records).toMatchObject([
      { level: 'error', reason: 'Poisoned', because: 'IdentityHasNoAccess', queue: KEY_WORK },
    ]);
  });

  it.each([
    [
      'what can never be done',
      { outcome: 'reject', reason: 'PurgeProtectionOff', detail: 'x' } as const,
      WORK,
      JSON.stringify(WORK),
    ],
    ['text', { outcome: 'done' } as const, 'hello', 'hello'],
    ['a number', { outcome: 'done' } as const, 123, '123'],
    [
      'a message without a key',
      { outcome: 'done' } as const,
      { ...WORK, key: undefined },
      JSON.stringify({ ...WORK, key: undefined }),
    ],
    [
      'a message of the other queue',
      { outcome: 'done' } as const,
      { ...WORK, kind: 'account' },
      JSON.stringify({ ...WORK, kind: 'account' }),
    ],
  ])('processWork puts %s into the poison queue as it came, with an error record', async (_, outcome, entry, text) => {
    const { poisoned, records, run } = memory();
    await run(outcome, entry);
    expect(poisoned).toEqual([text]);
    expect(records).toMatchObject([{ level: 'error', reason: 'Poisoned' }]);
  });

  it('A message that counts no attempts fails if its work does not end in time, so the host delivers it again', async () => {
    const late = { outcome: 'retry', reason: 'ServiceUnavailable', detail: 'too late', counts: true } as const;
    const entry = { ...WORK, kind: 'key' };
    const { sent, poisoned, records, run } = memory();

    await expect(run({ ...late, delaySeconds: undefined }, entry)).rejects.toThrow('too late');
    expect([...sent, ...poisoned]).toEqual([]);

    await run({ ...late, delaySeconds: undefined }, entry, MAX_DEQUEUE_COUNT);
    expect(poisoned).toEqual([JSON.stringify(entry)]);
    expect(records).toMatchObject([{ level: 'error', reason: 'Poisoned', detail: 'too late' }]);
  });

  it('processWork lets the host try again when it throws, and moves the message itself at the last delivery', async () => {
    const { records, poisoned, run } = memory();
    await expect(run(new Error('boom'))).rejects.toThrow('boom');
    expect(records).toEqual([]);
    await run(new Error('boom'), WORK, MAX_DEQUEUE_COUNT);
    expect(poisoned).toEqual([JSON.stringify(WORK)]);
    expect(records).toMatchObject([{ level: 'error', reason: 'Poisoned', because: 'Unexpected', detail: 'boom' }]);
  });

  it('processWork leaves the move to the host where it fails, with the record all the same', async () => {
    const { records, queue, run } = memory();
    queue.poison = () => Promise.reject(new Error('no queue'));
    await expect(run(new Error('boom'), WORK, MAX_DEQUEUE_COUNT)).rejects.toThrow('boom');
    expect(records).toMatchObject([{ level: 'error', reason: 'Poisoned', because: 'Unexpected', detail: 'boom' }]);
  });
});

it('The app agrees with host.json about when a message goes to poison, and how it is encoded', () => {
  const host = JSON.parse(readFileSync(new URL('../../host.json', import.meta.url), 'utf8'));
  expect(host.extensions.queues).toMatchObject({ maxDequeueCount: MAX_DEQUEUE_COUNT, messageEncoding: 'none' });
});

it('A message of a revocation without a number of attempts starts at zero, and other messages have none', () => {
  const { attempt: _, ...rest } = WORK;
  expect(PARSERS['key-work'](rest)).toMatchObject({ attempt: 0 });
  expect(PARSERS['key-work']({ ...WORK, kind: 'key' })).not.toHaveProperty('attempt');
});

it.each(['s2', '..', '11111111-1111-1111-1111-111111111111/x', '11111111-1111-1111-1111-11111111111?', ''])(
  'a message names subscriptions by their ids alone: not by %j, which would become part of an address',
  (id) => {
    const work = { kind: 'subscriptions', cause: WORK.cause };
    expect(() => PARSERS['fleet-work']({ ...work, subscriptions: [id] })).toThrow(/subscriptions\.0/);
    const named = ['11111111-1111-1111-1111-111111111111'];
    expect(PARSERS['fleet-work']({ ...work, subscriptions: named })).toMatchObject({ subscriptions: named });
  },
);

it('a message waits 15, 30, 60, 120, 240 and then 300 seconds, and is given up after 24 tries', () => {
  const delays: number[] = [];
  const failed = { reason: 'Refused', detail: '', counts: true, delaySeconds: undefined } as const;
  for (let next = planNextTry(0, failed); next; next = planNextTry(next.attempt, failed)) {
    delays.push(next.delaySeconds);
  }
  expect(delays.slice(0, 7)).toEqual([15, 30, 60, 120, 240, 300, 300]);
  expect(delays).toHaveLength(23);
});
