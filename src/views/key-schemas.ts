import { z } from 'zod';
import { EFFECT_TIMES } from '../effect/sum-times.ts';
import { ROTATION_SUMMARY } from '../fleet/rotation-schemas.ts';
import { PAUSE } from '../orders/standing-orders.ts';
import { SHOWN_REVOCATION } from '../revocation/version-report.ts';

// A key as it is shown: API and page word what is in here. All times are ISO 8601, in UTC.

const count = z.int().nonnegative();
const time = z.iso.datetime();

export const UNREAD = z.object({
  what: z.string(),
  reason: z.string().describe('Reason code; `TimeUp`: not read in the time that the call has.'),
  detail: z.string(),
});

const uses = {
  accounts: count.describe('Storage accounts that use it by themselves.'),
  scopes: count.describe('Encryption scopes that use it.'),
};

const KEY_USERS = z
  .object({
    ...uses,
    versions: z
      .array(
        z.object({
          version: z.string().optional().describe('Absent: Storage did not say which.'),
          ...uses,
          first: z.array(z.string()).describe('Up to five of these by name: `stfiles01`, or `stfiles01/scope1`.'),
        }),
      )
      .describe('By the version that data is wrapped with.'),
    lagging: count
      .optional()
      .describe(
        'Accounts and scopes that are not on the newest usable version. Absent where there is no such version, the key is revoked, or not all were counted.',
      ),
    complete: z
      .boolean()
      .describe(
        'False: there are too many to count in the time that the call has, or subscriptions whose accounts were not listed yet.',
      ),
    oldest: time
      .optional()
      .describe('When the use that was not read for longest was read; what has not changed is written once a day.'),
  })
  .describe('As the fleet index knows it: it is kept by each move and by the drift check.');

const NEXT_ROTATION = z.object({
  by: z
    .enum(['policy', 'app', 'person', 'none'])
    .describe(
      '`policy`: Key Vault, by the rotation policy. `app`: this app, near the expiry. `person`: an operator has to. `none`: no new version is planned.',
    ),
  on: time.optional().describe('When it is due; absent: not known.'),
  reason: z.string().optional().describe('Reason code: why a person has to, or why none is planned.'),
});

const ROTATION_COST = z
  .object({
    moves: count.describe('Accounts and scopes that the app would write.'),
    seconds: z
      .number()
      .nonnegative()
      .describe("From the new version to the last write, if the app's share of Azure's budgets is all for it."),
  })
  .describe('What a rotation now would cost in time.');

const usability = z.enum(['Usable', 'Disabled', 'NotYetActive', 'Expired']);

const VERSION_DETAIL = {
  activeFrom: time.describe('When it was made, or may be used from if that is later.'),
  enabled: z.boolean(),
  updatedOn: time
    .optional()
    .describe('When the version was last changed: a disabled version has been disabled since then or longer.'),
  revokedOn: time.optional().describe('When the open revocation disabled it.'),
  revokedBy: z.string().optional().describe('Object id of who revoked.'),
  users: z.object(uses).optional().describe('Who uses it, by the fleet index; absent: the index could not be read.'),
};

const KEY_PLANS = {
  nextRotation: NEXT_ROTATION.optional(),
  cryptoPeriodEndsOn: time
    .optional()
    .describe(
      'When the newest version has to have a successor: at the end of the lifetime that the rotation policy gives, and two years after it was made (`KeyTooOld`). Absent: there is no version.',
    ),
  users: KEY_USERS.optional(),
  rotation: ROTATION_SUMMARY.optional().describe(
    'How far the rotation is; `GET /rotations/{vault}/{key}` has all of it.',
  ),
};

const KEY_DETAIL = {
  ...KEY_PLANS,
  rotationCost: ROTATION_COST.optional().describe('Absent: the key is revoked, or not all its users are known.'),
  unread: z
    .array(UNREAD)
    .describe('What of these could not be read now; the versions, and break-glass, do not need it.'),
};

const version = z.object({
  version: z.string(),
  createdOn: z.iso.datetime(),
  notBefore: z.iso.datetime().optional(),
  expiresOn: z.iso.datetime().optional(),
  state: usability,
  revoked: z.boolean().describe('Disabled by the open revocation.'),
  ...VERSION_DETAIL,
});

const share = z.looseObject({ name: z.string() });
const dependentAccount = z.object({
  id: z.string(),
  name: z.string(),
  region: z.string(),
  mode: z.enum(['pinned', 'automatic', 'scopesOnly']),
  version: z.string().optional(),
  shares: z.array(share),
  scopes: z.array(z.looseObject({ name: z.string(), version: z.string().optional() })),
  notCutOff: z
    .array(z.enum(['queue', 'table']))
    .describe(
      'Services whose data stays readable: they are under a key of Microsoft (`QueueOnServiceKey`, `TableOnServiceKey`).',
    ),
});
export const BLAST_RADIUS = z
  .object({
    complete: z.boolean().describe('False when something is in `unread`: there may be more than is listed.'),
    accounts: z.array(dependentAccount),
    otherResources: z.array(
      z.looseObject({
        id: z.string(),
        name: z.string(),
        type: z.string(),
        uses: z.array(z.looseObject({ version: z.string().optional() })),
        whenRevoked: z
          .string()
          .optional()
          .describe('What becomes of it, and what it takes to be back. Absent: what it uses the key for is not known.'),
      }),
    ),
    selfLockout: z.union([z.boolean(), z.literal('unknown')]).describe("Whether the app's own storage uses the key."),
    unread: z.array(UNREAD),
    outOfSight: z
      .string()
      .optional()
      .describe('Resources that are never shown, as the app is deployed: `complete` says nothing of them.'),
  })
  .describe('What stops working while the key is revoked.');

