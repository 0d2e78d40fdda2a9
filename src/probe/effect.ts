import { z } from 'zod';

// What the probe observed after a change of a key, as the app stores it and as the API answers it.

const time = z.iso.datetime();
const account = z.string().describe('ARM id.');
const expect = z.enum(['blocked', 'open']);
const service = z.enum(['file', 'blob']).describe('The probed service: Azure Files or Azure Blob Storage.');

const CHANGE = z.object({ expect, since: time });

/** Last probe result of an account: of its file service, or of its blob service if it has no file share. */
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

/** How long the last revocation took to show, of those whose effect the app measured. */
export const REFUSED_AFTER = z
  .object({
    revokedOn: time.describe('Last write of that revocation in Key Vault.'),
    seconds: z
      .number()
      .positive()
      .describe('Seconds from that write until the app saw the last account begin to refuse.'),
  })
  .describe(
    "How long the last measured revocation of this key took until Azure Storage refused requests for data. This is the app's own measurement: Azure guarantees no time. Absent: no measurement yet, or the app cannot read it.",
  );

const KEY_EFFECT = z.object({
  /** Key identifier without a version. */
  key: z.string(),
  change: CHANGE,
  /** False if the search missed accounts or subscriptions: the next probe searches again. */
  complete: z.boolean(),
  accounts: z.array(ACCOUNT_EFFECT),
  refusedAfter: REFUSED_AFTER.optional(),
});

/** Undefined for an invalid record: the next probe writes a new record. */
export const EFFECT: z.ZodType<KeyEffect | undefined> = KEY_EFFECT.optional().catch(undefined);

export type KeyChange = z.output<typeof CHANGE>;
/** The expected effect of a revocation (`blocked`) or a restore (`open`). */
export type ExpectedEffect = KeyChange['expect'];
export type AccountEffect = z.output<typeof ACCOUNT_EFFECT>;
export type EffectState = AccountEffect['state'];
/** The effect of a key's last change, by account. */
export type KeyEffect = z.output<typeof KEY_EFFECT>;
export type RefusedAfter = z.output<typeof REFUSED_AFTER>;

/** Name of an account in a record, whatever the letter case of its id. */
export function toAccountKey({ account }: Pick<AccountEffect, 'account'>): string {
  return account.toLowerCase();
}

export function getProbedPlace({ share, container }: Pick<AccountEffect, 'share' | 'container'>): string | undefined {
  return share ?? container;
}
