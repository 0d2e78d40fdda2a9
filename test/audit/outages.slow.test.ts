import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuditFiles } from '../../src/audit/audit-client.ts';
import { verifyTrail } from '../../src/audit/verify-trail.ts';
import { useAzurite } from '../support/azurite.ts';
import { eventually } from '../support/eventually.ts';
import { brief } from './chains.ts';
import { type Fate, faultyStorage } from './faulty-storage.ts';
import { entry, newContainer, newTrail, resources } from './trails.ts';

const azurite = useAzurite();
const LIMIT = 20_000;
let storage: Awaited<ReturnType<typeof faultyStorage>>;
beforeEach(async () => {
  storage = await faultyStorage(azurite.connectionString);
});
afterEach(() => storage.close());

/** One container, seen through the faults and directly. */
function containers() {
  const faulty = newContainer(storage.connectionString);
  return { faulty, direct: newContainer(azurite.connectionString, faulty.containerName) };
}

/** Gives the appends these fates in turn, and `after` to every later one. */
function appends(...fates: Fate[]): void {
  storage.onRequest((operation) => (operation === 'append' ? (fates.shift() ?? 'pass') : 'pass'));
}

describe('a lost answer', () => {
  it.each<[string, Fate[]]>([
    ['twice', ['lose', 'lose']],
    ['as often as the client itself tries', ['refuse', 'refuse', 'lose', 'refuse']],
  ])('An append whose answer is lost %s leaves the entry written once', async (_, fates) => {
    const { faulty, direct } = containers();
    const record = newTrail(faulty);
    await record(entry('first'), LIMIT);
    appends(...fates);
    expect(await record(entry('second'), LIMIT)).toMatchObject({ written: { seq: 2 } });
    expect(await record(entry('third'), LIMIT)).toMatchObject({ written: { seq: 3 } });
    expect(await resources(direct)).toEqual(['first', 'second', 'third']);
    expect(brief(await verifyTrail(createAuditFiles(direct)))).toEqual([]);
  });

  it('A closing record whose answer is lost does not close the file twice', async () => {
    const { faulty, direct } = containers();
    let day = '2026-11-24';
    const record = newTrail(faulty, { now: () => new Date(`${day}T23:00:00Z`) });
    await record(entry('first'), LIMIT);
    day = '2026-11-25';
    appends('lose');
    expect(await record(entry('second'), LIMIT)).toMatchObject({ written: { seq: 3, file: '2026-11-25.jsonl' } });
    expect(brief(await verifyTrail(createAuditFiles(direct)))).toEqual([]);
  });

  it('Answers lost at random to 4 concurrent writers leave one unbroken chain with every entry once', async () => {
    const { faulty, direct } = containers();
    let count = 0;
    const fates: readonly Fate[] = ['pass', 'lose', 'pass', 'refuse', 'pass', 'pass', 'lose'];

    storage.onRequest((operation) => {
      if (operation !== 'append') return 'pass';
      count += 1;
      return fates[(count * 7919) % fates.length] ?? 'pass';
    });

    const outcomes = await Promise.all(
      Array.from({ length: 4 }, async (_, writer) => {
        const record = newTrail(faulty, { maxFailures: 20 });
        const own = [];
        for (let n = 0; n < 15; n += 1) own.push(await record(entry(`${writer}/${n}`), LIMIT));
        return own;
      }),
    );

    expect(outcomes.flat().filter((outcome) => 'failed' in outcome)).toEqual([]);

    const written = await resources(direct);
    expect(written).toHaveLength(60);
    expect(new Set(written).size).toBe(60);
    expect(brief(await verifyTrail(createAuditFiles(direct)))).toEqual([]);
  });
});

