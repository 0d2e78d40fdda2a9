import { z } from 'zod';
import { TRAIL_EVENTS } from '../../audit/sum-events.ts';
import { dayOf } from '../../time/duration.ts';
import { DAY_MS, HOUR_MS } from '../../time/spans.ts';
import type { DriftSummary, WholeReport } from '../report.ts';

const count = z.int().nonnegative();

/** Days that the trend shows, today included. */
const TREND_DAYS = 30;

const FINDINGS = z.object({
  checkedOn: z.iso.datetime().describe('When the check began.'),
  complete: z.boolean(),
  errors: count,
  warnings: count,
  advice: count,
  behind: count
    .optional()
    .describe(
      'Accounts and scopes that were not on the version that they should be on; absent: not known of that day.',
    ),
});

const TREND_DAY = z.object({
  day: z.iso.date().describe('In UTC.'),
  findings: FINDINGS.optional().describe('What the last drift check of the day found; absent: there was none.'),
  events: TRAIL_EVENTS.optional().describe('Absent: not summed up.'),
});
export const TREND = z.object({ value: z.array(TREND_DAY) });

/** A day as it is kept: `summedOn` tells whether it was over by then. */
export const KEPT_DAY = TREND_DAY.extend({ summedOn: z.iso.datetime().optional() });

type DayFindings = z.output<typeof FINDINGS>;
export type TrendDay = z.output<typeof TREND_DAY>;
export type KeptDay = z.output<typeof KEPT_DAY>;

/** The last days in UTC, the oldest first, today at the end. */
export function lastDays(now: Date, days = TREND_DAYS): string[] {
  return Array.from({ length: days }, (_, n) => dayOf(new Date(now.getTime() - (days - 1 - n) * DAY_MS)));
}

/** From its first moment to that of the next day. */
export function spanOf(day: string): { readonly since: Date; readonly until: Date } {
  const since = new Date(`${day}T00:00:00Z`);
  return { since, until: new Date(since.getTime() + DAY_MS) };
}

/** How long after its end a day may still get a record: clocks differ, and entries wait for an outage to end. */
const SETTLED_MS = HOUR_MS;

/** Whether nothing more is to come to what is kept of a day. */
export function isSettled({ day, summedOn, events }: KeptDay): boolean {
  return events !== undefined && Date.parse(summedOn ?? '') > spanOf(day).until.getTime() + SETTLED_MS;
}

/** Reasons of the findings that an account or a scope is behind. */
const BEHIND: ReadonlySet<string> = new Set(['StaleKeyVersion', 'LaggingAutomaticVersion', 'ScopeStaleKeyVersion']);

export function findingsOf({ startedOn, complete, counts }: DriftSummary): DayFindings {
  const { error: errors, warning: warnings, advice } = counts;
  return { checkedOn: startedOn, complete, errors, warnings, advice };
}

/** The same of a report that is at hand: exempt ones are behind all the same. */
export function findingsOfReport(report: WholeReport): DayFindings {
  const behind = report.findings.filter(({ reason }) => BEHIND.has(reason)).map(({ resource }) => resource);
  return { ...findingsOf(report), behind: new Set(behind).size };
}