const lastUse = z.object({
  on: time,
  objectId: z.string().optional().describe('Object id of who asked, as the log has it.'),
  appId: z.string().optional().describe('Client id of the application.'),
});

export const LOGGED_USAGE = z
  .object({
    trackedSince: time.optional().describe('The earliest entry of the vault: of the time before, nothing is known.'),
    trackedUntil: time.optional().describe('The latest entry of the vault: the log is some minutes behind.'),
    gaps: z
      .array(z.object({ from: time, to: time }))
      .optional()
      .describe('Nothing of the whole vault was logged in between: no key was used, or the log was off. Newest first.'),
    versions: z.array(
      z.object({
        version: z.string().optional().describe('Absent: the caller named none.'),
        wrapped: lastUse.optional().describe('When it was last asked to wrap, refused requests included.'),
        unwrapped: lastUse.optional(),
        other: lastUse.optional().describe('Encrypt, decrypt, sign or verify.'),
      }),
    ),
    unread: z.string().optional().describe('Why the log could not be read now.'),
  })
  .describe("Who used which version last, by Key Vault's own log. Absent: CMK_USAGE_WORKSPACE is not set.");

export const KEY_STATUS = z.object({
  key: z.string(),
  versions: z.array(version),
  newestUsable: z.string().optional(),
  revocation: SHOWN_REVOCATION.optional(),
  paused: PAUSE.optional().describe('Moves onto the key, and its rotation by the app, are paused. Break-glass is not.'),
  dependents: BLAST_RADIUS,
  effect: z
    .array(
      z.looseObject({
        account: z.string(),
        service: z.enum(['file', 'blob']),
        state: z.enum(['blocked', 'open', 'unknown']),
        since: z.string().optional(),
      }),
    )
    .describe(
      'Whether the file service of each account, and its blob service where `CMK_PROBE_BLOBS` is on, serves data, as asked for real, and since when.',
    ),
  effectTimes: EFFECT_TIMES.optional(),
  ...KEY_DETAIL,
  usage: LOGGED_USAGE.optional(),
  warnings: z.array(z.string()).describe('What could not be written or read, and what to do about it.'),
});

export const KEY_SUMMARY = z.object({
  key: z.string().describe('Key identifier without a version.'),
  vault: z.string(),
  name: z.string(),
  state: z
    .enum(['usable', 'revoked', 'disabled', 'notYetActive', 'expired', 'missing', 'unknown'])
    .describe(
      'Of the newest usable version, else of the newest. `missing`: in use, as the index knows, and not in the vault. `unknown`: it could not be read, see `unread`.',
    ),
  newest: z
    .object({
      version: z.string(),
      createdOn: time,
      activeFrom: time,
      expiresOn: time.optional(),
      state: usability,
    })
    .optional()
    .describe('The youngest version, usable or not.'),
  newestUsable: z.string().optional(),
  versions: count.optional().describe('How many there are.'),
  expiresOn: time
    .optional()
    .describe(
      'When the newest usable version expires; if none is usable, when the newest one does, or did; absent: never.',
    ),
  revocation: SHOWN_REVOCATION.optional().describe('The open revocation.'),
  paused: PAUSE.optional(),
  ...KEY_PLANS,
  unread: z.array(UNREAD).describe('What of it could not be read now.'),
});

/** One for each managed vault that the caller's role reaches. */
const LISTED_VAULT = z.object({
  vault: z.string(),
  readOn: time.optional().describe('When its keys were listed; within a minute the list is not asked for again.'),
  unread: UNREAD.optional().describe('Why its keys could not be listed: those that are in use are there all the same.'),
});

export const KEY_LIST = z.object({
  value: z.array(KEY_SUMMARY),
  vaults: z.array(LISTED_VAULT),
  nextLink: z.string().optional().describe('Where the next page is.'),
});

export type UnreadView = z.output<typeof UNREAD>;
export type KeyUsersView = z.output<typeof KEY_USERS>;
export type KeyUsageView = z.output<typeof LOGGED_USAGE>;
export type NextRotation = z.output<typeof NEXT_ROTATION>;
export type RotationCostView = z.output<typeof ROTATION_COST>;
export type VersionView = z.output<typeof version>;
/** State of a key, without what uses it. */
export type KeyStatus = z.output<typeof KEY_STATUS>;
export type KeyStatusResponse = z.output<typeof KEY_STATUS>;
export type KeySummary = z.output<typeof KEY_SUMMARY>;
export type ListedVault = z.output<typeof LISTED_VAULT>;