describe('an instance that is killed', () => {
  it('An instance killed between creating a file and closing the previous one leaves a trail that the next continues', async () => {
    const { direct } = containers();
    await newTrail(direct)(entry('first'), LIMIT);
    await direct.getAppendBlobClient('2026-11-25.jsonl').create();
    const now = () => new Date('2026-11-25T01:00:00Z');
    expect(await newTrail(direct, { now })(entry('second'), LIMIT)).toMatchObject({ written: { seq: 3 } });
    expect(brief(await verifyTrail(createAuditFiles(direct)))).toEqual([]);
  });

  it('An instance killed after closing a file leaves a chain that the next one continues, even days later', async () => {
    const { faulty, direct } = containers();
    let day = '2026-11-24';
    const record = newTrail(faulty, { now: () => new Date(`${day}T12:00:00Z`), maxFailures: 0 });

    expect(await record(entry('first'), LIMIT)).toHaveProperty('written');

    day = '2026-11-25';
    appends('pass', 'refuse', 'refuse');

    expect(await record(entry('lost'), LIMIT)).toHaveProperty('failed');
    expect(brief(await verifyTrail(createAuditFiles(direct)))).toEqual([]);

    const now = () => new Date('2026-11-27T12:00:00Z');
    expect(await newTrail(direct, { now })(entry('second'), LIMIT)).toMatchObject({
      written: { file: '2026-11-27.jsonl' },
    });
    expect(brief(await verifyTrail(createAuditFiles(direct)))).toEqual([]);
    expect(await resources(direct)).toEqual(['first', 'second']);
  });
});

describe('recording does not throw and ends in time', () => {
  it('A record is written later, and its caller proceeds, when the storage hangs', async () => {
    const { faulty, direct } = containers();
    const record = newTrail(faulty, { timeoutMs: 300 });

    await record(entry('first'), LIMIT);
    appends('hang');

    const outcome = await record(entry('second'), 100);
    expect(outcome).toEqual({
      failed: 'The audit trail did not answer within 100 ms; the app still tries to write the entry.',
    });

    await eventually('the entry written', async () => (await resources(direct)).includes('second'));

    expect(await record(entry('third'), LIMIT)).toMatchObject({ written: { seq: 3 } });
  });

  it('A record goes to the log, and its outcome says so, when the storage is down', async () => {
    const { faulty } = containers();

    storage.onRequest(() => 'refuse');

    const logged: unknown[] = [];
    const record = newTrail(faulty, { log: ({ reason, entry }) => logged.push({ reason, entry }) });

    expect(await record(entry('a'), LIMIT)).toEqual({
      failed: expect.stringMatching(/^The app could not write the audit trail: /),
    });
    expect(logged).toEqual([{ reason: 'AuditFailed', entry: entry('a') }]);

    storage.onRequest(() => 'pass');

    expect(await record(entry('b'), LIMIT)).toMatchObject({ written: { seq: 1 } });
  });

  it('Verification ends with an error when the storage stops answering', async () => {
    const { faulty, direct } = containers();
    await newTrail(direct)(entry('a'), LIMIT);
    storage.onRequest((operation) => (operation === 'read' ? 'hang' : 'pass'));
    await expect(verifyTrail(createAuditFiles(faulty, 200))).rejects.toThrow(/abort|time/i);
  });

  it('A record that cannot be serialized as JSON fails without an exception', async () => {
    const { faulty } = containers();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const details of [circle, { big: 1n }]) {
      expect(await newTrail(faulty)({ ...entry('a'), details }, LIMIT)).toEqual({
        failed: 'The app cannot serialize the entry as JSON.',
      });
    }
  });
});

it('A record costs one request, and two more for the first one of an instance', async () => {
  const { faulty, direct } = containers();
  const before = newTrail(direct);
  for (let n = 0; n < 50; n += 1) await before(entry(`${n}`), LIMIT);
  const record = newTrail(faulty);
  await record(entry('first'), LIMIT);
  expect(storage.seen).toEqual(['list', 'read', 'append']);
  await record(entry('second'), LIMIT);
  await record(entry('third'), LIMIT);
  expect(storage.seen.slice(3)).toEqual(['append', 'append']);
});
