import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import type { RecordAudit } from './audit-trail.ts';
import type { AuditEntry } from './record.ts';

/**
 * Puts into the trail what was kept beside what was done, as it is not known to be there: by whoever did it, or, where that was
 * killed or the trail could not be written, by whoever comes next. Each record is there once, however many write it at the same
 * moment: it is looked for from the time on at which it was made, and appended only where the trail ends as it was looked
 * through. It is in turn, so that the trail has them as they were done, and ends with the first that cannot be recorded.
 *
 * @param timeoutMs milliseconds for all of them
 * @returns what is on record, and what comes next and is not
 */
export async function recordKept<D extends { readonly on: string }>(
  kept: readonly D[],
  entryOf: (done: D) => AuditEntry,
  audit: RecordAudit,
  timeoutMs: number,
): Promise<{
  readonly recorded: readonly D[];
  readonly failed?: { readonly entry: AuditEntry; readonly why: string };
}> {
  const recorded: D[] = [];
  return timeBoxed(async (signal) => {
    for (const done of kept) {
      const entry = entryOf(done);
      const recording = audit(entry, timeoutMs, new Date(done.on));
      // The first ends by itself when time is up, and says why.
      const isEnded = recorded.length === 0 || (await untilAborted(recording, signal));
      const outcome = isEnded ? await recording : { failed: `All of ${timeoutMs} ms were over.` };
      if ('failed' in outcome) return { recorded, failed: { entry, why: outcome.failed } };
      recorded.push(done);
    }
    return { recorded };
  }, timeoutMs);
}
