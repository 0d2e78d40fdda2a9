import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/log.ts';
import {
  ACCOUNT_WORK,
  KEY_WORK,
  type KeyWork,
  parseAccountWork,
  parseKeyWork,
  type Work,
} from '../../src/work/messages.ts';
import type { Outcome } from '../../src/work/outcome.ts';
import { MAX_DEQUEUE_COUNT, processWork } from '../../src/work/process.ts';
import type { WorkQueue } from '../../src/work/work-queue-client.ts';

const WORK: KeyWork = {
  kind: 'key',
  key: 'https://kv-files.vault.azure.net/keys/files-key',
  cause: { by: 'KeyNewVersionCreated', ref: 'e1', since: '' },
  attempt: 3,
};

/** A queue that keeps what it is given, to see what the decision was. */
function memory() {
  const sent: { queue: string; work: Work; delaySeconds: number | undefined }[] = [];
  const poisoned: string[] = [];
  const records: LogRecord[] = [];
  const queue: WorkQueue = {
    send: async (name, work, delaySeconds) => void sent.push({ queue: name, work, delaySeconds }),
    poison: async (_, text) => void poisoned.push(text),
  };
  const run = (outcome: Outcome | Error, entry: unknown = WORK, dequeueCount = 1) =>
    processWork(
      KEY_WORK,
      { entry, dequeueCount },
      parseKeyWork,
      async () => {
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
      queue,
      (record) => void records.push(record),
    );
  return { sent, poisoned, records, run };
}

describe('processWork', () => {
  it('leaves nothing behind when the work is done', async () => {
    const { sent, poisoned, run } = memory();
    await run({ outcome: 'done' });
    expect([...sent, ...poisoned]).toEqual([]);
  });

  it('puts a throttled message back for the time the service asked for, with its tries untouched', async () => {
    const { sent, run } = memory();
    await run({ outcome: 'again', reason: 'Throttled', detail: '', counts: false, delaySeconds: 42 });
    expect(sent).toEqual([{ queue: KEY_WORK, work: WORK, delaySeconds: 42 }]);
  });

  it('counts a try that failed, and waits longer each time', async () => {
    const { sent, run } = memory();
    await run({ outcome: 'again', reason: 'IdentityHasNoAccess', detail: '', counts: true, delaySeconds: undefined });
    expect(sent).toEqual([{ queue: KEY_WORK, work: { ...WORK, attempt: 4 }, delaySeconds: 120 }]);
  });

  it('puts back what is left to do instead of the whole', async () => {
    const { sent, run } = memory();
    const rest = { ...WORK, subscriptions: ['s2'] };
    await run({
      outcome: 'again',
      reason: 'ServiceUnavailable',
      detail: '',
      counts: true,
      delaySeconds: 500,
      with: rest,
    });
    expect(sent).toEqual([{ queue: KEY_WORK, work: { ...rest, attempt: 4 }, delaySeconds: 500 }]);
  });

  it('gives up into the poison queue after the last try, and raises an error record', async () => {
    const { sent, poisoned, records, run } = memory();
    await run(
      { outcome: 'again', reason: 'IdentityHasNoAccess', detail: '', counts: true, delaySeconds: undefined },
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
      { outcome: 'impossible', reason: 'PurgeProtectionOff', detail: 'x' } as const,
      WORK,
      JSON.stringify(WORK),
    ],
    ['text', { outcome: 'done' } as const, 'hello', 'hello'],
    ['a number', { outcome: 'done' } as const, 123, '123'],
    [
      'a message with a field too many',
      { outcome: 'done' } as const,
      { ...WORK, host: 'evil' },
      JSON.stringify({ ...WORK, host: 'evil' }),
    ],
    [
      'a message of the other queue',
      { outcome: 'done' } as const,
      { ...WORK, kind: 'account' },
      JSON.stringify({ ...WORK, kind: 'account' }),
    ],
  ])('puts %s into the poison queue as it came, with an error record', async (_, outcome, entry, text) => {
    const { poisoned, records, run } = memory();
    await run(outcome, entry);
    expect(poisoned).toEqual([text]);
    expect(records).toMatchObject([{ level: 'error', reason: 'Poisoned' }]);
  });

  it('lets the host try again when it throws, and raises the record when the host will not', async () => {
    const { records, run } = memory();
    await expect(run(new Error('boom'))).rejects.toThrow('boom');
    expect(records).toEqual([]);
    await expect(run(new Error('boom'), WORK, MAX_DEQUEUE_COUNT)).rejects.toThrow('boom');
    expect(records).toMatchObject([{ level: 'error', reason: 'Poisoned', because: 'Unexpected' }]);
  });
});

it('agrees with host.json about when a message goes to poison, and how it is encoded', () => {
  const host = JSON.parse(readFileSync(new URL('../../host.json', import.meta.url), 'utf8'));
  expect(host.extensions.queues).toMatchObject({ maxDequeueCount: MAX_DEQUEUE_COUNT, messageEncoding: 'none' });
});

it('a message without a count of tries starts at none', () => {
  const { attempt: _, ...rest } = WORK;
  expect(parseKeyWork(rest).attempt).toBe(0);
  const account = { ...rest, kind: 'account', account: '/subscriptions/x', location: 'westeurope' };
  expect(parseAccountWork(account)).toMatchObject({ attempt: 0 });
  expect(ACCOUNT_WORK).not.toBe(KEY_WORK);
});
