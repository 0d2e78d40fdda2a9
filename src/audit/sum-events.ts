import { z } from 'zod';
import { percentile } from '../time/percentile.ts';
import type { AuditFiles } from './audit-files.ts';
import { linesBackwards } from './read-backwards.ts';
import { parseRecord } from './record.ts';
import { isMeant, mayHold, type RecordedEntry, recordedEntry } from './trail-filter.ts';

const count = z.int().nonnegative();
const seconds = z.number().nonnegative().optional();

/** What happened to keys in a span of time, as the audit trail has it. */
export const TRAIL_EVENTS = z.object({
  rotations: z
    .object({
      finished: count.describe('Rotations that were finished, by the records `RotationFinished`.'),
      p50Seconds: seconds.describe(
        'From the new version to the last account, where one was moved: half of them took no longer.',
      ),
      p95Seconds: seconds.describe('The same of 95 in 100.'),
    })
    .describe('How long rotations took.'),
  revocations: count,
  restores: count,
  complete: z.boolean().describe('False when there was too much of the trail to read all of it.'),
});
export type TrailEvents = z.output<typeof TRAIL_EVENTS>;

interface EventSpan {
  readonly since: Date;
  /** Left out itself. */
  readonly until: Date;
  readonly mostBytes: number;
  readonly signal?: AbortSignal;
}

/** Records about anything else are passed over before they are read. */
const ABOUT_KEYS = '"action":"key.';

/**
 * Sums up a span of the trail. The records are read, not verified.
 *
 * @throws the SDK's error when the trail cannot be read
 */
export async function sumEvents(files: AuditFiles, { mostBytes, signal, ...span }: EventSpan): Promise<TrailEvents> {
  const sum = new EventSum();
  let read = 0;
  for await (const { lines, bytes } of linesBackwards(files, { isWanted: mayHold(span) })) {
    for (const line of lines) {
      const record = line.bytes.includes(ABOUT_KEYS) ? parseRecord(line.bytes) : undefined;
      const found = record && recordedEntry(record);
      if (found && isMeant(found, span)) sum.add(found);
    }
    read += bytes;
    if (read >= mostBytes || signal?.aborted) return sum.result(false);
  }
  return sum.result(true);
}

class EventSum {
  readonly #revocations = new Set<string>();
  readonly #restores = new Set<string>();
  /** How long each finished rotation took, by the id of its record. */
  readonly #finished = new Map<string, number | undefined>();

  add({ id, time, entry }: RecordedEntry): void {
    const { action, reason } = entry;
    // Several processes may record one call, and a caller may repeat it: the id counts it once.
    const name = entry.id ?? id;
    if (action === 'key.revoke' && (reason === 'Revoked' || reason === 'RevocationIncomplete')) {
      this.#revocations.add(name);
    } else if (action === 'key.restore' && reason === 'Restored') this.#restores.add(name);
    else if (action === 'key.rotation' && reason === 'RotationFinished') {
      // Newest first: of two records the one that was written first counts.
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

/** Undefined where nothing was moved. Records of older versions do not say when the last move was, only when that was seen. */
function secondsOf(time: string, details: RecordedEntry['entry']['details'] = {}): number | undefined {
  const { startedOn, progressOn = time, moved } = details;
  const ms = Date.parse(String(progressOn)) - Date.parse(String(startedOn));
  return typeof moved === 'number' && moved > 0 && ms > 0 ? Math.round(ms / 1000) : undefined;
}
