import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { CHAIN_START, formatRecord, parseRecord } from '../../src/audit/record.ts';
import type { SignedHead } from '../../src/audit/signed-head.ts';
import { keepHead, lookAtTrail } from '../../src/audit/watch-trail.ts';
import { useAzurite } from '../support/azurite.ts';
import { Evidence, signerOf } from './evidence.ts';
import { entry } from './trails.ts';

/** What somebody does who may write the trail and the heads, and does not hold the key. */
const azurite = useAzurite();
const DAYS = ['2026-11-24', '2026-11-25', '2026-11-26'] as const;
const [FIRST, SECOND, THIRD] = DAYS;
let trail: Evidence;
beforeEach(async () => {
  trail = new Evidence(azurite.connectionString);
  await trail.write(DAYS);
});

async function headOf(day: string): Promise<SignedHead> {
  const found = (await trail.heads.list()).find((one) => one.day === day)?.head;
  if (!found) throw new Error(`There is a head of ${day}.`);
  return found;
}

async function putHead(day: string, head: object | string): Promise<void> {
  const text = typeof head === 'string' ? head : JSON.stringify(head);
  await trail.headBlobs.getBlockBlobClient(`${day}.json`).upload(text, Buffer.byteLength(text));
}

async function lastHash(day: string): Promise<string> {
  return parseRecord(Buffer.from((await trail.lines(day)).at(-1) ?? ''))?.hash ?? '';
}

const rewrite = () => trail.rewrite(DAYS, (resource) => (resource === `${FIRST}/4` ? 'nothing happened' : resource));
const unsigned = ({ key: _, algorithm: __, signature: ___, ...head }: SignedHead) => head;

/** What the head in the table tells of a trail that was rewritten. */
const BY_TABLE = `${THIRD}.jsonl:4 HeadDiffers`;

describe('the drift check is not content with', () => {
  it('a head without a signature in the place of the signed one, and does not sign what was rewritten', async () => {
    const head = await headOf(THIRD);
    await rewrite();
    await putHead(THIRD, { ...unsigned(head), hash: await lastHash(THIRD) });
    expect(await trail.look()).toEqual([`${SECOND}.jsonl:4 HeadDiffers`, BY_TABLE]);
    expect(await headOf(THIRD)).not.toHaveProperty('signature');
  });

  it('a signed head of another day under a day that is yet to come', async () => {
    await putHead('2099-01-01', await headOf(SECOND));
    await trail.put(THIRD, (await trail.lines(THIRD)).slice(0, 1));
    expect(await trail.look()).toEqual(['cmk-audit-heads/2099-01-01.json HeadMisplaced', `${THIRD}.jsonl HeadMissing`]);
  });

  it('a head that was said to be of another trail', async () => {
    const head = await headOf(THIRD);
    await rewrite();
    await putHead(THIRD, { ...head, trail: 'https://other.blob.core.windows.net/cmk-audit' });
    expect(await trail.look()).toEqual([`${THIRD}.jsonl HeadForged`, `${SECOND}.jsonl:4 HeadDiffers`, BY_TABLE]);
  });

  it('no head at all under a day', async () => {
    for (const text of ['', '{}', 'null', '[]', '\u0000', ' '.repeat(100_000) + JSON.stringify(await headOf(THIRD))]) {
      await putHead(THIRD, text);
      expect(await trail.look()).toContain(`cmk-audit-heads/${THIRD}.json HeadMisplaced`);
    }
  });

  it('a head by another key, as often as one is put there', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
    await rewrite();
    for (const day of [SECOND, THIRD]) {
      await putHead(day, await signerOf(other).sign({ ...unsigned(await headOf(day)), hash: await lastHash(day) }));
    }
    expect(await trail.look()).toEqual([
      `${THIRD}.jsonl HeadForged`,
      `${SECOND}.jsonl HeadForged`,
      `${FIRST}.jsonl:4 HeadDiffers`,
      BY_TABLE,
    ]);
  });

  it('an older signed head after the newer ones were taken away: the table has the newest, and the log has all', async () => {
    await trail.container.deleteBlob(`${THIRD}.jsonl`);
    await trail.put(SECOND, (await trail.lines(SECOND)).slice(0, -1));
    await trail.headBlobs.deleteBlob(`${THIRD}.json`);
    expect(await trail.look()).toEqual([`${THIRD}.jsonl HeadMissing`]);
    // It does not take for the end what was left over.
    expect(await trail.look()).toEqual([`${THIRD}.jsonl HeadMissing`]);
    expect(await trail.verify('table')).toContain(`${THIRD}.jsonl HeadMissing`);
    expect(await trail.verify('log')).toContain(`${THIRD}.jsonl HeadMissing`);
  });

  it('a rewrite with every head taken away', async () => {
    await rewrite();
    for (const day of DAYS) await trail.headBlobs.deleteBlob(`${day}.json`);
    expect(await trail.look()).toEqual([BY_TABLE]);
  });

  it('a head in the table by another key, or none', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const head = await headOf(THIRD);
    await trail.last.keep(await signerOf(privateKey).sign({ ...unsigned(head), seq: head.seq + 1 }));
    expect(await trail.look()).toEqual([`${THIRD}.jsonl HeadForged`]);
  });
});

