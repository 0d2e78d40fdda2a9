import { z } from 'zod';
import { wantedSubscriptions, wantedWatches } from '../events/subscription.ts';
import type { Settings } from '../settings/settings.ts';
import type { Rules } from './checks/subjects.ts';

/** One run of the drift check. */
export interface DriftRun {
  /** Finds the run in the log and in the audit trail; the report's id. */
  readonly id: string;
  readonly by: 'timer' | 'operator';
  /** Object id of the operator. */
  readonly caller?: string;
  /** When it aborts, what was not read by then is `Unreadable`, and the check comes to its end. */
  readonly signal?: AbortSignal;
}

/** What the checks go by, beside what is read. */
export function rulesOf({ drift, clientId }: Settings, now: Date, contests: Rules['contests'] = []): Rules {
  const { functionAppId, storageAccountId, watchChanges } = drift;
  const destination = functionAppId === undefined ? undefined : { functionAppId, storageAccountId };
  return {
    ...{ now, drift, contests },
    wantedSubscriptions: destination && wantedSubscriptions(destination),
    wantedWatches: destination && watchChanges ? wantedWatches(destination, clientId) : [],
  };
}

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
 * The longest time that a check can take, in minutes. One that an operator started reads for 10 at most, and then fixes what
 * it may; one of the timer reads for 25, and the host ends it after 30 (Azure Functions, "function app timeout duration").
 */
export const LONGEST_MINUTES = { operator: 15, timer: 30 } as const;

/** Why the report of a check will not come any more; undefined as long as it may. */
export function lostBecause({ startedOn, by, failure }: RunningCheck, now: Date): string | undefined {
  if (failure !== undefined) return failure;
  const minutes = LONGEST_MINUTES[by];
  if (now.getTime() - Date.parse(startedOn) <= minutes * 60_000) return undefined;
  return `It has no report after ${minutes} minutes, which is longer than a check can take: whatever ran it was ended.`;
}
