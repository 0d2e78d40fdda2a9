import { z } from 'zod';
import { percentile } from '../time/percentile.ts';
import type { AuditFiles } from './audit-client.ts';
import { linesBackwards } from './lines.ts';
import { parseRecord, type RecordedEntry, recordedEntry } from './record.ts';
import { matches, mayHold } from './trail-filter.ts';

const count = z.int().nonnegative();
const seconds = z.number().nonnegative().optional();

/** Events of keys in a time span, from the audit trail. */
export const TRAIL_EVENTS = z.object({
  rotations: z
    .object({
      finished: count.describe('Finished rotations, counted by their `RotationFinished` records.'),
      p50Seconds: seconds.describe(
        'Median time from the new version to the last moved account, over rotations that moved accounts.',
      ),
      p95Seconds: seconds.describe('95th percentile of the same times.'),
    })
    .describe('Duration of rotations.'),
  revocations: count,
  restores: count,
  complete: z.boolean().describe('False when the trail was too large to read completely.'),
});
export type TrailEvents = z.output<typeof TRAIL_EVENTS>;

interface EventSpan {
  readonly since: Date;
  /** End of the span, exclusive. */
  readonly until: Date;
  readonly mostBytes: number;
  readonly signal?: AbortSignal;
}

/** Text of records about keys; the reader skips other records without parsing them. */
const ABOUT_KEYS = '"action":"key.';

/**
 * Counts the events of a time span of the trail, without verifying its records.
 *
 * @throws the SDK's error when the app cannot read the trail
 */
export async function sumEvents(files: AuditFiles, { mostBytes, signal, ...span }: EventSpan): Promise<TrailEvents> {
  const sum = new EventSum();
  let read = 0;
  for await (const { lines, slice } of linesBackwards(files, mayHold(span))) {
    for (const line of lines) {
      const record = line.bytes.includes(ABOUT_KEYS) ? parseRecord(line.bytes) : undefined;
      const found = record && recordedEntry(record);
      if (found && matches(found, span)) sum.add(found);
    }
    read += slice.bytes.length;
    if (read >= mostBytes || signal?.aborted) return sum.result(false);
  }
  return sum.result(true);
}

class EventSum {
  readonly #revocations = new Set<string>();
  readonly #restores = new Set<string>();
  /** Duration of each finished rotation, by record id. */
  readonly #finished = new Map<string, number | undefined>();

  add({ id, time, entry }: RecordedEntry): void {
    const { action, reason } = entry;
    // Several processes may record the same call, and a caller may repeat it: the id counts it once.
    const name = entry.id ?? id;
    if (action === 'key.revoke' && (reason === 'Revoked' || reason === 'RevocationIncomplete')) {
      this.#revocations.add(name);
    } else if (action === 'key.restore' && reason === 'Restored') this.#restores.add(name);
    else if (action === 'key.rotation' && reason === 'RotationFinished') {
      // The records arrive newest first: the earliest record of an id wins.
      this.#finished.set(name, secondsOf(time, entry.details));
    }
  }

  result(complete: boolean): TrailEvents {
    const seconds = [...this.#finished.values()].filter((one) => one !== undefined);
    const [p50, p95] = [percentile(seconds, 50), percentile(seconds, 95)];
    return {
      rotations: {
        finished: this.#finished.size,
        ...(p50 === undefined ? {} : { p50Seconds: p50 }),
        ...(p95 === undefined ? {} : { p95Seconds: p95 }),
      },
      revocations: this.#revocations.size,
      restores: this.#restores.size,
      complete,
    };
  }
}

/**
 * Undefined if no account was moved. Records of older versions have the time when a move was noticed, not the move's
 * time.
 */
function secondsOf(time: string, details: RecordedEntry['entry']['details'] = {}): number | undefined {
  const { startedOn, progressOn = time, moved } = details;
  const ms = Date.parse(String(progressOn)) - Date.parse(String(startedOn));
  return typeof moved === 'number' && moved > 0 && ms > 0 ? Math.round(ms / 1000) : undefined;
}
