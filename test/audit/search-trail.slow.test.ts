import { describe, expect, it } from 'vitest';
import type { AuditFiles } from '../../src/audit/audit-client.ts';
import { createAuditFiles } from '../../src/audit/audit-client.ts';
import type { TrailPosition } from '../../src/audit/file-name.ts';
import { findRecord } from '../../src/audit/find-record.ts';
import { readLinesBackwards } from '../../src/audit/lines.ts';
import { type AuditRecordView, parseRecord } from '../../src/audit/record.ts';
import { searchTrail } from '../../src/audit/search-trail.ts';
import { sumEvents } from '../../src/audit/sum-events.ts';
import { listNamedKeys, type TrailFilter } from '../../src/audit/trail-filter.ts';
import { useAzurite } from '../support/azurite.ts';
import { entry, newContainer, newTrail } from './trails.ts';

const azurite = useAzurite();
const LIMIT = 20_000;
const DAYS = ['2026-11-22', '2026-11-23', '2026-11-25'];

/** Entries on three days, `1`, `2`, … in the order of the chain; each day's file but the last one ends with a closing record. */
async function trail(perDay = 4, change: (n: number) => object = () => ({})) {
  const container = newContainer(azurite.connectionString);
  let now = new Date();
  const record = newTrail(container, { now: () => now });
  let n = 0;

  for (const day of DAYS) {
    for (let of = 0; of < perDay; of += 1) {
      n += 1;
      now = new Date(`${day}T03:${String(of).padStart(2, '0')}:00Z`);
      await record({ ...entry(String(n)), ...change(n) }, LIMIT);
    }
  }

  const more = (resource: string) => record(entry(resource), LIMIT);

  return { container, files: createAuditFiles(container), more, entries: n };
}

const resourcesOf = (records: readonly AuditRecordView[]) => records.map((record) => record.entry.resource);
const countDown = (from: number) => Array.from({ length: from }, (_, n) => String(from - n));

/** The same files, and the names of those that are read. */
function watching(files: AuditFiles): { readonly read: string[]; readonly watched: AuditFiles } {
  const read: string[] = [];
  const reading: AuditFiles['read'] = (name, from, to) => {
    read.push(name);
    return files.read(name, from, to);
  };
  return { read, watched: { ...files, read: reading } };
}

/** Every page of a search, one after the other. */
async function pages(files: AuditFiles, limits: Parameters<typeof searchTrail>[2], filter: TrailFilter = {}) {
  const found = [];
  let before: TrailPosition | undefined;
  do {
    const page = await searchTrail(files, filter, limits, before);
    found.push(page);
    before = page.next;
  } while (before);
  return found;
}

it('the lines of a trail are read backwards with their places, wherever a chunk ends', async () => {
  const { files, container } = await trail(2, (n) => ({ details: { text: 'ä'.repeat(n * 40) } }));
  const texts = [];

  for (const day of DAYS) {
    const text = (await container.getBlobClient(`${day}.jsonl`).downloadToBuffer()).toString();
    texts.push(...text.split('\n').filter((line) => line !== ''));
  }

  for (const chunk of [61, 500, undefined]) {
    const seen = [];
    for await (const { lines } of readLinesBackwards(files, undefined, undefined, chunk)) seen.push(...lines);

    expect(seen.map(({ bytes }) => bytes.toString())).toEqual(texts.toReversed());

    for (const { file, position, bytes } of seen) {
      expect((await files.read(file, position, position + bytes.length))?.bytes).toEqual(bytes);
    }
  }
});

