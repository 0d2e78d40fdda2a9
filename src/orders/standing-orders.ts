import { z } from 'zod';
import { RECORDED_CALLER } from '../audit/record.ts';
import { toComparableId } from '../azure/resource-id.ts';
import { CmkError } from '../errors/errors.ts';
import type { Reason } from '../errors/reasons.ts';
import { DAY_MS } from '../formats/spans.ts';

/** Maximum number of entries; new orders replace ended orders. */
const MOST_ENTRIES = 200;
/** Lifetime of an order that opens a gate: the rollout is finished by then. Milliseconds. */
const RESUME_KEPT_MS = 90 * DAY_MS;

const iso = z.iso.datetime();
const by = z.object({ objectId: z.string(), appId: z.string().optional(), name: z.string().optional() });

/** Key identifier without a version, in lower case as every id of a key. */
const KEY = z.string().toLowerCase();

/** A pause: no use moves until it ends. */
export const PAUSE = z.object({
  id: z.string(),
  /** Key identifier without a version; absent: all keys. */
  key: KEY.optional(),
  /** Reason in the operator's words. */
  reason: z.string(),
  by,
  since: iso,
  /** Automatic end; absent: an operator ends it. */
  until: iso.optional(),
});

/** Opens the gate of the rollout to a version after a stage failed. */
const RESUME = z.object({
  at: iso,
  /** Version identifier. */
  target: z.string(),
  /** Id of the re-key whose rollout it is; absent: the key's own. */
  rekey: z.string().optional(),
});

/** Moves the uses of a key to another key. */
export const REKEY = z.object({
  id: z.string(),
  /** Key identifiers without a version. */
  from: KEY,
  to: KEY,
  /** For a rollback: id of the order whose moves it covers. */
  only: z.string().optional(),
  /**
   * `paused` by an operator. `stopped` by the app after too many failures. `verifying`: the index shows no use of
   * `from`, but has `gaps`; the order moves uses that it finds. `done`: no use remains. `ended` by an operator.
   */
  state: z.enum(['active', 'paused', 'stopped', 'verifying', 'done', 'ended']),
  /** Number of failed uses after which the order stops. */
  maxFailures: z.int().min(1),
  reason: z.string(),
  ticket: z.string().optional(),
  by,
  startedOn: iso,
  /** Last resume. The order then retries earlier failures. */
  resumedOn: iso.optional(),
  /** Start and reason of the pause; without `by` the app stopped the order. */
  paused: z.object({ on: iso, why: z.string(), by: by.optional() }).optional(),
  /** Last verification: `gaps` name where uses of `from` may remain. */
  verified: z.object({ on: iso, gaps: z.array(z.string()) }).optional(),
  endedOn: iso.optional(),
});

/** The app repaired an account twice within an hour, and it changed again. The app does not move it until the end. */
const CONTEST = z.object({
  id: z.string(),
  /** ARM id. */
  account: z.string(),
  since: iso,
  until: iso,
  /** Actor of the last change, from its event. */
  by: z.object({ objectId: z.string().optional(), name: z.string().optional(), client: z.string().optional() }),
});

/** Outbox: an audit record that is stored with its change, until the audit trail has it. */
const UNRECORDED = z.object({
  /** Id of the audit record. */
  id: z.string(),
  action: z.enum(['fleet.pause', 'fleet.resume', 'key.rekey', 'drift.release']),
  reason: z.string() as z.ZodType<Reason>,
  resource: z.string(),
  on: iso,
  /** Absent if the app made the change. */
  caller: RECORDED_CALLER.optional(),
  correlationId: z.string().optional(),
  details: z.record(z.string(), z.unknown()),
});

/** All standing orders of operators: one document, written with its ETag. */
export const STANDING_ORDERS = z.object({
  pauses: z.array(PAUSE),
  resumes: z.array(RESUME).default([]),
  rekeys: z.array(REKEY),
  contests: z.array(CONTEST).default([]),
  unrecorded: z.array(UNRECORDED),
});

export type PauseOrder = Readonly<z.output<typeof PAUSE>>;
export type ResumeOrder = Readonly<z.output<typeof RESUME>>;
export type Rekey = Readonly<z.output<typeof REKEY>>;
export type Contest = Readonly<z.output<typeof CONTEST>>;
export type UnrecordedOrder = Readonly<z.output<typeof UNRECORDED>>;
export type StandingOrders = {
  readonly [K in keyof z.output<typeof STANDING_ORDERS>]: Readonly<z.output<typeof STANDING_ORDERS>[K]>;
};

export const NO_ORDERS: StandingOrders = { pauses: [], resumes: [], rekeys: [], contests: [], unrecorded: [] };

/** Returns what an order shows of its caller. */
export function toCaller({ objectId, appId, name }: z.output<typeof RECORDED_CALLER>): PauseOrder['by'] {
  return { objectId, appId, name };
}

/** Pauses that have not ended. */
export function listOpenPauses({ pauses }: StandingOrders, now: Date): readonly PauseOrder[] {
  return pauses.filter(({ until }) => until === undefined || Date.parse(until) > now.getTime());
}

/** Returns the pause of a key. A pause of all keys has precedence. */
export function findPause(orders: StandingOrders, key: string, now: Date): PauseOrder | undefined {
  const pauses = listOpenPauses(orders, now).filter((pause) => pause.key === undefined || pause.key === key);
  return pauses.find((pause) => pause.key === undefined) ?? pauses[0];
}

