import { beforeEach, describe, expect, it } from 'vitest';
import { createAuditFiles } from '../../src/audit/audit-client.ts';
import { readLogEvidence } from '../../src/audit/log-evidence.ts';
import { CHAIN_START, type ChainEnd, formatRecord, parseRecord } from '../../src/audit/record.ts';
import { verifyTrail } from '../../src/audit/verify-trail.ts';
import { useAzurite } from '../support/azurite.ts';
import { Evidence, LIMIT } from './evidence.ts';
import { entry, newTrail, resources } from './trails.ts';

const azurite = useAzurite();
const DAYS = ['2026-11-24', '2026-11-25', '2026-11-26'] as const;
const [FIRST, SECOND, THIRD] = DAYS;
let trail: Evidence;
beforeEach(async () => {
  trail = new Evidence(azurite.connectionString);
  await trail.write(DAYS);
});

describe('what a writer with every right on the container does to the trail', () => {
  it('Verification of an untouched trail has no finding', async () => {
    expect(await trail.verify('chain')).toEqual([]);
    expect(await trail.verify('log')).toEqual([]);
    expect(await trail.look()).toEqual([]);
  });

  it('Verification finds that the last records were cut off', async () => {
    await trail.put(THIRD, (await trail.lines(THIRD)).slice(0, 2));
    expect((await trail.verify('log')).sort()).toEqual([
      `${THIRD}.jsonl EndMissing`,
      `${THIRD}.jsonl ReceiptMissing`,
      `${THIRD}.jsonl ReceiptMissing`,
    ]);
    expect(await trail.look()).toEqual([`${THIRD}.jsonl EndMissing`]);
  });

  it('Verification finds that the last day was deleted, with the record that names it', async () => {
    await trail.container.deleteBlob(`${THIRD}.jsonl`);
    await trail.put(SECOND, (await trail.lines(SECOND)).slice(0, -1));
    expect(await trail.look()).toEqual([`${THIRD}.jsonl EndMissing`]);
    // What was left over is not taken for the end.
    expect(await trail.look()).toEqual([`${THIRD}.jsonl EndMissing`]);
  });

  it('Verification finds that a day in the middle was deleted', async () => {
    await trail.container.deleteBlob(`${SECOND}.jsonl`);
    expect(await trail.verify('chain')).toContain(`${THIRD}.jsonl:1 LineMissing`);
    expect(await trail.verify('log')).toContain(`${SECOND}.jsonl EndMissing`);
  });

  it('Verification finds that the whole trail was deleted', async () => {
    for (const day of DAYS) await trail.container.deleteBlob(`${day}.jsonl`);
    expect(await trail.verify('log')).toEqual(expect.arrayContaining(DAYS.map((day) => `${day}.jsonl EndMissing`)));
    expect(await trail.look()).toEqual([`${THIRD}.jsonl EndMissing`]);
  });

  it('Verification finds that the whole trail was rewritten with valid hashes', async () => {
    await trail.rewrite(DAYS, (resource) => (resource === `${FIRST}/4` ? 'nothing happened' : resource));
    expect((await verifyTrail(createAuditFiles(trail.container))).findings).toEqual([]);
    expect(await trail.verify('log')).toEqual(expect.arrayContaining(DAYS.map((day) => `${day}.jsonl:4 EndDiffers`)));
    expect(await trail.look()).toEqual([`${THIRD}.jsonl:4 EndDiffers`]);
  });

  it('Verification finds that a record was forged and appended as the app would', async () => {
    const last = parseRecord(Buffer.from((await trail.lines(THIRD)).at(-1) ?? ''));
    const forged = formatRecord(
      last ?? CHAIN_START,
      { entry: entry('restored by an intruder') },
      { id: 'x', time: trail.now },
    );

    const blob = trail.container.getAppendBlobClient(`${THIRD}.jsonl`);

    await blob.appendBlock(forged.line, Buffer.byteLength(forged.line));

    const log = (record: object) => trail.log.push(record);

    await newTrail(trail.container, { now: () => trail.now, log })(entry('after it'), LIMIT);

    // The chain is whole; the log has no receipt of it.
    expect(await trail.verify('chain')).toEqual([]);
    expect(await trail.verify('log')).toEqual([`${THIRD}.jsonl:5 RecordUnreceipted`]);

    // What the command line writes has its receipt from the command line.
    const receipts = [forged.end];
    expect(await trail.verify('log', { receipts })).toEqual([]);

    const other = [{ ...forged.end, hash: '0'.repeat(64) }];
    expect(await trail.verify('log', { receipts: other })).toEqual([`${THIRD}.jsonl:5 ReceiptDiffers`]);
  });

  it('Verification finds that a record was forged behind the last receipt that a drift check has verified', async () => {
    const end = parseRecord(Buffer.from((await trail.lines(THIRD)).at(-1) ?? '')) ?? CHAIN_START;
    const { line } = formatRecord(end, { entry: entry('restored by an intruder') }, { id: 'x', time: trail.now });
    await trail.container.getAppendBlobClient(`${THIRD}.jsonl`).appendBlock(line, Buffer.byteLength(line));
    expect(await trail.verify('log')).toEqual([]);
    expect(await trail.look()).toEqual([]);
    expect(await trail.verify('log')).toEqual([`${THIRD}.jsonl:5 RecordUnreceipted`]);
  });

  it('Verification finds that a forged record took the place of another', async () => {
    const lines = await trail.lines(SECOND);
    const [before, there] = [1, 2].map((index) => parseRecord(Buffer.from(lines[index] ?? '')));
    const made = formatRecord(
      before ?? CHAIN_START,
      { entry: entry('other') },
      { id: there?.id ?? '', time: trail.now },
    );

    await trail.put(SECOND, lines.with(2, made.line.slice(0, -1)));

    expect(await trail.verify('chain')).toEqual([`${SECOND}.jsonl:4 ChainBroken`]);
    expect(await trail.verify('log')).toEqual([`${SECOND}.jsonl:3 ReceiptDiffers`, `${SECOND}.jsonl:4 ChainBroken`]);
  });

  it('Verification finds that the trail was forked by a second file after the same record', async () => {
    const end = parseRecord(Buffer.from((await trail.lines(SECOND)).at(-2) ?? ''));
    const forged = formatRecord(end ?? CHAIN_START, { entry: entry('another story') }, { id: 'x', time: trail.now });
    await trail.put(`${SECOND}.1`, [forged.line.slice(0, -1)]);
    expect(await trail.verify('chain')).toEqual(
      expect.arrayContaining([`${SECOND}.1.jsonl:1 LineMoved`, `${SECOND}.jsonl FileMissing`]),
    );
  });
});

