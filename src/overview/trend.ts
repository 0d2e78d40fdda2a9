import { z } from 'zod';

const count = z.int().nonnegative();

/** What happened on a day, as the audit trail has it. */
export const DAY_EVENTS = z.object({
  rotations: z
    .object({
      finished: count.describe('Rotations that were finished on the day.'),
      p50Seconds: z
        .number()
        .nonnegative()
        .optional()
        .describe('From the new version to the last account: half of them took no longer.'),
      p95Seconds: z.number().nonnegative().optional().describe('The same of 95 in 100.'),
    })
    .describe('By the records `RotationFinished`.'),
  moves: count.describe('Accounts and scopes that were moved.'),
  revocations: count,
  restores: count,
  complete: z.boolean().describe('False when the trail of the day was too long to be read whole, or could not be.'),
});

/** What the last drift check of a day found. */
export const DAY_FINDINGS = z.object({
  checkedOn: z.iso.datetime(),
  complete: z.boolean(),
  errors: count,
  warnings: count,
  advice: count,
  behind: count
    .optional()
    .describe('Accounts and scopes that were not on the newest usable version; absent in reports of older versions.'),
});

export const TREND_DAY = z.object({
  day: z.iso.date(),
  findings: DAY_FINDINGS.optional().describe('Absent: there was no check.'),
  events: DAY_EVENTS.optional().describe('Absent: not summed up.'),
});

export const TREND = z.object({ value: z.array(TREND_DAY) });

export type DayEvents = z.output<typeof DAY_EVENTS>;
export type DayFindings = z.output<typeof DAY_FINDINGS>;
export type TrendDay = z.output<typeof TREND_DAY>;
