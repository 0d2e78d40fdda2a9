import { expect, it } from 'vitest';
import type { AuditFiles } from '../../src/audit/audit-client.ts';
import { findHead } from '../../src/audit/chain-writer.ts';
import { readLines } from '../../src/audit/lines.ts';
import { searchTrail } from '../../src/audit/search-trail.ts';
import { verifyTrail } from '../../src/audit/verify-trail.ts';
import { brief, makeChain } from './chains.ts';

// Who may append to the trail can put gigabytes there that end no line. A process that buffers such a line dies, and with it a revocation.
const MIB = 1024 * 1024;
const NAME = '2026-11-24.jsonl';

/** A chain with so much behind it that ends no line, and what was asked of it at once. */
function endless(junkBytes: number) {
  const text = Buffer.from(`${makeChain([3]).files[0]?.lines.join('\n')}\n`);
  const size = text.length + junkBytes;
  const asked: number[] = [];
  const files = {
    list: async () => [{ name: NAME, size, appendable: true }],
    async read(_: string, from: number, to = size) {
      asked.push(to - from);
      if (to - from > 256 * MIB) throw new Error('out of memory');
      const whole = Buffer.alloc(to - from, 'a');
      if (from < text.length) text.copy(whole, 0, from);
      return { bytes: whole, size, blocks: 1 };
    },
  } as Partial<AuditFiles> as AuditFiles;

  return { files, asked };
}

it('the end of the chain is found without reading the whole file', async () => {
  const { files } = endless(10_000 * MIB);
  expect(await findHead(files, '2026-11-24')).toMatchObject({ file: NAME, midLine: true });
  // What can be held is counted on from.
  expect(await findHead(endless(10 * MIB).files, '2026-11-24')).toMatchObject({ seq: 4, midLine: true });
});

it('verification reports a line that is no record, and buffers no more of it than a record may have', async () => {
  const { files } = endless(40 * MIB);
  expect(brief(await verifyTrail(files))).toEqual([`${NAME}:4 LineUnreadable`]);
  const lengths: number[] = [];
  for await (const { bytes } of readLines(files, NAME)) lengths.push(bytes.length);
  expect(lengths).toHaveLength(4);
  expect(Math.max(...lengths)).toBeLessThan(4 * MIB);
});

it('a page of a search ends at its limit of bytes, and the next page continues behind it', async () => {
  const { files, asked } = endless(40 * MIB);
  let before: Parameters<typeof searchTrail>[3];
  const found: number[] = [];
  for (let page = 1; page <= 5; page += 1) {
    const { records, next } = await searchTrail(files, {}, { most: 10, mostBytes: 16 * MIB }, before);
    found.push(...records.map(({ seq }) => seq));

    expect(asked.splice(0).reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(17 * MIB);

    before = next;

    if (!next) break;
  }

  expect(found).toEqual([3, 2, 1]);
});
