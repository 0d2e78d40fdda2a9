import { z } from 'zod';
import { RECORDED_CALLER } from '../audit/record.ts';
import { comparableId } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import type { Reason } from '../reasons.ts';
import { DAY_MS } from '../time/spans.ts';

/** Most entries of the document; ended orders are dropped for new ones. */
const MOST_ENTRIES = 200;
/** An order that opens the gate of a rollout expires after so long: the rollout is over by then. Milliseconds. */
const GO_ON_KEPT_MS = 90 * DAY_MS;
/** The call that changed an order appends its record; the sweep does after so long. Milliseconds. */
const CALL_RECORDS_MS = 60_000;

const iso = z.iso.datetime();
const by = z.object({ objectId: z.string(), appId: z.string().optional(), name: z.string().optional() });

/** No use is moved until it ends. */
export const PAUSE = z.object({
  id: z.string(),
  /** Key identifier without a version; absent: all keys. */
  key: z.string().optional(),
  /** In the operator's own words. */
  reason: z.string(),
  by,
  since: iso,
  /** When it ends by itself; absent: when an operator ends it. */
  until: iso.optional(),
});

/** Opens the gate of the rollout to that version, although a stage failed. */
const GO_ON = z.object({
  id: z.string(),
  key: z.string(),
  reason: z.string(),
  by,
  at: iso,
  /** Version identifier. */
  target: z.string(),
});

/** The uses of one key are to move to another one. */
export const REKEY = z.object({
  id: z.string(),
  /** Key identifiers without a version. */
  from: z.string(),
  to: z.string(),
  /** A roll back: covers only what the order of that id moved. */
  only: z.string().optional(),
  /**
   * `paused` by an operator, `stopped` by the app, as too many uses failed. `verifying`: nothing is known to use `from`, and
   * `gaps` say what is not known; what is found is moved. `done`: nothing uses it. `ended` by an operator.
   */
  state: z.enum(['active', 'paused', 'stopped', 'verifying', 'done', 'ended']),
  /** So many uses may fail before it stops. */
  maxFailures: z.int().min(1),
  reason: z.string(),
  ticket: z.string().optional(),
  by,
  startedOn: iso,
  /** What failed before is tried again. */
  resumedOn: iso.optional(),
  /** Since when nothing moves, and why; without `by` the app has stopped it. */
  paused: z.object({ on: iso, why: z.string(), by: by.optional() }).optional(),
  /** Of the last decision: what is not known to have left `from`. */
  verified: z.object({ on: iso, gaps: z.array(z.string()) }).optional(),
  endedOn: iso.optional(),
});

/** The app repaired an account twice within an hour, and it was changed again: it is not moved until that ends. */
const CONTEST = z.object({
  id: z.string(),
  /** ARM id. */
  account: z.string(),
  since: iso,
  until: iso,
  /** Who changed it last, as an event said. */
  by: z.object({ objectId: z.string().optional(), name: z.string().optional(), client: z.string().optional() }),
});

/** Outbox: an audit record that is stored with the change itself, until the audit trail has it. */
const UNRECORDED = z.object({
  /** Of the audit record. */
  id: z.string(),
  action: z.enum(['fleet.pause', 'fleet.resume', 'key.rekey', 'drift.release']),
  reason: z.string() as z.ZodType<Reason>,
  resource: z.string(),
  on: iso,
  /** Absent: the app by itself. */
  caller: RECORDED_CALLER.optional(),
  correlationId: z.string().optional(),
  details: z.record(z.string(), z.unknown()),
});

/** What operators ordered until they change it: one document, written with its ETag. */
export const STANDING_ORDERS = z.object({
  pauses: z.array(PAUSE),
  goOns: z.array(GO_ON),
  rekeys: z.array(REKEY),
  contests: z.array(CONTEST).default([]),
  unrecorded: z.array(UNRECORDED),
});

