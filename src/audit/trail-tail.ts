import type { AuditFiles } from './audit-files.ts';
import { findHead, mayFollow } from './chain-writer.ts';
import { type TrailPosition, trailFiles } from './file-name.ts';
import { LINE_FEED } from './lines.ts';
import { parseRecord } from './record.ts';
import { type RecordedEntry, recordedEntry } from './trail-filter.ts';

/** More than the longest record has. Bytes. */
const PIECE_BYTES = 2 * 1024 * 1024;

interface TrailPiece {
  readonly records: readonly RecordedEntry[];
  readonly end: TrailPosition;
}

/**
 * Reads on in the trail, a piece at a time: a reader that keeps the end position misses no record of any instance. It skips
 * a damaged record, which the drift check reports.
 *
 * @param from where the piece before ended; undefined: the beginning of the newest file of the chain
 * @param today day in UTC
 * @returns undefined when there is nothing new; a piece without records when the chain goes on in another file
 */
export async function readOn(
  files: AuditFiles,
  from: TrailPosition | undefined,
  today: string,
  pieceBytes: number = PIECE_BYTES,
): Promise<TrailPiece | undefined> {
  if (!from) return emptyPiece((await findHead(files, today)).file, 0);
  const { file, position } = from;
  const bytes = (await files.read(file, position, position + pieceBytes))?.bytes ?? Buffer.alloc(0);
  const length = bytes.lastIndexOf(LINE_FEED) + 1;
  if (length > 0) return pieceOf(bytes.subarray(0, length), from, today);
  // No writer makes a line of that length.
  if (bytes.length >= pieceBytes) return emptyPiece(file, position + bytes.length);
  return nextFile(files, from, today);
}

function pieceOf(bytes: Buffer, { file, position }: TrailPosition, today: string): TrailPiece {
  const records: RecordedEntry[] = [];
  let next: string | undefined;
  let start = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, start)) {
    const record = parseRecord(bytes.subarray(start, at));
    start = at + 1;
    if (!record?.intact) continue;
    const found = recordedEntry(record);
    if (found) records.push(found);
    else if (record.next && mayFollow(record.next, file, today)) next = record.next;
  }
  return { records, end: next ? { file: next, position: 0 } : { file, position: position + bytes.length } };
}

/** A file that is full, damaged or removed does not say where the chain goes on. */
async function nextFile(
  files: AuditFiles,
  { file, position }: TrailPosition,
  today: string,
): Promise<TrailPiece | undefined> {
  const listed = await files.list();
  // The file is shorter than before: it was replaced.
  if (listed.some(({ name, size }) => name === file && size < position)) return emptyPiece(file, 0);
  const next = trailFiles(listed).find(({ name, size }) => size > 0 && mayFollow(name, file, today));
  return next && emptyPiece(next.name, 0);
}

function emptyPiece(file: string, position: number): TrailPiece {
  return { records: [], end: { file, position } };
}
