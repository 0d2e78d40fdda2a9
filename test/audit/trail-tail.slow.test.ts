import { describe, expect, it } from 'vitest';
import { auditFiles } from '../../src/audit/audit-client.ts';
import type { TrailPosition } from '../../src/audit/file-name.ts';
import { CHAIN_START, formatRecord, parseRecord } from '../../src/audit/record.ts';
import { readOn } from '../../src/audit/trail-tail.ts';
import { useAzurite } from '../support/azurite.ts';
import { entry, NIGHT, newContainer, newTrail } from './trails.ts';

const azurite = useAzurite();
const DAY = 24 * 3_600_000;

/** Somebody who reads the trail piece by piece, and keeps where it ended. */
function reader(container: ReturnType<typeof newContainer>, today = () => '2026-11-24', pieceBytes?: number) {
  let at: TrailPosition | undefined;
  return async () => {
    const found: string[] = [];
    for (let piece = await readOn(auditFiles(container), at, today(), pieceBytes); piece; ) {
      at = piece.end;
      found.push(...piece.records.map((one) => one.entry.resource));
      piece = await readOn(auditFiles(container), at, today(), pieceBytes);
    }
    return found;
  };
}

describe('reading on in the trail', () => {
  it('gives each record once, those of several writers and files too', async () => {
    const container = newContainer(azurite.connectionString);
    let now = NIGHT;
    const trails = [newTrail(container, { now: () => now }), newTrail(container, { now: () => now, maxBlocks: 3 })];
    const read = reader(container, () => now.toISOString().slice(0, 10), 700);
    expect(await read()).toEqual([]);
    const written: string[] = [];
    const seen: string[] = [];
    for (let n = 0; n < 24; n += 1) {
      if (n === 12) now = new Date(now.getTime() + DAY);
      written.push(`r${n}`);
      await trails[n % 2]?.(entry(`r${n}`), 5_000);
      if (n % 5 === 0) seen.push(...(await read()));
    }
    expect([...seen, ...(await read())]).toEqual(written);
    expect(await read()).toEqual([]);
  });

  it('goes on where the chain does when its file is removed, or is another one', async () => {
    const container = newContainer(azurite.connectionString);
    let now = NIGHT;
    const trail = newTrail(container, { now: () => now });
    const read = reader(container, () => now.toISOString().slice(0, 10));
    await trail(entry('a'), 5_000);
    await trail(entry('b'), 5_000);
    expect(await read()).toEqual(['a', 'b']);
    await container.getBlobClient('2026-11-24.jsonl').delete();
    await newTrail(container, { now: () => now })(entry('c'), 5_000);
    expect(await read()).toEqual(['c']);
    await container.getBlobClient('2026-11-24.jsonl').delete();
    now = new Date(now.getTime() + DAY);
    await newTrail(container, { now: () => now })(entry('d'), 5_000);
    expect(await read()).toEqual(['d']);
  });

  it('is not led away by a file that nobody of the chain has made', async () => {
    const container = newContainer(azurite.connectionString);
    const trail = newTrail(container);
    const read = reader(container);
    await trail(entry('a'), 5_000);
    expect(await read()).toEqual(['a']);
    const planted = container.getAppendBlobClient('2099-01-01.jsonl');
    await planted.create();
    await planted.appendBlock('{}\n', 3);
    expect(await read()).toEqual([]);
    await trail(entry('b'), 5_000);
    expect(await read()).toEqual(['b']);
  });

  it.each(['2099-01-01.jsonl', '2026-11-24.999999999.jsonl', '2026-11-23.jsonl'])(
    'is not led away by somebody who closes the file in favour of %s',
    async (next) => {
      const container = newContainer(azurite.connectionString);
      await newTrail(container)(entry('a'), 5_000);
      const read = reader(container);
      expect(await read()).toEqual(['a']);
      const blob = container.getAppendBlobClient('2026-11-24.jsonl');
      const last = parseRecord(Buffer.from((await blob.downloadToBuffer()).toString().trim()));
      const { line } = formatRecord(last ?? CHAIN_START, { next }, { id: 'forged', time: NIGHT });
      await blob.appendBlock(line, Buffer.byteLength(line));
      expect(await read()).toEqual([]);
      await newTrail(container)(entry('b'), 5_000);
      expect(await read()).toEqual(['b']);
    },
  );

  it('leaves out a record that is not intact, and goes past what is no line', async () => {
    const container = newContainer(azurite.connectionString);
    await newTrail(container)(entry('a'), 5_000);
    const blob = container.getAppendBlobClient('2026-11-24.jsonl');
    const forged = (await blob.downloadToBuffer()).toString().replace('"resource":"a"', '"resource":"x"');
    await blob.appendBlock(forged, Buffer.byteLength(forged));
    await blob.appendBlock('x'.repeat(5_000), 5_000);
    await newTrail(container)(entry('b'), 5_000);
    expect(await reader(container, undefined, 2_000)()).toEqual(['a', 'b']);
  });
});
