import { describe, expect, it } from 'vitest';
import { createAuditFiles } from '../../src/audit/audit-client.ts';
import { formatRecord, parseRecord } from '../../src/audit/record.ts';
import { verifyTrail } from '../../src/audit/verify-trail.ts';
import { useAzurite } from '../support/azurite.ts';
import { brief } from './chains.ts';
import { entry, NIGHT, newContainer, newTrail, resources } from './trails.ts';

const azurite = useAzurite();
const LIMIT = 20_000;

async function check(container: ReturnType<typeof newContainer>) {
  const report = await verifyTrail(createAuditFiles(container));
  return { findings: brief(report), records: report.records, files: report.files };
}

describe('the audit trail', () => {
  it('The audit trail creates its container and its first file, and returns a receipt', async () => {
    const container = newContainer(azurite.connectionString);
    const outcome = await newTrail(container)(entry('a'), LIMIT);

    expect(outcome).toEqual({
      written: { file: '2026-11-24.jsonl', seq: 1, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });

    const { blobType, contentType } = await container.getBlobClient('2026-11-24.jsonl').getProperties();
    expect({ blobType, contentType }).toEqual({
      blobType: 'AppendBlob',
      contentType: 'application/jsonl; charset=utf-8',
    });
  });

  it('The audit trail is one unbroken chain after 8 instances have written 25 entries each', async () => {
    const container = newContainer(azurite.connectionString);
    const writers = Array.from({ length: 8 }, (_, writer) => ({ writer, record: newTrail(container) }));
    const outcomes = await Promise.all(
      writers.map(async ({ writer, record }) => {
        const own = [];
        for (let n = 0; n < 25; n += 1) own.push(await record(entry(`${writer}/${n}`), LIMIT));
        return own;
      }),
    );

    const receipts = outcomes.flat().map((outcome) => ('written' in outcome ? outcome.written : undefined));
    expect(new Set(receipts.map((receipt) => receipt?.seq))).toEqual(
      new Set(Array.from({ length: 200 }, (_, n) => n + 1)),
    );
    expect(await check(container)).toEqual({ findings: [], records: 200, files: 1 });

    const written = await resources(container);
    expect(new Set(written).size).toBe(200);

    for (const { writer } of writers) {
      expect(written.filter((name) => name.startsWith(`${writer}/`))).toEqual(
        Array.from({ length: 25 }, (_, n) => `${writer}/${n}`),
      );
    }

    const report = await verifyTrail(createAuditFiles(container), {
      receipts: receipts.flatMap((receipt) => receipt ?? []),
    });
    expect(brief(report)).toEqual([]);
  });

  it('The audit trail writes entries that arrive at once in few appends, in the order of arrival', async () => {
    const container = newContainer(azurite.connectionString);
    const record = newTrail(container);
    const names = Array.from({ length: 300 }, (_, n) => `${n}`);
    const outcomes = await Promise.all(names.map((name) => record(entry(name), LIMIT)));
    expect(outcomes.every((outcome) => 'written' in outcome)).toBe(true);
    expect(await resources(container)).toEqual(names);
    expect(await check(container)).toEqual({ findings: [], records: 300, files: 1 });
    const { blobCommittedBlockCount } = await container.getBlobClient('2026-11-24.jsonl').getProperties();
    expect(blobCommittedBlockCount).toBeLessThanOrEqual(2);
  });

  it('The audit trail continues over midnight, even if the clocks of instances differ', async () => {
    const container = newContainer(azurite.connectionString);
    const midnight = Date.UTC(2026, 10, 25);
    let elapsed = -10_000;
    const writers = [-4_000, -1_000, 0, 3_000].map((skew) =>
      newTrail(container, { now: () => new Date(midnight + elapsed + skew) }),
    );
    for (let n = 0; n < 10; n += 1) {
      const outcomes = await Promise.all(writers.map((record, writer) => record(entry(`${writer}/${n}`), LIMIT)));
      expect(outcomes.every((outcome) => 'written' in outcome)).toBe(true);

      elapsed += 2_000;
    }

    expect(await check(container)).toEqual({ findings: [], records: 41, files: 2 });
    expect(new Set(await resources(container)).size).toBe(40);
  });

  it('The audit trail continues after days without an entry, and after a restart', async () => {
    const container = newContainer(azurite.connectionString);
    for (const day of ['2026-11-24', '2026-11-28', '2026-12-03']) {
      const now = () => new Date(`${day}T12:00:00Z`);
      expect(await newTrail(container, { now })(entry(day), LIMIT)).toMatchObject({
        written: { file: `${day}.jsonl` },
      });
    }
    expect(await check(container)).toEqual({ findings: [], records: 5, files: 3 });
  });

  it('The audit trail continues in another file of the same day before a file reaches the limit of blocks', async () => {
    const container = newContainer(azurite.connectionString);
    const writers = Array.from({ length: 3 }, () => newTrail(container, { maxBlocks: 4 }));

    await Promise.all(
      writers.map(async (record, writer) => {
        for (let n = 0; n < 8; n += 1) await record(entry(`${writer}/${n}`), LIMIT);
      }),
    );

    const { findings } = await check(container);
    expect(findings).toEqual([]);
    expect(new Set(await resources(container)).size).toBe(24);

    for await (const { name } of container.listBlobsFlat()) {
      const { blobCommittedBlockCount } = await container.getBlobClient(name).getProperties();
      expect(blobCommittedBlockCount).toBeLessThanOrEqual(4);
    }
  });

  it('The audit trail finds its end in a file whose last record is larger than the first read', async () => {
    const container = newContainer(azurite.connectionString);
    const large = { ...entry('large'), details: { text: 'x'.repeat(300_000) } };
    expect(await newTrail(container)(large, LIMIT)).toMatchObject({ written: { seq: 1 } });
    expect(await newTrail(container)(entry('after'), LIMIT)).toMatchObject({ written: { seq: 2 } });
    expect(await check(container)).toEqual({ findings: [], records: 2, files: 1 });
  });

  it('The audit trail drops details that are too large, and says so in the record', async () => {
    const container = newContainer(azurite.connectionString);
    const outcome = await newTrail(container)({ ...entry('a'), details: { text: 'x'.repeat(600_000) } }, LIMIT);
    expect(outcome).toMatchObject({ written: { seq: 1 } });
    const text = (await container.getBlobClient('2026-11-24.jsonl').downloadToBuffer()).toString();
    expect(JSON.parse(text).entry.details.omitted).toMatch(/^600\d{3} bytes/);
  });
});

describe('a tampered trail', () => {
  async function started() {
    const container = newContainer(azurite.connectionString);
    const record = newTrail(container);

    for (const name of ['a', 'b', 'c']) await record(entry(name), LIMIT);

    const blob = container.getAppendBlobClient('2026-11-24.jsonl');
    const lines = (await blob.downloadToBuffer()).toString().split('\n');
    const rewrite = async (text: string) => {
      await blob.create();
      await blob.appendBlock(text, Buffer.byteLength(text));
    };

    return { container, record, lines, blob, rewrite };
  }

  it.each<[string, (lines: string[]) => string, string[]]>([
    [
      'damaged at its end',
      (lines) => `${lines[0]}\n${lines[1]}\n${lines[2]?.replace('Revoked', 'Denied')}\n`,
      ['2026-11-24.jsonl:3 LineChanged'],
    ],
    [
      'cut off within a line',
      (lines) => `${lines[0]}\n${lines[1]}\n${lines[2]?.slice(0, 60)}`,
      ['2026-11-24.jsonl:3 LineUnreadable'],
    ],
    ['without its last line feed', (lines) => lines.slice(0, 3).join('\n'), []],
    ['filled with something else', () => 'nonsense\n', ['2026-11-24.jsonl:1 LineUnreadable']],
  ])(
    'A trail that is %s takes further records, and verification names the tampered place',
    async (_, change, findings) => {
      const { container, lines, rewrite } = await started();
      await rewrite(change(lines));
      expect(await newTrail(container)(entry('d'), LIMIT)).toHaveProperty('written');
      expect(await newTrail(container)(entry('e'), LIMIT)).toHaveProperty('written');
      expect((await check(container)).findings).toEqual(findings);
      expect((await resources(container)).slice(-2)).toEqual(['d', 'e']);
    },
  );

  it('A trail takes further records after a forged one whose number leaves none for those that follow', async () => {
    const { container, lines, blob } = await started();
    const end = { seq: Number.MAX_SAFE_INTEGER - 1, hash: parseRecord(Buffer.from(lines[2] ?? ''))?.hash ?? '' };
    const { line } = formatRecord(end, { entry: entry('x') }, { id: 'forged', time: NIGHT });
    await blob.appendBlock(line, Buffer.byteLength(line));
    for (const name of ['d', 'e']) expect(await newTrail(container)(entry(name), LIMIT)).toHaveProperty('written');
    expect((await resources(container)).filter((resource) => /[de]/.test(resource))).toEqual(['d', 'e']);
    expect((await check(container)).findings[0]).toMatch(/^2026-11-24.jsonl:4 LineUnreadable$/);
  });

  it('A trail whose file was deleted under a writer takes further records in a new file', async () => {
    const { container, record, blob } = await started();
    await blob.delete();
    expect(await record(entry('d'), LIMIT)).toMatchObject({ written: { seq: 1 } });
    expect((await check(container)).findings).toEqual([]);
  });

  it('A trail takes further records after its file was replaced by a block blob, which cannot be closed', async () => {
    const container = newContainer(azurite.connectionString);
    let day = '2026-11-24';
    const record = newTrail(container, { now: () => new Date(`${day}T12:00:00Z`) });

    for (const name of ['a', 'b']) await record(entry(name), LIMIT);

    const block = container.getBlockBlobClient(`${day}.jsonl`);
    const bytes = await block.downloadToBuffer();

    await block.delete();
    await block.upload(bytes, bytes.length);
    day = '2026-11-25';

    expect(await record(entry('c'), LIMIT)).toMatchObject({ written: { seq: 3, file: `${day}.jsonl` } });
    expect(await resources(container)).toEqual(['a', 'b', 'c']);
    expect((await check(container)).findings).toEqual([
      '2026-11-24.jsonl FileReplaced',
      '2026-11-24.jsonl FileNotClosed',
    ]);
  });
});
