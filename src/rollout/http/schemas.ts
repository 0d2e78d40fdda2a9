import { z } from 'zod';

/** Bodies and answers of the calls about rotations. The OpenAPI document is made from these same schemas. */

const pause = z.object({
  id: z.string(),
  key: z.string().optional().describe('Key identifier; absent: all keys.'),
  reason: z.string(),
  by: z.object({ objectId: z.string(), name: z.string().optional() }),
  since: z.iso.datetime(),
  until: z.iso.datetime().optional(),
});

const count = z.int().nonnegative();
const counts = {
  moved: count.describe('Accounts and scopes that are on the version.'),
  waiting: count.describe('Not moved yet, and nothing is wrong.'),
  failed: count.describe('The last look could not move them.'),
  left: count.describe('The app does not move them: Storage does by itself, or nothing may be done.'),
};
const end = z.iso.datetime().optional().describe('When what waits is moved, if the budget of Azure is all for it.');
const unmoved = z.object({
  account: z.string().describe('ARM id.'),
  scope: z.string().optional().describe('Encryption scope; absent: the account itself.'),
  reason: z.string(),
  detail: z.string().optional().describe('What Azure said, and what to do.'),
  lookedOn: z.iso.datetime().optional().describe('When it was last looked at; absent: not since the rotation began.'),
});

const SUMMARY = {
  key: z.string().describe('Key identifier without a version.'),
  state: z
    .enum(['finished', 'underWay', 'stuck', 'paused', 'held', 'blocked', 'unknown'])
    .describe(
      '`stuck`: nothing has moved for a quarter of an hour. `held`: its canaries or a wave failed. `blocked`: revoked, or no usable version. `unknown`: it could not be read now.',
    ),
  reason: z.string().optional().describe('Why it is paused, held or blocked.'),
  detail: z.string().optional(),
  pause: pause.optional(),
  version: z.string().optional().describe('The version that everything moves onto.'),
  startedOn: z.iso.datetime().optional(),
  progressOn: z.iso.datetime().optional().describe('When a move was last seen to have succeeded.'),
  expectedEnd: end,
  moved: counts.moved.optional(),
  waiting: counts.waiting.optional(),
  failed: counts.failed.optional(),
  left: counts.left.optional(),
  failures: z.record(z.string(), count).optional().describe('Numbers of what failed, by reason code.'),
  stage: z
    .object({ name: z.string(), state: z.enum(['underWay', 'failed', 'unproven']), counts: z.object(counts) })
    .optional()
    .describe('`canary` or `wave <n>`; absent: everything may move.'),
  unlisted: count
    .optional()
    .describe(
      'With `finished`: subscriptions of which the accounts were not listed yet, so that what uses the key there is not known.',
    ),
};

const ROTATION_SUMMARY = z.object(SUMMARY);
export const ROTATION_LIST = z.object({
  value: z.array(ROTATION_SUMMARY),
  pauses: z.array(pause).describe('Every pause that stands now, of keys that are not listed too.'),
  nextLink: z.string().optional().describe('Where the next page is.'),
});
export const ROTATION = z.object({
  ...SUMMARY,
  oldestWaiting: unmoved.optional().describe('The one that nobody has looked at for longest.'),
  places: z.array(z.object({ subscription: z.string(), region: z.string(), ...counts, expectedEnd: end })),
  failedUses: z.array(unmoved).describe('At most 500 of them.'),
  waitingUses: z.array(unmoved).describe('At most 500 of them.'),
});

export type RotationAnswer = z.output<typeof ROTATION>;
export type RotationSummaryAnswer = z.output<typeof ROTATION_SUMMARY>;
