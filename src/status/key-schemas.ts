import { z } from 'zod';
import { KEY_DEPENDENTS, UNREAD } from '../key-users/dependent.ts';
import { PAUSE } from '../orders/standing-orders.ts';
import { ACCOUNT_EFFECT, REFUSED_AFTER } from '../probe/effect.ts';
import { SHOWN_REVOCATION } from '../revocation/version-report.ts';
import { ROTATION_SUMMARY } from './rotation-schemas.ts';

// Views of a key for the API and the page. All times are ISO 8601 in UTC.

const count = z.int().nonnegative();
const time = z.iso.datetime();

const uses = {
  accounts: count.describe('Storage accounts that use the key directly.'),
  scopes: count.describe('Encryption scopes that use the key.'),
};

const KEY_USERS = z
  .object({
    ...uses,
    versions: z
      .array(
        z.object({
          version: z.string().optional().describe('Absent: Storage did not return the version.'),
          ...uses,
          first: z.array(z.string()).describe('Names of up to five uses: `stfiles01`, or `stfiles01/scope1`.'),
        }),
      )
      .describe('Uses by the version that wraps the data.'),
    lagging: count
      .optional()
      .describe(
        'Accounts and scopes that do not use the newest usable version. Absent if the key has no usable version or is revoked, or if the count is incomplete.',
      ),
    complete: z
      .boolean()
      .describe(
        'False: the time limit of the call passed before the count ended, or the app has not listed the accounts of some subscriptions yet.',
      ),
    oldest: time
      .optional()
      .describe('Oldest time at which the app read a use; the index updates an unchanged use once a day.'),
  })
  .describe('Uses according to the fleet index, which moves and the drift check update.');

const NEXT_ROTATION = z.object({
  by: z
    .enum(['policy', 'app', 'person', 'none'])
    .describe(
      '`policy`: Key Vault rotates by the rotation policy. `app`: this app rotates near the expiry. `person`: an operator must rotate. `none`: no rotation is planned.',
    ),
  on: time.optional().describe('Due time of the rotation; absent: unknown.'),
  reason: z.string().optional().describe('Reason code for `person` or `none`.'),
});

const ROTATION_COST = z
  .object({
    moves: count.describe('Accounts and scopes that the app would move.'),
    seconds: z
      .number()
      .nonnegative()
      .describe(
        "Time from the new version to the last write, if this rotation uses the app's whole share of Azure's budgets.",
      ),
  })
  .describe('Cost of a rotation now.');

const usability = z.enum(['Usable', 'Disabled', 'NotYetActive', 'Expired']);

const KEY_PLANS = {
  nextRotation: NEXT_ROTATION.optional(),
  cryptoPeriodEndsOn: time
    .optional()
    .describe(
      'Latest time for a new version: the end of the lifetime in the rotation policy, or two years after creation (`KeyTooOld`). Absent: the key has no version.',
    ),
  users: KEY_USERS.optional(),
  rotation: ROTATION_SUMMARY.optional().describe(
    'Progress of the rotation; `GET /rotations/{vault}/{key}` has the details.',
  ),
};

const version = z.object({
  version: z.string(),
  createdOn: time,
  notBefore: time.optional(),
  expiresOn: time.optional(),
  state: usability,
  revoked: z.boolean().describe('Whether the open revocation disabled the version.'),
  activeFrom: time.describe('Creation time, or the activation time if it is later.'),
  enabled: z.boolean(),
  updatedOn: time
    .optional()
    .describe('Time of the last change: a disabled version has been disabled at least since then.'),
  revokedOn: time.optional().describe('Time at which the open revocation disabled the version.'),
  revokedBy: z.string().optional().describe('Object id of the revoker.'),
  users: z
    .object(uses)
    .optional()
    .describe('Users of the version according to the fleet index; absent: the app could not read the index.'),
});

const lastUse = z.object({
  on: time,
  objectId: z.string().optional().describe('Object id of the caller, from the log.'),
  appId: z.string().optional().describe('Client id of the application.'),
});