/**
 * Returns whether an operator opened the gate of a rollout.
 *
 * @param target version identifier
 * @param rekey id of the re-key whose rollout it is; absent: the key's own
 */
export function isResumed({ resumes }: StandingOrders, target: string, rekey?: string): boolean {
  return resumes.some((order) => order.rekey === rekey && order.target.toLowerCase() === target.toLowerCase());
}

/** Returns whether an order moves uses now, or after a resume. */
export function isOpen({ state }: Pick<Rekey, 'state'>): boolean {
  return state !== 'done' && state !== 'ended';
}

/** Returns whether an order moves uses now. */
export function isMoving({ state }: Pick<Rekey, 'state'>): boolean {
  return state === 'active' || state === 'verifying';
}

/** Returns the order that moves a key's uses now; a key has at most one. @param key identifier without a version */
export function findRekey({ rekeys }: StandingOrders, key: string): Rekey | undefined {
  return rekeys.find((rekey) => isMoving(rekey) && rekey.from === key);
}

/** Returns open orders with either key: a key may have only one, which prevents circular moves. */
export function findConflicts({ rekeys }: StandingOrders, keys: Pick<Rekey, 'from' | 'to'>): readonly Rekey[] {
  const own = [keys.from, keys.to];
  return rekeys.filter((rekey) => isOpen(rekey) && [rekey.from, rekey.to].some((key) => own.includes(key)));
}

/** Adds a pause, and replaces a pause of the same key or of all keys. */
export function withPause(orders: StandingOrders, pause: PauseOrder, now: Date): StandingOrders {
  const others = listOpenPauses(orders, now).filter(({ key }) => key !== pause.key);
  return dropSurplus({ ...orders, pauses: [...others, pause] }, now);
}

/** Removes the pause of a key or of all keys, and adds orders that open gates. */
export function withResume(
  orders: StandingOrders,
  key: string | undefined,
  resumes: readonly ResumeOrder[],
  now: Date,
): StandingOrders {
  const pauses = listOpenPauses(orders, now).filter((pause) => pause.key !== key);
  return dropSurplus({ ...orders, pauses, resumes: [...orders.resumes, ...resumes] }, now);
}

/** Adds a re-key, or replaces the re-key with the same id. */
export function withRekey(orders: StandingOrders, rekey: Rekey, now: Date): StandingOrders {
  const isKnown = orders.rekeys.some(({ id }) => id === rekey.id);
  const rekeys = isKnown ? orders.rekeys.map((one) => (one.id === rekey.id ? rekey : one)) : [...orders.rekeys, rekey];
  return dropSurplus({ ...orders, rekeys }, now);
}

/** Returns the open contest over an account. @param account ARM id, in any letter case */
export function findContest(contests: readonly Contest[], account: string, now: Date): Contest | undefined {
  const id = toComparableId(account);
  return openContests(contests, now).find((contest) => toComparableId(contest.account) === id);
}

/** A contest ends after a day, or when an operator releases the account. */
function openContests(contests: readonly Contest[], now: Date): readonly Contest[] {
  return contests.filter(({ until }) => Date.parse(until) > now.getTime());
}

/** Adds a contest, and replaces an earlier contest over the same account. */
export function withContest(orders: StandingOrders, { id, account, since, until, by }: Contest): StandingOrders {
  const { contests } = withoutContest(orders, account);
  return { ...orders, contests: [...openContests(contests, new Date(since)), { id, account, since, until, by }] };
}

export function withoutContest(orders: StandingOrders, account: string): StandingOrders {
  const id = toComparableId(account);
  const contests = orders.contests.filter((contest) => toComparableId(contest.account) !== id);
  return contests.length === orders.contests.length ? orders : { ...orders, contests };
}

/** Adds a record to the outbox. If the outbox is full, drops the oldest record, which the log also contains. */
export function withUnrecorded(orders: StandingOrders, change: UnrecordedOrder): StandingOrders {
  return { ...orders, unrecorded: [...orders.unrecorded, change].slice(-MOST_ENTRIES) };
}

/**
 * Drops expired orders that open gates. If too many entries remain, drops ended re-keys and then orders that open gates,
 * oldest first.
 *
 * @throws {@link CmkError} `TooManyOrders` if all entries are needed
 */
function dropSurplus(orders: StandingOrders, now: Date): StandingOrders {
  const { pauses, rekeys } = orders;

  // Keeps a re-key during its rollback.
  const needed = new Set(
    rekeys.filter((rekey) => isOpen(rekey) || rekeys.some((one) => isOpen(one) && one.only === rekey.id)),
  );

  // The pause of all keys does not count, so that an operator can always set it in an emergency.
  const ofKeys = pauses.filter(({ key }) => key !== undefined);
  const room = MOST_ENTRIES - ofKeys.length - needed.size;
  if (room < 0) {
    throw new CmkError(
      'TooManyOrders',
      `The store already contains ${MOST_ENTRIES} standing orders, the limit.`,
      'End pauses and re-keys that you no longer need: cmk rotation list, cmk rekey list.',
    );
  }

  const resumes = newest(
    orders.resumes.filter(({ at }) => now.getTime() - Date.parse(at) < RESUME_KEPT_MS),
    room,
  );
  const ended = newest(
    rekeys.filter((rekey) => !needed.has(rekey)),
    room - resumes.length,
  );

  return { ...orders, resumes, rekeys: rekeys.filter((rekey) => needed.has(rekey) || ended.includes(rekey)) };
}

function newest<T>(entries: readonly T[], most: number): T[] {
  return entries.slice(Math.max(0, entries.length - most));
}