describe('a search in the trail', () => {
  it('A search in the trail shows every record once, newest first, page by page, while records are written', async () => {
    const { files, entries, more } = await trail();
    const first = await searchTrail(files, {}, { most: 5 });

    expect(resourcesOf(first.records)).toEqual(countDown(entries).slice(0, 5));

    await more('new');

    const rest = [];
    for (let { next } = first; next; ) {
      const page = await searchTrail(files, {}, { most: 5 }, next);
      rest.push(...resourcesOf(page.records));
      next = page.next;
    }

    expect(rest).toEqual(countDown(entries).slice(5));

    // A page that holds exactly the rest has no next one.
    expect((await searchTrail(files, {}, { most: entries + 1 })).next).toBeUndefined();
  });

  it('A search in the trail stops at its limit of bytes, says how far it came, and continues from there', async () => {
    const { files, entries } = await trail();
    const all = await pages(files, { most: 100, mostBytes: 1 });
    // A read shows a day's file whole.
    expect(all.map(({ records }) => records.length)).toEqual([4, 4, 4, 0]);
    expect(all.map(({ searchedBackTo }) => searchedBackTo?.slice(0, 10))).toEqual([...DAYS.toReversed(), undefined]);
    expect(all.flatMap(({ records }) => resourcesOf(records))).toEqual(countDown(entries));
    const given = AbortSignal.abort();
    expect(await searchTrail(files, {}, { most: 100, signal: given })).toMatchObject({ next: {}, searchedBackTo: {} });
  });

  it('A search in the trail reads only the files of the requested days', async () => {
    const { files } = await trail();
    const { read, watched } = watching(files);
    const filter = { since: new Date('2026-11-23T00:00:00Z'), until: new Date('2026-11-23T12:00:00Z') };
    const { records } = await searchTrail(watched, filter, { most: 100 });
    expect(resourcesOf(records)).toEqual(['8', '7', '6', '5']);
    // Clocks differ by up to an hour: the day before is looked into as well.
    expect(new Set(read)).toEqual(new Set(['2026-11-23.jsonl', '2026-11-22.jsonl']));
  });

  it('A search in the trail hides what the caller may not see, and counts it to no page', async () => {
    const { files } = await trail();
    const sees = ({ entry: { resource } }: { entry: { resource: string } }) => Number(resource) % 2 === 0;
    const found = await pages(files, { most: 4, sees });
    expect(found.map(({ records }) => resourcesOf(records))).toEqual([
      ['12', '10', '8', '6'],
      ['4', '2'],
    ]);
  });

  it('A search in the trail lists the keys that a record names', () => {
    const about = { action: 'account.move', reason: 'Moved' } as const;
    const id = 'https://KV-files.vault.azure.net/keys/Files-Key';
    expect(listNamedKeys({ ...about, resource: '/st1', details: { from: `${id}/v1`, to: `${id}/v2` } })).toEqual([
      { vault: 'kv-files', key: 'files-key' },
    ]);
    expect(
      listNamedKeys({ ...about, resource: '/st1', details: { other: 'https://kv-x.vault.azure.cn/keys/b' } }),
    ).toEqual([{ vault: 'kv-x', key: 'b' }]);
    expect(listNamedKeys({ ...about, resource: 'all keys' })).toEqual([]);
  });

  it('A search in the trail matches a vault and a key only if one identifier has both', async () => {
    const from = 'https://kv-a.vault.azure.net/keys/x';
    const to = 'https://kv-b.vault.azure.net/keys/y';
    const version = 'a'.repeat(32);
    const { files } = await trail(1, () => ({ resource: from, details: { from: `${from}/${version}`, to } }));
    const found = async (filter: TrailFilter) => (await searchTrail(files, filter, { most: 10 })).records.length;
    const forms = [from, `${from}/`, `${from}/${version}`, to.toUpperCase()];
    const matching = ['x', 'kv-a/x', `kv-a/x/${version}`, 'KV-B/Y', ...forms];

    for (const key of matching) expect([key, await found({ key })]).toEqual([key, 3]);

    const other = 'https://kv-a.vault.azure.cn/keys/x';
    for (const key of ['kv-a/y', 'kv-b/x', `${to}/${version}`, 'z', other, 'https://kv-a.example/keys/x']) {
      expect([key, await found({ key })]).toEqual([key, 0]);
    }

    expect([await found({ vault: 'kv-b', key: 'Y' }), await found({ vault: 'kv-b', key: 'x' })]).toEqual([3, 0]);
  });

  it('A search in the trail does not search the free text of an operator for the subject of a record', async () => {
    const said = 'as https://kv-records.vault.azure.net/keys/records-key was';
    const resource = 'https://kv-files.vault.azure.net/keys/files-key';
    const entry = { action: 'key.restore', reason: 'Restored', resource, details: { why: said, ticket: said } };
    expect(listNamedKeys(entry)).toEqual([{ vault: 'kv-files', key: 'files-key' }]);
    const { files } = await trail(1, () => entry);
    const about = async (key: string) => (await searchTrail(files, { key }, { most: 10 })).records.length;
    expect([await about('records-key'), await about('kv-records/records-key'), await about('files-key')]).toEqual([
      0, 0, 3,
    ]);
  });
});

