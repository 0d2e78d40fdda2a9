import { z } from 'zod';
import type { DriftStorage } from './drift-storage-client.ts';

/** What is known of a check that has begun and has no report yet. */
export const RUNNING_CHECK = z.object({
  id: z.string(),
  startedOn: z.iso.datetime(),
  by: z.enum(['timer', 'operator']),
  caller: z.string().optional(),
  /** Why there will be no report, where that is known. */
  failure: z.string().optional(),
});
export type RunningCheck = z.output<typeof RUNNING_CHECK>;

/**
 * The longest time that a check can take, in minutes. One that an operator started reads for 10 at most, and then mends what
 * it may; one of the timer reads for 25, and the host ends it after 30 (Azure Functions, "function app timeout duration").
 */
export const LONGEST_MINUTES = { operator: 15, timer: 30 } as const;
/** What is known of a check that was lost is kept so long, for whoever still asks for its report. Milliseconds. */
const KEPT_MS = 24 * 3_600_000;

/** Why the report of a check will not come any more; undefined as long as it may. */
export function lostBecause({ startedOn, by, failure }: RunningCheck, now: Date): string | undefined {
  if (failure !== undefined) return failure;
  const minutes = LONGEST_MINUTES[by];
  if (now.getTime() - Date.parse(startedOn) <= minutes * 60_000) return undefined;
  return `It has no report after ${minutes} minutes, which is longer than a check can take: whatever ran it was ended.`;
}

/**
 * Writes down that a check has begun, so that every instance can tell, and forgets those that were lost a day ago. It never
 * throws: a check that cannot be written down is made all the same.
 */
export async function begin(
  check: RunningCheck,
  { driftStorage }: { readonly driftStorage: DriftStorage },
): Promise<void> {
  try {
    await driftStorage.begin(check);
    await driftStorage.forget(new Date(Date.parse(check.startedOn) - KEPT_MS));
  } catch {
    // Whoever asks for the report before it is there is told that there is none.
  }
}

/** To be called once the report is written, or when it is certain that it will not be. It never throws. */
export async function end(
  check: RunningCheck,
  failure: string | undefined,
  { driftStorage }: { readonly driftStorage: DriftStorage },
): Promise<void> {
  try {
    await (failure === undefined ? driftStorage.end(check.id) : driftStorage.begin({ ...check, failure }));
  } catch {
    // It counts as lost once it cannot be under way any more.
  }
}
