import { z } from 'zod';
import { DRIFT_REPORT } from './report.ts';

/** One run of the drift check. */
export interface DriftRun {
  /** Correlation id in the log and the audit trail, and id of the report. */
  readonly id: string;
  readonly by: 'timer' | 'operator';
  /** Object id of the operator. */
  readonly caller?: string;
  /** When it aborts, missing reads become `Unreadable`, and the check ends. */
  readonly signal?: AbortSignal;
}

/** State of a check that has begun and has no report yet. */
export const RUNNING_CHECK = DRIFT_REPORT.pick({ id: true, startedOn: true, by: true, caller: true }).extend({
  /** Why the check produces no report, if known. */
  failure: z.string().optional(),
});
export type RunningCheck = z.output<typeof RUNNING_CHECK>;

/**
 * Maximum duration of a check, in minutes. An operator's check reads for at most 10 and then repairs. A timer's check
 * reads for 25, and the host ends it after 30 (Azure Functions, "function app timeout duration").
 */
export const LONGEST_MINUTES = { operator: 15, timer: 30 } as const;

/** Why the report of a check is lost; undefined while it may still arrive. */
export function explainLostCheck({ startedOn, by, failure }: RunningCheck, now: Date): string | undefined {
  if (failure !== undefined) return failure;
  const minutes = LONGEST_MINUTES[by];
  if (now.getTime() - Date.parse(startedOn) <= minutes * 60_000) return undefined;
  return `It has no report after ${minutes} minutes, the maximum duration of a check. Its process ended early.`;
}
