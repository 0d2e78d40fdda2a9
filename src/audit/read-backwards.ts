import type { AuditFiles } from './audit-files.ts';
import { CLOCKS_APART_MS, compareFileNames, type TrailPosition, trailFiles } from './file-name.ts';
import { LINE_FEED, MOST_LINE_BYTES } from './lines.ts';
import { type AuditRecord, parseRecord } from './record.ts';
import { mayHold } from './trail-filter.ts';

/** Bytes per read; a line may be longer. */
const CHUNK_BYTES = 1024 * 1024;

/** A line of the trail without its line feed, with its start position. */
interface TrailLine extends TrailPosition {
  readonly bytes: Buffer;
}

/** Start and end of a backwards read, both inclusive. */
interface BackwardsRange {
  /** Position before which the read starts, in the newest file; absent: the end of the trail. */
  readonly before?: TrailPosition | undefined;
  /** Selects the files to read by name. */
  readonly isWanted?: (file: string) => boolean;
}

/**
 * Yields the lines of the trail backwards, chunk by chunk. Files only grow at their end, so a position in a file stays
 * valid. Each element has the lines of a single read, newest first and possibly none, and the position of the read.
 *
 * @throws the SDK's error when the app cannot read the trail
 */
export async function* linesBackwards(
  files: AuditFiles,
  { before, isWanted = () => true }: BackwardsRange = {},
  chunkBytes: number = CHUNK_BYTES,
): AsyncGenerator<{ readonly lines: readonly TrailLine[]; readonly bytes: number; readonly from: TrailPosition }> {
  const wanted = trailFiles(await files.list())
    .filter(({ name }) => isWanted(name) && (before === undefined || compareFileNames(name, before.file) <= 0))
    .reverse();
  for (const { name: file, size } of wanted) {
    let end = file === before?.file ? Math.min(size, before.position) : size;
    // Rest of a line that starts before the bytes read so far.
    let rest: Buffer = Buffer.alloc(0);
    while (end > 0) {
      const from = Math.max(0, end - chunkBytes);
      const slice = await files.read(file, from, end);
      // The file was truncated, which verification reports.
      if (!slice || slice.bytes.length === 0) break;
      const bytes = Buffer.concat([slice.bytes, rest]);
      const cut = from === 0 ? 0 : bytes.indexOf(LINE_FEED) + 1;
      // Bytes longer than a line are no record, so their end is dropped.
      const isEndless = bytes.length > MOST_LINE_BYTES + chunkBytes;
      rest =
        from > 0 && cut === 0 ? bytes.subarray(0, isEndless ? MOST_LINE_BYTES : undefined) : bytes.subarray(0, cut);
      const lines = from > 0 && cut === 0 ? [] : linesIn(bytes, cut, { file, position: from });
      yield { lines, bytes: slice.bytes.length, from: { file, position: from } };
      end = from;
    }
  }
}

function linesIn(bytes: Buffer, cut: number, at: TrailPosition): TrailLine[] {
  const lines: TrailLine[] = [];
  for (let start = cut; start < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed === -1 ? bytes.length : feed;
    if (end > start) lines.push({ file: at.file, position: at.position + start, bytes: bytes.subarray(start, end) });
    start = end + 1;
  }
  return lines.reverse();
}

/**
 * Yields the intact records since a time whose JSON contains a text, newest first. Parses only the lines of a chunk
 * that contain the text, and the oldest line, whose time decides when to stop.
 *
 * @param text text as it appears in a record's JSON
 * @param signal stops the read, which may cover months
 * @throws the SDK's error when the app cannot read the trail, and the signal's reason
 */
export async function* recordsSince(
  files: AuditFiles,
  text: string,
  since: Date,
  signal?: AbortSignal,
): AsyncGenerator<AuditRecord> {
  const first = since.getTime() - CLOCKS_APART_MS;
  for await (const { lines } of linesBackwards(files, { isWanted: mayHold({ since }) })) {
    signal?.throwIfAborted();
    const oldest = lines.at(-1);
    for (const line of lines) {
      if (line !== oldest && !line.bytes.includes(text)) continue;
      const record = parseRecord(line.bytes);
      if (record && Date.parse(record.time) < first) return;
      if (record?.intact) yield record;
    }
  }
}
