import { z } from 'zod';
import { DRIFT_REPORT } from '../drift/report/report.ts';
import { PART_PROBLEM } from '../http/problem.ts';
import { PAUSE } from '../orders/standing-orders.ts';
import { FLEET_LIST } from './fleet-schemas.ts';
import { KEY_SUMMARY } from './key-schemas.ts';
import { ROTATION_SUMMARY } from './rotation-schemas.ts';

/** Maximum number of entries in a list; the answer counts the rest. */
export const MOST_LISTED_NOW = 50;

const count = z.int().nonnegative();

/** A part of an answer with its own age, required role and failure; other parts do not depend on it. */
const partOf = <T extends z.ZodType>(value: T) =>
  z.object({
    readOn: z.iso.datetime().optional().describe('When `value` was read.'),
    value: value.optional(),
    problem: PART_PROBLEM.optional().describe(
      'Why the part is missing: the read failed, or the caller lacks the role.',
    ),
    reading: z
      .literal(true)
      .optional()
      .describe('The read is still in progress: repeat the call. A `value` in the same part is older.'),
  });

export type PartView<V> = Readonly<z.output<ReturnType<typeof partOf<z.ZodType<V>>>>>;

const PARTS = z.object({
  fleet: partOf(
    FLEET_LIST.shape.summary
      .pick({ text: true, accounts: true, listed: true, subscriptions: true, states: true })
      .extend(FLEET_LIST.pick({ warnings: true }).shape),
  ).describe('Health of the accounts, as in `GET /fleet`.'),
  keys: partOf(
    z.object({
      revoked: z
        .array(
          KEY_SUMMARY.pick({ key: true, vault: true, name: true }).extend(
            KEY_SUMMARY.pick({ revocation: true }).required().shape,
          ),
        )
        .describe('Keys with an open revocation.'),
      moreRevoked: count,
      notBegun: z
        .array(ROTATION_SUMMARY)
        .describe('Rotations that a pause prevents from starting; `rotations` lacks them.'),
      moreNotBegun: count,
      vaultsUnread: count.describe('Vaults that the app could not list.'),
      keysUnread: count.describe('Keys that the app could not read.'),
      complete: z.boolean().describe('False if the time limit passed before the app had read all keys.'),
    }),
  ).describe('Keys that are revoked, not rotated yet or unreadable; see `GET /keys`.'),
  pauses: partOf(z.array(PAUSE)).describe('Pauses of all keys, and of single keys that the caller may see.'),
  rotations: partOf(
    z.object({
      underWay: z.array(ROTATION_SUMMARY).describe('Rotations that are neither finished nor blocked.'),
      moreUnderWay: count,
    }),
  ).describe('As `GET /rotations`.'),
  drift: partOf(
    z.object({
      report: DRIFT_REPORT.pick({ id: true, startedOn: true, complete: true, changeSeconds: true })
        .extend({
          counts: z
            .object({ error: count, warning: count, advice: count })
            .describe('Causes by severity, without exempt causes.'),
          causes: DRIFT_REPORT.shape.causes.describe('Causes without exemption, worst first.'),
          moreCauses: count,
          changes: DRIFT_REPORT.shape.changes.unwrap().describe('The last changes that events reported, newest first.'),
          exempt: count.describe('Causes that are exempt.'),
          old: z
            .literal(true)
            .optional()
            .describe('The report is more than two hours old, although a check is due each hour.'),
        })
        .optional()
        .describe('Absent: no check has run yet.'),
    }),
  ).describe('The newest drift report, as `GET /drift`.'),
});

const VERDICT = {
  line: z.string().describe('Health in one line: `Healthy.` or `1 key is revoked.`'),
  tone: z
    .enum(['good', 'warn', 'bad', 'none'])
    .describe('`good`: healthy. `warn`: needs attention. `bad`: data is or soon will be cut off. `none`: unknown.'),
};

export const NOW = PARTS.extend(VERDICT);

export type NowParts = z.output<typeof PARTS>;
export type NowAnswer = z.output<typeof NOW>;
export type NowValue<P extends keyof NowParts> = NonNullable<NowParts[P]['value']>;
