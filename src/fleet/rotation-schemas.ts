import { z } from 'zod';
import { PAUSE } from '../orders/standing-orders.ts';

const count = z.int().nonnegative();
const time = z.iso.datetime();
const counts = {
  moved: count.describe('Accounts and scopes that are on the version.'),
  waiting: count.describe('Not moved yet, and nothing is wrong.'),
  failed: count.describe('The last try to move them failed; they are tried again.'),
  left: count.describe('The app does not move them: Storage does by itself, or nothing may be done.'),
};
const end = time.optional().describe('When what waits is moved, if the budget of Azure is all for it.');
const unmoved = z.object({
  account: z.string().describe('ARM id.'),
  scope: z.string().optional().describe('Encryption scope; absent: the account itself.'),
  reason: z.string(),
  detail: z.string().optional().describe('The reason in words, and what to do.'),
  nextTryOn: time.optional().describe('When it is tried again; absent: as soon as it can be.'),
});

const places = z.array(
  z.object({
    subscription: z.string(),
    region: z.string(),
    ...counts,
    movedLately: count.describe("Moved within the last five minutes, by Azure's own time stamps."),
    expectedEnd: end,
  }),
);

/** How far a rotation is, in short. */
export const ROTATION_SUMMARY = z.object({
  key: z.string().describe('Key identifier without a version.'),
  state: z
    .enum(['finished', 'underWay', 'stuck', 'paused', 'held', 'blocked', 'unknown'])
    .describe(
      '`stuck`: nothing has moved for a quarter of an hour. `held`: its canaries or a wave failed, or all that is left is contested. `blocked`: revoked, or no usable version. `unknown`: it could not be read now.',
    ),
  reason: z.string().optional().describe('Why it is paused, held or blocked.'),
  detail: z.string().optional(),
  pause: PAUSE.optional(),
  version: z.string().optional().describe('The version that everything moves onto.'),
  startedOn: time.optional(),
  progressOn: time.optional().describe('When a move was last seen to have succeeded.'),
  expectedEnd: end,
  moved: counts.moved.optional(),
  waiting: counts.waiting.optional(),
  failed: counts.failed.optional(),
  left: counts.left.optional(),
  failures: z.record(z.string(), count).optional().describe('Numbers of what failed, by reason code.'),
  stage: z
    .object({ name: z.string(), state: z.enum(['underWay', 'failed', 'unproven']) })
    .optional()
    .describe('`canary` or `wave <n>`; absent: everything may move.'),
  places: places.optional().describe('By subscription and region; absent of a rotation that is finished or blocked.'),
  unlisted: count
    .optional()
    .describe(
      'With `finished`: subscriptions of which the accounts were not listed yet, so that what uses the key there is not known.',
    ),
});

/** How far a rotation is. */
export const ROTATION = ROTATION_SUMMARY.extend({
  oldestWaiting: unmoved.optional().describe('The one that was not tried for longest.'),
  places,
  failedUses: z.array(unmoved).describe('At most 500 of them.'),
});

export type RotationSummary = z.output<typeof ROTATION_SUMMARY>;
export type Rotation = z.output<typeof ROTATION>;
export type UnfinishedUse = z.output<typeof unmoved>;
export type RotationCounts = z.output<z.ZodObject<typeof counts>>;
