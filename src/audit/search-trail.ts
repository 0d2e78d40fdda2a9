import type { AuditFiles } from './audit-files.ts';
import type { TrailPosition } from './file-name.ts';
import { MOST_LINE_BYTES } from './lines.ts';
import { linesBackwards } from './read-backwards.ts';
import { parseRecord } from './record.ts';
import { isMeant, mayHold, type RecordedEntry, recordedEntry, type TrailFilter } from './trail-filter.ts';
import { UniqueRecords } from './unique-records.ts';

export interface FoundRecord extends RecordedEntry {
  readonly file: string;
}

interface TrailPage {
  /** Newest first. */
  readonly records: readonly FoundRecord[];
  /** Where older ones are; absent: there are none. */
  readonly next?: TrailPosition;
  /** Set when no more was read because of `mostBytes` or the signal: time of the oldest record that was read. */
  readonly searchedBackTo?: string;
}

interface SearchLimits {
  readonly most: number;
  /** Bytes after which no more is read; absent: all of it. */
  readonly mostBytes?: number;
  readonly signal?: AbortSignal;
  readonly sees?: (record: RecordedEntry) => boolean;
}

/**
 * The newest records that a filter means, each once on a page. They are read, not verified: `verifyTrail` does that.
 *
 * @param before where the page before ended
 * @throws the SDK's error when the trail cannot be read
 */
export async function searchTrail(
  files: AuditFiles,
  filter: TrailFilter,
  limits: SearchLimits,
  before?: TrailPosition,
): Promise<TrailPage> {
  const { most, mostBytes = Number.POSITIVE_INFINITY, signal, sees = () => true } = limits;
  const found = new UniqueRecords<FoundRecord>();
  let read = 0;
  let at = before;
  let time: string | undefined;
  for await (const { lines, bytes, from } of linesBackwards(files, { before, isWanted: mayHold(filter) })) {
    read += bytes;
    for (const { file, position, bytes } of lines) {
      const record = parseRecord(bytes);
      const one = record && recordedEntry(record);
      if (one && isMeant(one, filter) && sees(one)) {
        // One more than the page holds: only then is there a next one.
        if (found.size === most) return { records: found.all, next: at ?? { file, position } };
        found.add({ ...one, file });
      }
      at = { file, position };
      time = record?.time ?? time;
    }
    // Inside a text without line ends: the next page continues here, not at the end of that text again.
    if (lines.length === 0 && bytes >= MOST_LINE_BYTES) at = from;
    if (at && (read >= mostBytes || signal?.aborted)) {
      return { records: found.all, next: at, ...(time ? { searchedBackTo: time } : {}) };
    }
  }
  return { records: found.all };
}
