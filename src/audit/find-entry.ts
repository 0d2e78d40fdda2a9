import type { AuditFiles } from './audit-files.ts';
import { compareFileNames, dayOf, parseFileName } from './file-name.ts';
import { type AuditReceipt, parseRecord } from './record.ts';

/** How far a writer's clock may be behind: its records may stand in the file of the day before. Milliseconds. */
const CLOCKS_APART_MS = 3_600_000;
const CHUNK_BYTES = 4 * 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * Looks for the entry with that id among what was written since. It reads every file from that day on, so it is for the
 * rare case in which it is not known whether an entry was written.
 *
 * @param chunkBytes bytes that are read at a time; a line may be longer
 * @returns the receipt of its record; undefined when there is none
 */
export async function findEntry(
  files: AuditFiles,
  id: string,
  since: Date,
  chunkBytes: number = CHUNK_BYTES,
): Promise<AuditReceipt | undefined> {
  const from = dayOf(new Date(since.getTime() - CLOCKS_APART_MS));
  const recent = (await files.list()).filter(({ name }) => (parseFileName(name)?.day ?? '') >= from);
  for (const { name: file, size } of recent.sort((a, b) => compareFileNames(a.name, b.name))) {
    let rest = Buffer.alloc(0);
    for (let at = 0; at < size; ) {
      const slice = await files.read(file, at, Math.min(size, at + chunkBytes));
      if (!slice || slice.bytes.length === 0) break;
      at += slice.bytes.length;
      const bytes = Buffer.concat([rest, slice.bytes]);
      const found = receiptIn(bytes, id);
      if (found) return { file, ...found };
      rest = bytes.subarray(bytes.lastIndexOf(LINE_FEED) + 1);
    }
  }
  return undefined;
}

/** Parses those lines alone in which the id stands somewhere. */
function receiptIn(bytes: Buffer, id: string): Omit<AuditReceipt, 'file'> | undefined {
  for (let at = bytes.indexOf(id); at !== -1; at = bytes.indexOf(id, at + 1)) {
    const end = bytes.indexOf(LINE_FEED, at);
    if (end === -1) return undefined; // the line goes on in the next chunk
    const record = parseRecord(bytes.subarray(bytes.lastIndexOf(LINE_FEED, at) + 1, end));
    if (record?.intact && record.entry?.id === id) return { seq: record.seq, hash: record.hash };
  }
  return undefined;
}
