import { dayOf } from '../time/duration.ts';
import { HOUR_MS } from '../time/spans.ts';
import type { AuditFiles } from './audit-files.ts';
import { compareFileNames, fileName, trailFiles } from './file-name.ts';
import { LINE_FEED, MOST_LINE_BYTES } from './lines.ts';
import { type AuditReceipt, type AuditRecord, parseRecord } from './record.ts';

/** How far a writer's clock may be behind: its records may stand in the file of the day before. Milliseconds. */
export const CLOCKS_APART_MS = HOUR_MS;
const CHUNK_BYTES = 4 * 1024 * 1024;

/** Up to where the trail has been looked through: everything before it, in files and bytes. */
export interface TrailPosition {
  readonly file: string;
  readonly position: number;
}

/** Where to begin, so that nothing written since that time is missed. */
export function seenBefore(since: Date): TrailPosition {
  return { file: fileName({ day: dayOf(new Date(since.getTime() - CLOCKS_APART_MS)), part: 0 }), position: 0 };
}

/**
 * Looks for the entry with that id behind what has been seen. From the beginning on it reads every file of that day and
 * later, so it is for the rare case in which it is not known whether an entry was written.
 *
 * @param chunkBytes bytes that are read at a time; a line may be longer
 * @returns the receipt of its record, or up to where there is none
 */
export async function findEntry(
  files: AuditFiles,
  id: string,
  seen: TrailPosition,
  chunkBytes: number = CHUNK_BYTES,
): Promise<
  { readonly found: AuditReceipt & { readonly entry: AuditRecord['entry'] } } | { readonly seen: TrailPosition }
> {
  const later = trailFiles(await files.list()).filter(({ name }) => compareFileNames(name, seen.file) >= 0);
  let end = seen;
  for (const { name: file, size } of later) {
    let at = file === seen.file ? seen.position : 0;
    let rest = Buffer.alloc(0);
    while (at < size) {
      const slice = await files.read(file, at, Math.min(size, at + chunkBytes));
      if (!slice || slice.bytes.length === 0) break;
      at += slice.bytes.length;
      const bytes = Buffer.concat([rest, slice.bytes]);
      const found = receiptIn(bytes, id);
      if (found) return { found: { file, ...found } };
      rest = bytes.subarray(bytes.lastIndexOf(LINE_FEED) + 1);
      // No record is so long.
      if (rest.length > MOST_LINE_BYTES) rest = Buffer.alloc(0);
    }
    end = { file, position: at - rest.length };
  }
  return { seen: end };
}

/** Parses those lines alone in which the id stands, as records are written; each of them once. */
function receiptIn(
  bytes: Buffer,
  id: string,
): (Omit<AuditReceipt, 'file'> & { readonly entry: AuditRecord['entry'] }) | undefined {
  const written = `"id":${JSON.stringify(id)}`;
  for (let at = bytes.indexOf(written), end = 0; at !== -1; at = bytes.indexOf(written, end)) {
    end = bytes.indexOf(LINE_FEED, at);
    if (end === -1) return undefined; // the line goes on in the next chunk
    const record = parseRecord(bytes.subarray(bytes.lastIndexOf(LINE_FEED, at) + 1, end));
    if (record?.intact && record.entry?.id === id) return { seq: record.seq, hash: record.hash, entry: record.entry };
  }
  return undefined;
}
