import { z } from 'zod';

// What the probe observed after a change of a key, as the app stores it and as the API answers it.

const time = z.iso.datetime();
const account = z.string().describe('ARM id.');
const expect = z
  .enum(['blocked', 'open'])
  .describe(
    '`blocked`: from a revocation until requests for data failed. `open`: from a restore until they succeeded.',
  );
const service = z.enum(['file', 'blob']).describe('The probed service: Azure Files or Azure Blob Storage.');

const CHANGE = z.object({ expect, since: time });

/** Last probe result of one service of an account. */
export const ACCOUNT_EFFECT = z.object({
  account,
  service,
  share: z.string().optional().describe('The probed share or container. Absent: the account has none with data.'),
  container: z.string().optional(),
  state: z.enum(['blocked', 'open', 'unknown']).describe('Requests for data fail, succeed, or have no clear result.'),
  since: time.describe('First probe with this state.'),
  checkedOn: time.describe('Last probe.'),
  secondsAfterChange: z
    .number()
    .optional()
    .describe('Seconds from the change to the first probe with the expected effect; absent before that probe.'),
  why: z.string().optional().describe("Reason for `unknown`, or Azure's error code for `blocked`."),
  unlisted: z
    .enum(['throttled', 'failed', 'gone'])
    .optional()
    .describe(
      'The next probe lists the shares or containers: Azure throttled the list (429), the list failed, or the probed one is gone or has no data.',
    ),
});

/** Time until one change of the key showed in one service of an account. */
const EFFECT_TIME = z.object({
  account,
  service,
  expect,
  since: time,
  /** Seconds to the first probe with the effect; absent if no probe showed it. */
  seconds: z.number().nonnegative().optional(),
  /** Seconds to the last probe with the opposite state, before any probe showed the effect. */
  notWithin: z.number().nonnegative().optional(),
});

const KEY_EFFECT = z.object({
  /** Key identifier without a version. */
  key: z.string(),
  change: CHANGE,
  /** False if the search missed accounts or subscriptions: the next probe searches again. */
  complete: z.boolean(),
  accounts: z.array(ACCOUNT_EFFECT),
  /** Times of this and earlier changes, oldest first. */
  times: z.array(EFFECT_TIME),
});

/** Undefined for an invalid record: the next probe writes a new record. */
export const EFFECT: z.ZodType<KeyEffect | undefined> = KEY_EFFECT.optional().catch(undefined);

const count = z.int().nonnegative();
const seconds = z.number().nonnegative();

export const EFFECT_TIMES = z
  .array(
    z.object({
      expect,
      service,
      measured: count.describe('Number of measured times: one for each account and change.'),
      notSeen: count.describe(
        'Number of accounts and changes without the effect at the last probe. The percentiles count them as longer than the probed time.',
      ),
      accounts: count.describe('Number of accounts in both counts.'),
      changes: count.describe('Number of revocations or restores in both counts.'),
      p50Seconds: seconds.optional().describe('Median of the times. Absent: fewer than half showed the effect.'),
      p95Seconds: seconds
        .optional()
        .describe('95th percentile of the times. Absent: fewer than 95 % showed the effect.'),
      longestSeconds: seconds.optional().describe('Longest measured time.'),
      followedSeconds: seconds.optional().describe('Longest probed time without the effect.'),
      since: time.describe('Time of the earliest of these changes.'),
      until: time.describe('Time of the latest of these changes.'),
    }),
  )
  .describe(
    "Time from the last write in Key Vault until the first probe showed the change, for earlier changes of this key. These are the app's own measurements: Azure guarantees no time. Empty: no measurements yet. Absent: the app cannot read them.",
  );

export type KeyChange = z.output<typeof CHANGE>;
/** The expected effect of a revocation (`blocked`) or a restore (`open`). */
export type ExpectedEffect = KeyChange['expect'];
export type AccountEffect = z.output<typeof ACCOUNT_EFFECT>;
export type EffectState = AccountEffect['state'];
export type EffectTime = z.output<typeof EFFECT_TIME>;
/** The effect of a key's last change, by account. */
export type KeyEffect = z.output<typeof KEY_EFFECT>;
export type EffectTimes = z.output<typeof EFFECT_TIMES>;

/** Id of an account's service in a record. */
export function effectId({ account, service }: Pick<AccountEffect, 'account' | 'service'>): string {
  return `${service} ${account.toLowerCase()}`;
}

export function probedPlace({ share, container }: Pick<AccountEffect, 'share' | 'container'>): string | undefined {
  return share ?? container;
}