describe('one record of the trail', () => {
  it('A record of the trail is found by its number in a few requests', async () => {
    const { files } = await trail(4);
    const { read, watched } = watching(files);
    const all = [];

    for await (const { lines } of readLinesBackwards(files)) all.push(...lines);

    const records = all.toReversed().flatMap(({ bytes, file }) => {
      const record = parseRecord(bytes);
      return record ? [{ ...record, file }] : [];
    });
    expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 14 }, (_, n) => n + 1));

    for (const { seq, hash, file, id } of records) {
      read.length = 0;

      const found = await findRecord(watched, String(seq));

      expect(read.length).toBeLessThanOrEqual(5);
      expect(found).toMatchObject({ record: { seq, hash, intact: true }, file });
      expect(await findRecord(files, id)).toEqual(found);
    }

    for (const which of ['0', '15', '-1', '01', 'no-such-id', '"', '']) {
      expect(await findRecord(files, which)).toBeUndefined();
    }
  });

  it('A record of the trail is searched for within a limit of reads', async () => {
    const { files } = await trail(4);
    const { records } = await searchTrail(files, {}, { most: 100 });
    const oldest = records.at(-1)?.id ?? '';
    expect(await findRecord(files, oldest, 1)).toBeUndefined();
    expect(await findRecord(files, oldest, 1_000_000)).toMatchObject({ record: { seq: 1 } });
  });
});

describe('the summary of a day', () => {
  const span = { since: new Date('2026-11-23T00:00:00Z'), until: new Date('2026-11-24T00:00:00Z') };

  const finished = (moved: number, startedOn: string, progressOn?: string) => ({
    action: 'key.rotation',
    reason: 'RotationFinished',
    details: { moved, startedOn, progressOn },
  });

  it('The summary of a day counts each revocation once, and the rotations that moved an account', async () => {
    const entries: Record<number, object> = {
      // Of the day before.
      10: { id: 'r0' },
      11: { action: 'key.restore', reason: 'Restored' },
      12: { action: 'key.restore', reason: 'SecondPersonNeeded' },
      13: finished(3, '2026-11-23T02:59:00Z', '2026-11-23T02:59:20Z'),
      // Before there was `progressOn`: until it was seen.
      14: finished(3, '2026-11-23T02:59:00Z'),
      // Nothing was moved.
      15: { id: 'f1', ...finished(0, '2026-11-01T00:00:00Z', '2026-11-01T00:00:00Z') },
      // Recorded once more: the decision was not stored, and made again.
      16: { id: 'f1', ...finished(0, '2026-11-01T00:00:00Z', '2026-11-01T00:00:00Z') },
      17: { id: 'r1' },
      18: { id: 'r1', reason: 'RevocationIncomplete' },
      19: { id: 'r2' },
      20: { action: 'key.rotation', reason: 'RotationStuck' },
    };

    const { files } = await trail(10, (n) => entries[n] ?? { action: 'account.move', reason: 'Moved' });
    expect(await sumEvents(files, span)).toEqual({
      rotations: { finished: 3, p50Seconds: 20, p95Seconds: 240 },
      revocations: 2,
      restores: 1,
      complete: true,
    });
  });

  it('The summary of a day is read within a limit of bytes', async () => {
    const { files } = await trail();
    expect(await sumEvents(files, { ...span, signal: AbortSignal.abort() })).toMatchObject({ complete: false });
  });
});
