import type { AuditFiles } from './audit-client.ts';
import { CLOCKS_APART_MS, compareFileNames, filterTrailFiles, type TrailPosition } from './file-name.ts';
import { type AuditRecord, parseRecord } from './record.ts';
import { canHoldRecords } from './trail-filter.ts';

export const LINE_FEED = 0x0a;
/**
 * Maximum length of a line of the trail, in bytes; an entry has at most half a megabyte. A forger may append gigabytes
 * without a line feed, so readers drop the rest of a longer line.
 */
export const MOST_LINE_BYTES = 1024 * 1024;
/** Bytes per read, because a streamed body has no deadline; a line may be longer. */
const FORWARD_BYTES = 4 * 1024 * 1024;
/** Bytes per read backwards. */
const CHUNK_BYTES = 1024 * 1024;

/** Yields the lines of a file without their line feeds; `ended`: the line has a line feed. */
export async function* readLines(
  files: AuditFiles,
  name: string,
): AsyncGenerator<{ readonly bytes: Buffer; readonly ended: boolean }> {
  let rest: Buffer[] = [];
  let held = 0;
  let size = Number.POSITIVE_INFINITY;
  for (let at = 0; at < size; ) {
    const slice = await files.read(name, at, at + FORWARD_BYTES);
    if (!slice || slice.bytes.length === 0) break;

    let { bytes } = slice;

    size = slice.size;
    at += bytes.length;
    for (let feed = bytes.indexOf(LINE_FEED); feed !== -1; feed = bytes.indexOf(LINE_FEED)) {
      yield { bytes: Buffer.concat([...rest, bytes.subarray(0, feed)]), ended: true };
      [rest, held] = [[], 0];
      bytes = bytes.subarray(feed + 1);
    }

    if (bytes.length === 0 || held > MOST_LINE_BYTES) continue;

    rest.push(bytes);
    held += bytes.length;
  }

  if (rest.length > 0) yield { bytes: Buffer.concat(rest), ended: false };
}

/** A line of the trail without its line feed, with its start position. */
interface TrailLine extends TrailPosition {
  readonly bytes: Buffer;
}

/** A single read backwards with its position, and its lines: newest first, possibly none. */
interface TrailChunk {
  readonly lines: readonly TrailLine[];
  readonly slice: NonNullable<Awaited<ReturnType<AuditFiles['read']>>>;
  readonly from: TrailPosition;
}

/** Yields the lines of a file before a position, backwards. Files only grow at their end, so positions stay valid. */
export async function* readFileBackwards(
  files: AuditFiles,
  file: string,
  before: number,
  chunkBytes: number = CHUNK_BYTES,
): AsyncGenerator<TrailChunk> {
  // Rest of a line that starts before the bytes read so far.
  let rest: Buffer = Buffer.alloc(0);
  for (let end = before; end > 0; ) {
    const position = Math.max(0, end - chunkBytes);
    const slice = await files.read(file, position, end);

    // The file was truncated, which verification reports.
    if (!slice || slice.bytes.length === 0) return;

    const bytes = Buffer.concat([slice.bytes, rest]);
    const cut = position === 0 ? 0 : bytes.indexOf(LINE_FEED) + 1;
    const isWithinLine = position > 0 && cut === 0;

    // Bytes longer than a line are no record, so their end is dropped.
    const isEndless = bytes.length > MOST_LINE_BYTES + chunkBytes;

    rest = isWithinLine ? bytes.subarray(0, isEndless ? MOST_LINE_BYTES : undefined) : bytes.subarray(0, cut);

    const from = { file, position };

    yield { lines: isWithinLine ? [] : linesIn(bytes, cut, from), slice, from };
    end = position;
  }
}

function linesIn(bytes: Buffer, cut: number, { file, position }: TrailPosition): TrailLine[] {
  const lines: TrailLine[] = [];
  for (let start = cut; start < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed === -1 ? bytes.length : feed;
    if (end > start) lines.push({ file, position: position + start, bytes: bytes.subarray(start, end) });
    start = end + 1;
  }
  return lines.reverse();
}

/**
 * Yields the lines of the trail backwards.
 *
 * @param before position in the newest file at which the read starts; absent: the end of the trail
 * @param isWanted selects the files to read by name
 * @throws the SDK's error when the app cannot read the trail
 */
export async function* readLinesBackwards(
  files: AuditFiles,
  isWanted: (file: string) => boolean = () => true,
  before?: TrailPosition,
  chunkBytes?: number,
): AsyncGenerator<TrailChunk> {
  for (const { name, size } of filterTrailFiles(await files.list()).reverse()) {
    if (!isWanted(name) || (before && compareFileNames(name, before.file) > 0)) continue;
    yield* readFileBackwards(files, name, name === before?.file ? Math.min(size, before.position) : size, chunkBytes);
  }
}

/**
 * Yields the intact records since a time whose JSON contains a text, newest first. Parses only the lines of a chunk
 * that contain the text, and the oldest line, whose time decides when to stop.
 *
 * @param text text as it appears in a record's JSON
 * @param signal stops the read, which may cover months
 * @throws the SDK's error when the app cannot read the trail, and the signal's reason
 */
export async function* readRecordsSince(
  files: AuditFiles,
  text: string,
  since: Date,
  signal?: AbortSignal,
): AsyncGenerator<AuditRecord> {
  const first = since.getTime() - CLOCKS_APART_MS;

  for await (const { lines } of readLinesBackwards(files, canHoldRecords({ since }))) {
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
