import { z } from 'zod';
import { DAY_MS, HOUR_MS } from '../formats/spans.ts';
import { getActiveFrom, getUsability, type KeyVersion } from '../keys/key-versions.ts';
import { newestFirst } from '../revocation/revocation-plans.ts';
import type { KeyEvidence, MoveEvidence, Occasion, VersionEvidence } from './key-evidence.ts';

const count = z.int().nonnegative();
const time = z.iso.datetime();

const OCCASION = {
  by: z
    .object({ objectId: z.string().optional(), name: z.string().optional() })
    .optional()
    .describe('The caller; absent: the app acted by itself.'),
  why: z.string().optional(),
  ticket: z.string().optional(),
};

const MOVE = z.object({
  account: z.string().describe('ARM id.'),
  scope: z.string().optional().describe('Encryption scope; absent: the account itself.'),
  on: time,
});

const VERSION_HISTORY = z.object({
  version: z.string(),
  state: z
    .enum(['Usable', 'Disabled', 'NotYetActive', 'Expired'])
    .optional()
    .describe('Absent: Key Vault has the version no longer.'),
  createdOn: time.optional(),
  activeFrom: time.optional().describe('Creation time, or the activation time if it is later.'),
  expiresOn: time.optional(),
  created: z
    .object({ on: time, ...OCCASION })
    .optional()
    .describe('The record of its creation. Absent: unknown, because neither the app nor `cmk` recorded it.'),
  complete: z
    .boolean()
    .describe(
      'False: the version is older than what the app read of the trail. Then every count is a minimum, and what is absent is unknown.',
    ),
  moved: count.describe('Accounts and scopes that the app moved to it.'),
  perhapsMoved: count.describe('Moves that the app or another writer made (`MoveObserved`).'),
  pickedUp: count.describe(
    'Automatic accounts and scopes that the app did not move (`PickUpObserved`), by the time that Azure returns.',
  ),
  first: MOVE.optional().describe('First of all these moves.'),
  last: MOVE.optional(),
  late: z
    .array(MOVE.extend({ seconds: z.number().describe('Seconds since the version could be used.') }))
    .optional()
    .describe('Moves by the app after an hour, and by Azure after a day. Absent: unknown.'),
  changes: z
    .array(
      z.object({
        did: z.enum(['revoked', 'keptRevoked', 'restored', 'retired', 'unretired', 'disabled', 'enabled']),
        on: time,
        ...OCCASION,
      }),
    )
    .describe('Changes of its state that the app or `cmk` made, oldest first.'),
});

export const KEY_HISTORY = z.object({
  key: z.string(),
  since: time
    .optional()
    .describe('Time of the oldest record that the app read: earlier events are unknown. Absent: the trail is empty.'),
  whole: z.boolean().describe('False: the app reached its read limit before the start of the trail.'),
  versions: z.array(VERSION_HISTORY).describe('Newest first.'),
});

export type KeyHistory = z.output<typeof KEY_HISTORY>;
export type VersionHistory = KeyHistory['versions'][number];

/** What the app read of the audit trail about a key. */
export interface ReadTrail {
  /** Undefined: no record names the key. */
  readonly evidence: KeyEvidence | undefined;
  readonly since: string | undefined;
  readonly whole: boolean;
}

/** Joins the versions in Key Vault with what the audit trail proves of each. */
export function toKeyHistory(key: string, versions: readonly KeyVersion[], trail: ReadTrail, now: Date): KeyHistory {
  const { evidence, since, whole } = trail;
  const proven = evidence?.versions ?? new Map<string, VersionEvidence>();
  const listed = newestFirst(versions);
  const known = new Set(listed.map(({ version }) => version));
  const gone = [...proven.values()].filter(({ version }) => !known.has(version));

  return {
    key,
    since,
    whole,
    versions: [
      ...listed.map((version) => ({
        ...toFacts(proven.get(version.version), version, since),
        version: version.version,
        state: getUsability(version, now),
        createdOn: version.createdOn.toISOString(),
        activeFrom: getActiveFrom(version).toISOString(),
        expiresOn: version.expiresOn?.toISOString(),
      })),
      ...gone.map((one) => ({ ...toFacts(one, undefined, since), version: one.version })),
    ],
  };
}

function toFacts(evidence: VersionEvidence | undefined, version: KeyVersion | undefined, since: string | undefined) {
  const { made, moves = [], changes = [] } = evidence ?? {};
  const observed = moves.filter(({ reason }) => reason === 'MoveObserved').length;
  const pickedUp = moves.filter(({ reason }) => reason === 'PickUpObserved').length;
  const isComplete = version !== undefined && since !== undefined && version.createdOn >= new Date(since);
  const late = version && findLateMoves(moves, getActiveFrom(version));

  return {
    created: made && { on: made.proof.on, ...toOccasion(made) },
    complete: isComplete,
    moved: moves.length - observed - pickedUp,
    perhapsMoved: observed,
    pickedUp,
    first: isComplete ? toMove(moves[0]) : undefined,
    last: toMove(moves.at(-1)),
    late: late?.map(({ account, scope, on, seconds }) => ({ account, scope, on, seconds })),
    changes: changes.map((change) => ({ did: change.did, on: change.proof.on, ...toOccasion(change) })),
  };
}

/** A move with its delay since the version could be used, in seconds. */
interface LateMove extends MoveEvidence {
  readonly seconds: number;
}

/**
 * Time after which a move counts as late, in milliseconds: an hour for the app, which then reports the rotation as stuck,
 * and a day for Storage, which checks for a new version once a day.
 */
const LATE_MS = { app: HOUR_MS, storage: DAY_MS };

/** Moves that came late, oldest first. A re-key is none: it moves accounts to a version of any age. */
function findLateMoves(moves: readonly MoveEvidence[], activeFrom: Date): LateMove[] {
  return moves.flatMap((move) => {
    const ms = Date.parse(move.on) - activeFrom.getTime();
    const isLate = ms > (move.reason === 'PickUpObserved' ? LATE_MS.storage : LATE_MS.app);
    return isLate && move.reason !== 'Rekeyed' ? [{ ...move, seconds: Math.round(ms / 1_000) }] : [];
  });
}

function toMove(move: MoveEvidence | undefined) {
  return move && { account: move.account, scope: move.scope, on: move.on };
}

function toOccasion({ by, why, ticket }: Occasion) {
  return { by: by && { objectId: by.objectId, name: by.name }, why, ticket };
}
