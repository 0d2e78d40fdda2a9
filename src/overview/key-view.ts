import { z } from 'zod';

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

/** Who uses a key, by the fleet index. */
const KEY_USERS = z
  .object({
    ...uses,
    versions: z
      .array(z.object({ version: z.string().optional().describe('Absent: Storage did not say which.'), ...uses }))
      .describe('By the version that data is wrapped with.'),
    lagging: count
      .optional()
      .describe(
        'Accounts and scopes that are not on the newest usable version: `waiting`, `failed` and `left`. All five are absent where there is no such version, the key is revoked, or not all were counted.',
      ),
    moved: count.optional(),
    waiting: count.optional().describe('Not moved yet, and nothing is wrong.'),
    failed: count.optional().describe('The last look could not move them.'),
    left: count.optional().describe('The app does not move them: Storage does by itself, or nothing may be done.'),
    complete: z
      .boolean()
      .describe(
        'False: there are too many to count in the time that the call has, or subscriptions whose accounts were not listed yet.',
      ),
    oldest: time
      .optional()
      .describe('When the use that was not read for longest was read; what has not changed is written once a day.'),
    newest: time.optional().describe('When the one that was read last was read.'),
  })
  .describe('As the fleet index knows it: it is kept by each move and by the drift check.');

const NEXT_ROTATION = z.object({
  by: z
    .enum(['policy', 'app', 'person', 'nobody'])
    .describe(
      '`policy`: Key Vault, by the rotation policy. `app`: this app, near the expiry. `person`: somebody has to. `nobody`: nothing asks for a new version.',
    ),
  on: time.optional().describe('When it is due; absent: it is not told when.'),
  reason: z.string().optional().describe('Reason code: why a person, or nobody.'),
});

const places = z.object({
  subscription: z.string(),
  region: z.string(),
  moves: count,
  left: count,
  seconds: z.number().nonnegative(),
});

const ROTATION_COST = z
  .object({
    moves: count.describe('Accounts and scopes that the app would write.'),
    left: count.describe('Those that it would leave to Storage, which looks for a new version once a day.'),
    seconds: z
      .number()
      .nonnegative()
      .describe("From the new version to the last write, if the app's share of Azure's budgets is all for it."),
    places: z.array(places).describe('By what shares a budget; the slowest decides.'),
  })
  .describe('What a rotation now would cost in time.');

const ROTATION_STATE = z
  .object({
    state: z.enum(['finished', 'underWay', 'stuck', 'paused', 'held', 'blocked']),
    reason: z.string().optional(),
    detail: z.string().optional(),
    startedOn: time.optional(),
    progressOn: time.optional().describe('When a move was last seen to have succeeded.'),
    expectedEnd: time.optional().describe('When what waits is moved, if the budget of Azure is all for it.'),
  })
  .describe('How far the rotation is; `GET /rotations/{vault}/{key}` has all of it.');

export const PAUSED = z.object({
  reason: z.string(),
  by: z.string().describe('Object id of the operator.'),
  since: time,
  until: time.optional(),
});

const usability = z.enum(['Usable', 'Disabled', 'NotYetActive', 'Expired']);

const revocation = z.object({
  id: z.string(),
  revokedOn: time,
  revokedBy: z.string().describe('Object id of who revoked.'),
  restoringBy: z.string().optional().describe('Object id of who restores the key, or began to.'),
});

/** What a timeline shows of a version beside its state. */
export const VERSION_DETAIL = {
  activeFrom: time.describe('When it was made, or may be used from if that is later.'),
  enabled: z.boolean(),
  updatedOn: time
    .optional()
    .describe('When somebody last changed it: a version that is disabled has been that since then or longer.'),
  revokedOn: time.optional().describe('When the open revocation disabled it.'),
  revokedBy: z.string().optional().describe('Object id of who revoked.'),
  users: z.object(uses).optional().describe('Who uses it, by the fleet index; absent: the index could not be read.'),
};

/** What is shown of one key beside how it stands. */
export const KEY_DETAIL = {
  nextRotation: NEXT_ROTATION.optional(),
  users: KEY_USERS.optional(),
  rotation: ROTATION_STATE.optional(),
  rotationCost: ROTATION_COST.optional().describe('Absent: the key is revoked, or not all its users are known.'),
  unread: z
    .array(UNREAD)
    .describe('What of these could not be read now; the versions, and break-glass, do not need it.'),
};

const versionDetail = z.object(VERSION_DETAIL);
const keyDetail = z.object(KEY_DETAIL);

/** A line of the list of keys. */
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
  revocation: revocation.optional().describe('The open revocation.'),
  paused: PAUSED.optional(),
  nextRotation: NEXT_ROTATION.optional(),
  users: KEY_USERS.optional(),
  rotation: ROTATION_STATE.optional(),
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
export type NextRotation = z.output<typeof NEXT_ROTATION>;
export type RotationCost = z.output<typeof ROTATION_COST>;
export type RotationState = z.output<typeof ROTATION_STATE>;
export type VersionDetail = z.output<typeof versionDetail>;
export type KeyDetail = z.output<typeof keyDetail>;
export type KeySummary = z.output<typeof KEY_SUMMARY>;
export type ListedVault = z.output<typeof LISTED_VAULT>;
