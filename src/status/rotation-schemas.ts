import { z } from 'zod';
import { PAUSE } from '../orders/standing-orders.ts';

const count = z.int().nonnegative();
const time = z.iso.datetime();
const counts = {
  moved: count.describe('Accounts and scopes on the target version.'),
  waiting: count.describe('Accounts and scopes that wait for their move, without an error.'),
  failed: count.describe('Accounts and scopes whose last attempt failed. The app retries them.'),
  left: count.describe('Accounts and scopes that the app does not move: Storage updates them, or a rule forbids it.'),
};
const end = time.optional().describe('Estimated end of all waiting moves, if the app can use all of the rate limit.');
const unmoved = z.object({
  account: z.string().describe('ARM id.'),
  scope: z.string().optional().describe('Encryption scope; absent: the account itself.'),
  reason: z.string(),
  detail: z.string().optional().describe('Explanation of the reason, with the next step.'),
  nextTryOn: time.optional().describe('Time of the next attempt; absent: as soon as possible.'),
});

const places = z.array(
  z.object({
    subscription: z.string(),
    region: z.string(),
    ...counts,
    movedLately: count.describe("Moves of the last five minutes, by Azure's timestamps."),
    expectedEnd: end,
  }),
);

export const ROTATION_SUMMARY = z.object({
  key: z.string().describe('Key identifier without a version.'),
  state: z
    .enum(['finished', 'underWay', 'stuck', 'paused', 'held', 'blocked', 'unknown'])
    .describe(
      '`stuck`: no move for 15 minutes. `held`: its canaries or a wave failed, or all remaining accounts are contested. `blocked`: the key is revoked or has no usable version. `unknown`: the app failed to read the state.',
    ),
  reason: z.string().optional().describe('Reason code of a paused, held or blocked rotation.'),
  detail: z.string().optional(),
  pause: PAUSE.optional(),
  version: z.string().optional().describe('Target version of the rotation.'),
  startedOn: time.optional(),
  progressOn: time.optional().describe('Time of the last confirmed move.'),
  expectedEnd: end,
  ...z.object(counts).partial().shape,
  failures: z.record(z.string(), count).optional().describe('Number of failed accounts and scopes by reason code.'),
  stage: z
    .object({ name: z.string(), state: z.enum(['underWay', 'failed', 'unproven']) })
    .optional()
    .describe('`canary` or `wave <n>`; absent: all accounts may move.'),
  places: places.optional().describe('By subscription and region; absent if the rotation is finished or blocked.'),
  unlisted: count
    .optional()
    .describe(
      'With `finished`: number of subscriptions that the app has not listed yet. They may contain more uses of the key.',
    ),
});

export const ROTATION = ROTATION_SUMMARY.extend({
  oldestWaiting: unmoved.optional().describe('The waiting account or scope that was attempted longest ago, or never.'),
  places,
  failedUses: z.array(unmoved).describe('At most 500 accounts and scopes.'),
  deniedMoves: z
    .array(
      z.object({
        account: z.string().describe('ARM id.'),
        detail: z.string().describe('The policy that denies it.'),
        command: z.string().optional().describe('The command with which the owner of the policy exempts the account.'),
      }),
    )
    .optional()
    .describe(
      'Accounts whose move Azure Policy would deny, by the last drift check, also before a rotation. At most 100; absent if none.',
    ),
});

export const ROTATION_LIST = z.object({
  value: z.array(ROTATION_SUMMARY),
  pauses: z.array(PAUSE).describe('Every active pause, including pauses of unlisted keys.'),
  nextLink: z.string().optional().describe('Next page.'),
});

export type RotationSummary = z.output<typeof ROTATION_SUMMARY>;
export type Rotation = z.output<typeof ROTATION>;
export type UnfinishedUse = z.output<typeof unmoved>;