describe('what a writer planted in the trail', () => {
  const HIGH: ChainEnd = { seq: 1_000_000, hash: 'a'.repeat(64) };
  const formatted = (end: ChainEnd): string =>
    formatRecord(end, { entry: entry('put in') }, { id: 'x', time: new Date(0) }).line.slice(0, -1);

  it.each<[string, string, string]>([
    ['a blob with a date far ahead', '2099-01-01', formatted(CHAIN_START)],
    ['rubbish in the file of the next day', '2026-11-27', '{"note":"hello"}'],
    ['a chain of its own in a second file of the day', '2026-11-26.1', formatted(HIGH)],
    ['a chain of its own between two days', `${SECOND}.1`, formatted(HIGH)],
    ['a chain of its own on a day long over', '2020-01-01', formatted(HIGH)],
  ])('The app continues its trail, and verification reports what was planted, after %s', async (_, name, line) => {
    await trail.put(name, [line]);

    // An instance that starts, and one that has been up all the time.
    const fresh = newTrail(trail.container, { now: () => trail.now });
    for (const record of [fresh, trail.record]) {
      expect(await record(entry('goes on'), LIMIT)).toMatchObject({ written: { file: expect.any(String) } });
    }

    trail.now = new Date('2026-11-27T03:00:00Z');

    const after = newTrail(trail.container, { now: () => trail.now });
    expect(await after(entry('the next day'), LIMIT)).toMatchObject({ written: { file: '2026-11-27.jsonl' } });
    expect(await resources(trail.container)).toEqual(expect.arrayContaining(['goes on', 'the next day']));
    expect(await trail.verify('chain')).not.toEqual([]);
  });

  it.each(['2099-01-01.jsonl', '2020-01-01.jsonl', `${FIRST}.jsonl`, `${THIRD}.100000.jsonl`, `${THIRD}.jsonl`, 'x'])(
    'The app continues its trail after a record that closes the file in favour of %s, and verification reports it',
    async (next) => {
      const last = parseRecord(Buffer.from((await trail.lines(THIRD)).at(-1) ?? '')) ?? CHAIN_START;
      const { line } = formatRecord(last, { next }, { id: 'x', time: trail.now });
      await trail.container.getAppendBlobClient(`${THIRD}.jsonl`).appendBlock(line, Buffer.byteLength(line));
      for (let n = 1; n <= 2; n += 1) {
        const outcome = await newTrail(trail.container, { now: () => trail.now })(entry('goes on'), LIMIT);
        expect(outcome).toMatchObject({ written: { file: `${THIRD}.jsonl`, seq: last.seq + 1 + n } });
      }
      expect(await trail.verify('chain')).toContain(`${THIRD}.jsonl:6 LineAfterClose`);
    },
  );
});

it('receipts are read from a log export with any text around a record and any style of quotes', () => {
  const record = JSON.stringify({ reason: 'AuditWritten', receipt: `7:${'a'.repeat(64)}` });
  const texts = [record, `x\t${record}\ty`, `"${record.replaceAll('"', '""')}",PT1S`, `${record}\r`];
  for (const text of texts) {
    expect(readLogEvidence(`head\n${text}\n{}\nnot json {\n`)).toEqual({
      receipts: [{ seq: 7, hash: 'a'.repeat(64) }],
      ends: [],
      loggedTo: undefined,
    });
  }
});
