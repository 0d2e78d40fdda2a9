import { describe, expect, it } from 'vitest';
import { auditFiles } from '../../src/audit/audit-client.ts';
import type { AuditFiles } from '../../src/audit/audit-files.ts';
import { findEntry, seenBefore } from '../../src/audit/find-entry.ts';
import { parseRecord } from '../../src/audit/record.ts';
import { useAzurite } from '../support/azurite.ts';
import { makeChain } from './chains.ts';
import { entry, NIGHT, newContainer, newTrail, resources } from './trails.ts';

const azurite = useAzurite();
const HOUR = 3_600_000;

async function find(files: AuditFiles, id: string, since = NIGHT, chunkBytes?: number) {
  const result = await findEntry(files, id, seenBefore(since), chunkBytes);
  if (!('found' in result)) return undefined;
  const { file, seq, hash } = result.found;
  return { file, seq, hash };
}

describe('an entry with an id', () => {
  it('is found by it, with its receipt, wherever a chunk ends, and by nothing else', async () => {
    const container = newContainer(azurite.connectionString);
    const record = newTrail(container);
    const receipts = [];
    for (const id of ['a', 'b', 'c']) {
      const outcome = await record({ ...entry(`about-${id}`), id, details: { text: 'x'.repeat(300) } }, 20_000);
      receipts.push('written' in outcome ? outcome.written : undefined);
    }
    await record({ ...entry('d'), details: { id: 'd', mentions: '"id":"e"' } }, 20_000);
    const files = auditFiles(container);
    for (const chunk of [97, 500, undefined]) {
      const found = await Promise.all(['a', 'b', 'c'].map((id) => find(files, id, NIGHT, chunk)));
      expect(found).toEqual(receipts);
    }
    for (const id of ['d', 'e', 'x', 'about-a']) expect(await find(files, id, NIGHT)).toBeUndefined();
  });

  it('that stands in every line, in many places, holds nobody else up', async () => {
    const text = `${makeChain([4_000]).files[0]?.lines.join('\n')}\n`;
    const bytes = Buffer.from(text);
    const files: AuditFiles = {
      ...auditFiles(newContainer(azurite.connectionString)),
      list: async () => [{ name: '2026-11-24.jsonl', size: bytes.length, appendable: true }],
      read: async (_, from, to) => ({ bytes: bytes.subarray(from, to), size: bytes.length, blocks: 1 }),
    };
    const began = performance.now();
    expect(await find(files, '')).toBeUndefined();
    // Seconds, were each place a line to be parsed.
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it('is looked for from the day before on, as clocks differ, and no further back', async () => {
    const container = newContainer(azurite.connectionString);
    for (const [id, ms] of [
      ['old', -24 * HOUR],
      ['new', 0],
    ] as const) {
      const now = () => new Date(NIGHT.getTime() + ms);
      await newTrail(container, { now })({ ...entry(id), id }, 20_000);
    }
    const files = auditFiles(container);
    expect(await find(files, 'new', NIGHT)).toMatchObject({ file: '2026-11-24.jsonl' });
    expect(await find(files, 'old', NIGHT)).toBeUndefined();
    expect(await find(files, 'old', new Date('2026-11-24T00:03:00Z'))).toMatchObject({ file: '2026-11-23.jsonl' });
  });

  it('is written once where it is asked for once, and a trail that is not there has none', async () => {
    const container = newContainer(azurite.connectionString);
    expect(await find(auditFiles(container), 'a', NIGHT)).toBeUndefined();
    const once = { ...entry('once'), id: 'once' };
    const first = await newTrail(container)(once, 20_000, NIGHT);
    expect(first).toMatchObject({ written: { seq: 1 } });
    expect(await newTrail(container)(once, 20_000, NIGHT)).toEqual(first);
    expect(await resources(container)).toEqual(['once']);
  });

  it('is written beside a record of it that somebody has forged', async () => {
    const container = newContainer(azurite.connectionString);
    await newTrail(container)(entry('before'), 20_000);
    const blob = container.getAppendBlobClient('2026-11-24.jsonl');
    const forged = (await blob.downloadToBuffer()).toString().replace('"before"', '"forged","id":"once"');
    expect(parseRecord(Buffer.from(forged.trim()))?.entry).toMatchObject({ id: 'once' });
    await blob.appendBlock(forged, forged.length);
    expect(await find(auditFiles(container), 'once')).toBeUndefined();
    await newTrail(container)({ ...entry('once'), id: 'once' }, 20_000, NIGHT);
    expect(await resources(container)).toContain('once');
  });

  it('is not written when the trail cannot be looked through', async () => {
    const failures: unknown[] = [];
    const container = newContainer(
      azurite.connectionString.replace(/BlobEndpoint=[^;]+/, 'BlobEndpoint=http://127.0.0.1:1/a'),
    );
    const record = newTrail(container, { onFailure: (error) => failures.push(error) });
    expect(await record({ ...entry('a'), id: 'a' }, 20_000, NIGHT)).toMatchObject({
      failed: expect.stringContaining('cannot be read'),
    });
    expect(failures).toHaveLength(1);
  });
});