it('a head of another trail, with a greater number, keeps none of ours out', async () => {
  const head = await headOf(THIRD);
  const other = { ...unsigned(head), trail: 'https://other/cmk-audit', seq: head.seq + 1_000 };
  await putHead(THIRD, other);
  await trail.last.keep(other);
  // Nor is it taken for where this trail ended, which would have lost a thousand records since.
  expect((await lookAtTrail(trail.watch)).head).toMatchObject({ trail: head.trail, day: SECOND });
  await trail.look();
  expect(await trail.last.read()).toMatchObject({ trail: head.trail, seq: head.seq });
  expect(await headOf(THIRD)).toMatchObject({ trail: head.trail, seq: head.seq });
});

describe('verify finds', () => {
  it('signed heads that stand under other days than their own', async () => {
    const [first, second] = [await headOf(FIRST), await headOf(SECOND)];
    await putHead(FIRST, second);
    await putHead(SECOND, first);
    expect(await trail.verify('heads')).toEqual([
      `cmk-audit-heads/${FIRST}.json HeadMisplaced`,
      `cmk-audit-heads/${SECOND}.json HeadMisplaced`,
    ]);
  });

  it('heads that were all said to be of another trail', async () => {
    for (const day of DAYS) await putHead(day, { ...(await headOf(day)), trail: 'https://other/cmk-audit' });
    expect(await trail.verify('heads')).toEqual(DAYS.map((day) => `${day}.jsonl HeadForged`));
  });

  it('a forged record behind the last receipt, once the app has looked at it', async () => {
    const end = parseRecord(Buffer.from((await trail.lines(THIRD)).at(-1) ?? '')) ?? CHAIN_START;
    const { line } = formatRecord(end, { entry: entry('restored by nobody') }, { id: 'x', time: trail.now });
    await trail.container.getAppendBlobClient(`${THIRD}.jsonl`).appendBlock(line, Buffer.byteLength(line));
    expect(await trail.verify('log')).toEqual([]);
    expect(await trail.look()).toEqual([]);
    expect(await trail.verify('log')).toEqual([`${THIRD}.jsonl:5 RecordUnreceipted`]);
  });
});

it('without a key, the newest head of a day that has come is what the trail is held to', async () => {
  const plain = new Evidence(azurite.connectionString, undefined);
  trail = plain;
  await plain.write(DAYS);
  await putHead('2099-01-01', { ...(await headOf(FIRST)), day: '2099-01-01' });
  await plain.put(THIRD, (await plain.lines(THIRD)).slice(0, 1));
  expect(await plain.look()).toEqual(['cmk-audit-heads/2099-01-01.json HeadMisplaced', `${THIRD}.jsonl HeadMissing`]);
});

it('without the table the trail is looked at all the same, and what could not be kept there is said', async () => {
  const failed = new Error('no table');
  const last = { read: () => Promise.reject(failed), keep: () => Promise.reject(failed) };
  const look = await lookAtTrail({ ...trail.watch, last });
  expect(look.findings).toEqual([]);
  const kept = await keepHead(look, { ...trail.watch, last });
  expect(kept).toMatchObject({ head: { day: THIRD }, failure: failed });
});

it('of ends that several checks keep at the same moment, the last of the trail stays, and none of them fails', async () => {
  const head = await headOf(THIRD);
  const seqs = [5, 3, 9, 1, 7, 8, 2, 6];
  await Promise.all(seqs.map((more) => trail.heads.keep({ ...head, seq: head.seq + more })));
  expect((await headOf(THIRD)).seq).toBe(head.seq + 9);
});
