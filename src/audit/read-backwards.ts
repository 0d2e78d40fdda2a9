import type { AuditFiles } from './audit-files.ts';
import { CLOCKS_APART_MS, compareFileNames, type TrailPosition, trailFiles } from './file-name.ts';
import { LINE_FEED, MOST_LINE_BYTES } from './lines.ts';
import { type AuditRecord, parseRecord } from './record.ts';
import { mayHold } from './trail-filter.ts';

/** Bytes that are read at a time; a line may be longer. */
const CHUNK_BYTES = 1024 * 1024;

/** A line of the trail, without its line feed, and where it begins. */
interface TrailLine extends TrailPosition {
  readonly bytes: Buffer;
}

/** Where a reading ends and begins; both bounds belong to it. */
interface BackwardsRange {
  /** The newest file, and the byte in it before which all is read; absent: the end of the trail. */
  readonly before?: TrailPosition | undefined;
  /** Names of files outside of these are left out. */
  readonly isWanted?: (file: string) => boolean;
}

/**
 * The lines of the trail from its end on, chunk by chunk: files only grow at their end, so that a position in one stays what
 * it was. Each element is what one read has shown, newest line first, and from where on; it may be nothing.
 *
 * @throws the SDK's error when the trail cannot be read
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
    // What of a line has been read that begins before it.
    let rest: Buffer = Buffer.alloc(0);
    while (end > 0) {
      const from = Math.max(0, end - chunkBytes);
      const slice = await files.read(file, from, end);
      // The file was shortened, which the verification reports.
      if (!slice || slice.bytes.length === 0) break;
      const bytes = Buffer.concat([slice.bytes, rest]);
      const cut = from === 0 ? 0 : bytes.indexOf(LINE_FEED) + 1;
      // Whatever is longer than a line is none, and its end need not be held.
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
 * Lists the intact records since a time whose JSON contains a text, newest first. Of each chunk it parses only the lines that
 * contain the text, and the oldest line, whose time says when to stop.
 *
 * @param text as a record has it in its JSON
 * @param signal ends the reading: it may go back by months
 * @throws the SDK's error when the trail cannot be read, and the reason of the signal
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