export type PauseOrder = Readonly<z.output<typeof PAUSE>>;
export type GoOnOrder = Readonly<z.output<typeof GO_ON>>;
export type Rekey = Readonly<z.output<typeof REKEY>>;
export type Contest = Readonly<z.output<typeof CONTEST>>;
export type UnrecordedOrder = Readonly<z.output<typeof UNRECORDED>>;
export type StandingOrders = {
  readonly [K in keyof z.output<typeof STANDING_ORDERS>]: Readonly<z.output<typeof STANDING_ORDERS>[K]>;
};

export const NO_ORDERS: StandingOrders = { pauses: [], goOns: [], rekeys: [], contests: [], unrecorded: [] };

/** Pauses that have not ended. */
export function openPauses({ pauses }: StandingOrders, now: Date): readonly PauseOrder[] {
  return pauses.filter(({ until }) => until === undefined || Date.parse(until) > now.getTime());
}

/** A later time has a year of five digits, which `Date.parse` rejects. */
const LATEST_END = new Date('9999-12-31T23:59:59.999Z');

/** Why a pause cannot end then; undefined: it can. */
export function endProblem(until: Date, now: Date): string | undefined {
  if (until <= now) return `${until.toISOString()} is over.`;
  return until <= LATEST_END ? undefined : 'That is too far away.';
}

/** The pause of a key; a pause of all keys comes first. */
export function findPause(orders: StandingOrders, key: string, now: Date): PauseOrder | undefined {
  const pauses = openPauses(orders, now).filter((pause) => pause.key === undefined || sameKeyName(pause.key, key));
  return pauses.find((pause) => pause.key === undefined) ?? pauses[0];
}

/** Whether an operator has opened the gate of the rollout to that version. @param target version identifier */
export function isOrderedOn({ goOns }: StandingOrders, target: string): boolean {
  return goOns.some((order) => order.target.toLowerCase() === target.toLowerCase());
}

/** Whether an order moves uses now, or would once it is resumed. */
export function isOpen({ state }: Pick<Rekey, 'state'>): boolean {
  return state !== 'done' && state !== 'ended';
}

/** Whether an order moves uses now. */
export function isMoving({ state }: Pick<Rekey, 'state'>): boolean {
  return state === 'active' || state === 'verifying';
}

/** The order that moves the uses of a key now; there is at most one. @param key identifier without a version */
export function findRekey({ rekeys }: StandingOrders, key: string): Rekey | undefined {
  return rekeys.find((rekey) => isMoving(rekey) && sameKeyName(rekey.from, key));
}

/** Open orders with either key: only one may have a key, so that nothing moves in a circle. */
export function conflictsOf({ rekeys }: StandingOrders, keys: Pick<Rekey, 'from' | 'to'>): readonly Rekey[] {
  const own = [keys.from, keys.to];
  return rekeys.filter(
    (rekey) => isOpen(rekey) && [rekey.from, rekey.to].some((key) => own.some((mine) => sameKeyName(mine, key))),
  );
}

/** Adds a pause; it replaces a pause of the same key, or of all keys. */
export function withPause(orders: StandingOrders, pause: PauseOrder, now: Date): StandingOrders {
  const others = openPauses(orders, now).filter(({ key }) => !isSameKey(key, pause.key));
  return dropSurplus({ ...orders, pauses: [...others, pause] }, now);
}

/** Removes the pause of a key, or of all keys, and adds orders that open gates. */
export function withResume(
  orders: StandingOrders,
  key: string | undefined,
  goOns: readonly GoOnOrder[],
  now: Date,
): StandingOrders {
  const pauses = openPauses(orders, now).filter((pause) => !isSameKey(pause.key, key));
  return dropSurplus({ ...orders, pauses, goOns: [...orders.goOns, ...goOns] }, now);
}

