import type { AuditFiles } from './audit-client.ts';
import type { TrailPosition } from './file-name.ts';
import { MOST_LINE_BYTES, readLinesBackwards } from './lines.ts';
import { type AuditRecordView, parseRecord, type RecordedEntry, toRecordedEntry } from './record.ts';
import { canHoldRecords, isTrailMatch, type TrailFilter } from './trail-filter.ts';
import { UniqueRecords } from './unique-records.ts';

interface TrailPage {
  /** Newest first. */
  readonly records: readonly AuditRecordView[];
  /** Position of older records; absent: no older records. */
  readonly next?: TrailPosition;
  /** Time of the oldest record read; set when `mostBytes` or the signal ended the search. */
  readonly searchedBackTo?: string | undefined;
}

interface SearchLimits {
  readonly most: number;
  /** Most bytes to read; absent: no limit. */
  readonly mostBytes?: number;
  readonly signal?: AbortSignal;
  readonly sees?: (record: RecordedEntry) => boolean;
}

/**
 * Finds the newest records that match a filter, each once per page. Does not verify them: `verifyTrail` does.
 *
 * @param before position at which the previous page ended
 * @throws the SDK's error when the app cannot read the trail
 */
export async function searchTrail(
  files: AuditFiles,
  filter: TrailFilter,
  limits: SearchLimits,
  before?: TrailPosition,
): Promise<TrailPage> {
  const { most, mostBytes = Number.POSITIVE_INFINITY, signal, sees = () => true } = limits;
  const found = new UniqueRecords<AuditRecordView>();
  let read = 0;
  let at = before;
  let time: string | undefined;

  for await (const { lines, slice, from } of readLinesBackwards(files, canHoldRecords(filter), before)) {
    read += slice.bytes.length;

    for (const { file, position, bytes } of lines) {
      const record = parseRecord(bytes);
      const one = record && toRecordedEntry(record);
      if (one && isTrailMatch(one, filter) && sees(one)) {
        // A record beyond the page proves that a next page exists.
        if (found.size === most) return { records: found.all, next: at ?? { file, position } };
        found.add({ ...one, file });
      }

      at = { file, position };
      time = record?.time ?? time;
    }

    // In a text without line feeds, the next page continues here, so it does not read the text again.
    if (lines.length === 0 && slice.bytes.length >= MOST_LINE_BYTES) at = from;

    if (at && (read >= mostBytes || signal?.aborted)) {
      return { records: found.all, next: at, searchedBackTo: time };
    }
  }

  return { records: found.all };
}