export const LOGGED_USAGE = z
  .object({
    trackedSince: time.optional().describe('Earliest log entry of the vault; earlier uses are unknown.'),
    trackedUntil: time.optional().describe('Latest log entry of the vault; the log lags by a few minutes.'),
    gaps: z
      .array(z.object({ from: time, to: time }))
      .optional()
      .describe('Gaps in the log of the vault: no key was used, or the log was off. Newest first.'),
    versions: z.array(
      z.object({
        version: z.string().optional().describe('Absent: the caller named no version.'),
        wrapped: lastUse.optional().describe('Last wrap request, including rejected requests.'),
        unwrapped: lastUse.optional(),
        other: lastUse.optional().describe('Last encrypt, decrypt, sign or verify request.'),
      }),
    ),
    unread: z.string().optional().describe('Why the app could not read the log.'),
  })
  .describe("Last users of each version according to Key Vault's log. Absent: CMK_USAGE_WORKSPACE is not set.");

export const KEY_STATUS = z.object({
  key: z.string(),
  versions: z.array(version),
  newestUsable: z.string().optional(),
  revocation: SHOWN_REVOCATION.optional(),
  paused: PAUSE.optional().describe('Pause of moves to the key and of its rotation by the app. Break-glass continues.'),
  dependents: KEY_DEPENDENTS,
  effect: z
    .array(ACCOUNT_EFFECT)
    .describe(
      'Whether each account serves data according to a real request, and since when: its file service, or its blob service if it has no file share and `CMK_PROBE_BLOBS` is on.',
    ),
  refusedAfter: REFUSED_AFTER.optional(),
  ...KEY_PLANS,
  rotationCost: ROTATION_COST.optional().describe(
    'Absent: the key is revoked, or the app does not know all of its users.',
  ),
  unread: z.array(UNREAD).describe('Failed reads. The versions and break-glass do not depend on them.'),
  usage: LOGGED_USAGE.optional(),
  warnings: z.array(z.string()).describe('Failed reads and writes, and the next steps.'),
});

export const KEY_SUMMARY = z.object({
  key: z.string().describe('Key identifier without a version.'),
  vault: z.string(),
  name: z.string(),
  state: z
    .enum(['usable', 'revoked', 'disabled', 'notYetActive', 'expired', 'missing', 'unknown'])
    .describe(
      'State of the newest usable version, else of the newest version. `missing`: in use according to the index, but not in the vault. `unknown`: the read failed, see `unread`.',
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
    .describe('Newest version, usable or not.'),
  newestUsable: z.string().optional(),
  versions: count.optional().describe('Number of versions.'),
  expiresOn: time
    .optional()
    .describe(
      'Expiry of the newest usable version; if no version is usable, of the newest version. Absent: no expiry.',
    ),
  revocation: SHOWN_REVOCATION.optional().describe('The open revocation.'),
  paused: PAUSE.optional(),
  ...KEY_PLANS,
  unread: z.array(UNREAD).describe('Failed reads.'),
});

const LISTED_VAULT = z.object({
  vault: z.string(),
  readOn: time.optional().describe('Time of the key list, which the app caches for a minute.'),
  unread: UNREAD.optional().describe('Why the app could not list the keys. The answer still has the keys in use.'),
});

export const KEY_LIST = z.object({
  value: z.array(KEY_SUMMARY),
  vaults: z.array(LISTED_VAULT),
  nextLink: z.string().optional().describe('Next page.'),
});

export type KeyUsersView = z.output<typeof KEY_USERS>;
export type KeyUsageView = z.output<typeof LOGGED_USAGE>;
export type NextRotation = z.output<typeof NEXT_ROTATION>;
export type RotationCostView = z.output<typeof ROTATION_COST>;
export type VersionView = z.output<typeof version>;
export type KeyStatus = z.output<typeof KEY_STATUS>;
export type KeySummary = z.output<typeof KEY_SUMMARY>;
export type ListedVault = z.output<typeof LISTED_VAULT>;
