import { z } from 'zod';
import { computePercentile } from '../formats/percentile.ts';
import type { AuditFiles } from './audit-client.ts';
import { readRecordsSince } from './lines.ts';
import type { AuditEntry } from './record.ts';
import { isTrailMatch } from './trail-filter.ts';

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
  complete: z.boolean().describe('False when the app could not read the whole span of the trail in time.'),
});
export type TrailEvents = z.output<typeof TRAIL_EVENTS>;

interface EventSpan {
  readonly since: Date;
  /** End of the span, exclusive. */
  readonly until: Date;
  /** Ends the read; the result is then incomplete. */
  readonly signal?: AbortSignal;
}

/** Text of records about keys; the reader skips other records without parsing them. */
const ABOUT_KEYS = '"action":"key.';

/**
 * Counts the events of a time span of the trail, without verifying its chain. Several processes may record the same
 * call, and a caller may repeat it: the id counts it once.
 *
 * @throws the SDK's error when the app cannot read the trail
 */
export async function sumEvents(files: AuditFiles, { signal, ...span }: EventSpan): Promise<TrailEvents> {
  const revocations = new Set<string>();
  const restores = new Set<string>();

  /** Duration of each finished rotation, by record id. */
  const finished = new Map<string, number | undefined>();
  let complete = true;
  try {
    for await (const { id, time, entry } of readRecordsSince(files, ABOUT_KEYS, span.since, signal)) {
      if (!entry || !isTrailMatch({ time, entry }, span)) continue;

      const { action, reason } = entry;
      const name = entry.id ?? id;

      if (action === 'key.revoke' && (reason === 'Revoked' || reason === 'RevocationIncomplete')) {
        revocations.add(name);
      } else if (action === 'key.restore' && reason === 'Restored') {
        restores.add(name);
      } else if (action === 'key.rotation' && reason === 'RotationFinished') {
        // The records arrive newest first: the earliest record of an id wins.
        finished.set(name, secondsOf(time, entry.details));
      }
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
    complete = false;
  }

  const seconds = [...finished.values()].filter((one) => one !== undefined);
  const p50Seconds = computePercentile(seconds, 50);
  const p95Seconds = computePercentile(seconds, 95);
  const rotations = { finished: finished.size, p50Seconds, p95Seconds };

  return { rotations, revocations: revocations.size, restores: restores.size, complete };
}

/**
 * Undefined if no account was moved. Records of older versions have the time when a move was noticed, not the move's
 * time.
 */
function secondsOf(time: string, details: AuditEntry['details'] = {}): number | undefined {
  const { startedOn, progressOn = time, moved } = details;
  const ms = Date.parse(String(progressOn)) - Date.parse(String(startedOn));
  return typeof moved === 'number' && moved > 0 && ms > 0 ? Math.round(ms / 1000) : undefined;
}
