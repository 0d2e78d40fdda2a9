import { expect, it } from 'vitest';
import type { AuditFiles } from '../../src/audit/audit-client.ts';
import { verifyTrail } from '../../src/audit/verify-trail.ts';
import { brief, makeChain } from './chains.ts';

/** The files of a chain that a writer goes on with in a second file, while the first is read without its end. */
function growing(whileRead: number): AuditFiles {
  const { files } = makeChain([3, 2]);
  let reads = 0;
  const linesOf = (name: string): readonly string[] => {
    const { lines } = files.find((file) => file.name === name) ?? { lines: [] };
    if (name !== files[0]?.name) return lines;

    // The file is made first, and then the one before is closed in favour of it.
    reads += 1;
    return reads <= whileRead ? lines.slice(0, -1) : lines;
  };

  return {
    list: async () => files.map(({ name }) => ({ name, size: 1, appendable: true })),
    async read(name) {
      const bytes = Buffer.from(
        linesOf(name)
          .map((line) => `${line}\n`)
          .join(''),
      );
      return { bytes, size: bytes.length, blocks: 1 };
    },
  } as Partial<AuditFiles> as AuditFiles;
}

it('a file that is closed while the trail is verified is no damage', async () => {
  const report = await verifyTrail(growing(1));
  expect(report).toMatchObject({ records: 6, files: 2 });
  expect(brief(report)).toEqual([]);
});

it('a file that is never closed is reported', async () => {
  expect(brief(await verifyTrail(growing(9)))).toEqual([
    '2026-11-24.jsonl FileNotClosed',
    '2026-11-25.jsonl:1 LineMissing',
  ]);
});