/** Adds a re-key, or replaces the re-key of that id. */
export function withRekey(orders: StandingOrders, rekey: Rekey, now: Date): StandingOrders {
  const isKnown = orders.rekeys.some(({ id }) => id === rekey.id);
  const rekeys = isKnown ? orders.rekeys.map((one) => (one.id === rekey.id ? rekey : one)) : [...orders.rekeys, rekey];
  return dropSurplus({ ...orders, rekeys }, now);
}

/** The open contest over an account. @param account ARM id, in any letter case */
export function contestOf(contests: readonly Contest[], account: string, now: Date): Contest | undefined {
  const id = comparableId(account);
  return openContests(contests, now).find((contest) => comparableId(contest.account) === id);
}

/** A contest is over after a day, or when an operator releases it. */
function openContests(contests: readonly Contest[], now: Date): readonly Contest[] {
  return contests.filter(({ until }) => Date.parse(until) > now.getTime());
}

/** Adds a contest; it replaces one over the same account. */
export function withContest(orders: StandingOrders, { id, account, since, until, by }: Contest): StandingOrders {
  const { contests } = withoutContest(orders, account);
  return { ...orders, contests: [...openContests(contests, new Date(since)), { id, account, since, until, by }] };
}

export function withoutContest(orders: StandingOrders, account: string): StandingOrders {
  const id = comparableId(account);
  const contests = orders.contests.filter((contest) => comparableId(contest.account) !== id);
  return contests.length === orders.contests.length ? orders : { ...orders, contests };
}

/** Adds a record to the outbox. Where it is full, the oldest is dropped: the log has it. */
export function withUnrecorded(orders: StandingOrders, change: UnrecordedOrder): StandingOrders {
  return { ...orders, unrecorded: [...orders.unrecorded, change].slice(-MOST_ENTRIES) };
}

export function withoutUnrecorded(orders: StandingOrders, id: string): StandingOrders {
  return { ...orders, unrecorded: orders.unrecorded.filter((change) => change.id !== id) };
}

/** Whether a change is stored already: after a lost answer, the retry meets its own write. */
export function hasChange({ unrecorded }: StandingOrders, id: string): boolean {
  return unrecorded.some((change) => change.id === id);
}

/** Records that no call is appending any more. */
export function overdueRecords({ unrecorded }: StandingOrders, now: Date): readonly UnrecordedOrder[] {
  return unrecorded.filter(({ on }) => now.getTime() - Date.parse(on) >= CALL_RECORDS_MS);
}

/**
 * Drops expired orders that open gates. If there are still too many entries, drops ended orders, oldest first.
 *
 * @throws {@link CmkError} `TooManyOrders` where all entries are needed
 */
function dropSurplus(orders: StandingOrders, now: Date): StandingOrders {
  const goOns = orders.goOns.filter(({ at }) => now.getTime() - Date.parse(at) < GO_ON_KEPT_MS);
  const { pauses, rekeys } = orders;
  let surplus = pauses.length + goOns.length + rekeys.length - MOST_ENTRIES;
  if (surplus <= 0) return { ...orders, goOns };
  const isDropped = (isOver: boolean): boolean => {
    if (!isOver || surplus <= 0) return false;
    surplus -= 1;
    return true;
  };
  // A re-key is kept while one rolls it back.
  const isNeeded = (rekey: Rekey) => isOpen(rekey) || rekeys.some((one) => isOpen(one) && one.only === rekey.id);
  const left = {
    ...orders,
    rekeys: rekeys.filter((rekey) => !isDropped(!isNeeded(rekey))),
    goOns: goOns.filter(() => !isDropped(true)),
  };
  if (surplus <= 0) return left;
  throw new CmkError(
    'TooManyOrders',
    `There are ${MOST_ENTRIES} standing orders, which is the limit.`,
    'End pauses and re-keys that are not needed any more: cmk rotation list, cmk rekey list.',
  );
}

function isSameKey(a: string | undefined, b: string | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameKeyName(a, b);
}
