import { z } from 'zod';
import { RECORDED_CALLER } from '../audit/record.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import { DAY_MS } from '../time/spans.ts';

/** Pauses and orders that are kept, and of what is not on record; the oldest ones go when there are more. */
const MOST_KEPT = 200;
/** An order to go on concerns the rotation of its day; what is older is forgotten. Milliseconds. */
const ORDER_KEPT_MS = 90 * DAY_MS;

const by = z.object({ objectId: z.string(), name: z.string().optional() });

export const PAUSE = z.object({
  id: z.string(),
  /** Key identifier without a version; absent: all keys. */
  key: z.string().optional(),
  /** Why, in the operator's own words. */
  reason: z.string(),
  by,
  since: z.iso.datetime(),
  /** When it ends by itself; absent: when somebody ends it. */
  until: z.iso.datetime().optional(),
});

/** An order that a held rotation goes on. */
const GO_ON = z.object({
  id: z.string(),
  key: z.string(),
  reason: z.string(),
  by,
  at: z.iso.datetime(),
  /** The version that everything moved onto then; absent: it could not be read. */
  version: z.string().optional(),
});

/** What was ordered, as the audit trail is to have it. It is written with the order, and kept until it is there. */
const CONTROL_DEED = z.object({
  id: z.string(),
  reason: z.enum(['Paused', 'Resumed']),
  on: z.iso.datetime(),
  caller: RECORDED_CALLER,
  correlationId: z.string(),
  key: z.string().optional(),
  why: z.string(),
  ticket: z.string().optional(),
  until: z.iso.datetime().optional(),
  /** Ids of the pauses that it ended, or took the place of. */
  ended: z.array(z.string()),
});

/** What is no such entry is left out: it does not take the others with it. */
function listOf<T extends z.ZodType>(entry: T) {
  return z.array(z.unknown()).transform((all) => all.flatMap((one) => entry.safeParse(one).data ?? []));
}

export const CONTROL_STATE = z.object({
  pauses: listOf(PAUSE),
  goOns: listOf(GO_ON),
  /** When somebody last ended a pause. */
  resumedOn: z.iso.datetime().optional(),
  /** What was ordered and is not known to be in the audit trail. Versions before 0.3 have none, and nothing hangs on it. */
  unrecorded: listOf(CONTROL_DEED).catch([]),
});

export type Pause = z.output<typeof PAUSE>;

/** A pause as an answer about its key has it. */
export function pausedView({ reason, by: { objectId }, since, until }: Pause) {
  return { reason, by: objectId, since, ...(until ? { until } : {}) };
}

/** A pause as a list has it. */
export function listedPause(pause: Pause) {
  return { ...(pause.key ? { key: pause.key } : {}), ...pausedView(pause) };
}

type GoOn = z.output<typeof GO_ON>;
export type ControlDeed = z.output<typeof CONTROL_DEED>;
export type ControlState = z.output<typeof CONTROL_STATE>;

export const NO_CONTROL: ControlState = { pauses: [], goOns: [], unrecorded: [] };

/** A later one has a year of five digits, which nothing reads back. */
const LATEST_END = new Date('9999-12-31T23:59:59.999Z');

/** Why a pause cannot end then; undefined: it can. */
export function endProblem(until: Date, now: Date): string | undefined {
  if (until <= now) return `${until.toISOString()} is over.`;
  return until <= LATEST_END ? undefined : 'That is too far away.';
}

/** The pause that a key is under: that of all keys, if there is one, else its own. */
export function standingPause(state: ControlState, key: string, now: Date): Pause | undefined {
  const pauses = standingPauses(state, now).filter((pause) => pause.key === undefined || sameKeyName(pause.key, key));
  return pauses.find((pause) => pause.key === undefined) ?? pauses[0];
}

/** Every pause that has not ended. */
export function standingPauses({ pauses }: ControlState, now: Date): Pause[] {
  return pauses.filter(({ until }) => until === undefined || Date.parse(until) > now.getTime());
}

/**
 * Whether an operator has ordered that rotation of the key to go on whatever holds it: the one onto that version. By time it
 * could not be told, as clocks differ: an order right behind its beginning would be none, or be one for the next.
 */
export function isOrderedOn(
  { goOns }: ControlState,
  key: string,
  { version, startedOn }: { readonly version: string; readonly startedOn: Date },
): boolean {
  return goOns.some((order) => {
    if (!sameKeyName(order.key, key)) return false;
    return order.version === undefined ? Date.parse(order.at) >= startedOn.getTime() : order.version === version;
  });
}

/** When something was last let go on, by somebody or by itself; what has stood still before is not stuck for that. */
export function lastReleased({ pauses, goOns, resumedOn }: ControlState, key: string, now: Date): Date | undefined {
  const isAbout = (one: { readonly key?: string | undefined }): boolean =>
    one.key === undefined || sameKeyName(one.key, key);
  const ends = pauses.filter(isAbout).map(({ until }) => until);
  const orders = goOns.filter(isAbout).map(({ at }) => at);
  const times = [...ends, ...orders, resumedOn].flatMap((time) => (time === undefined ? [] : Date.parse(time)));
  const last = Math.max(...times.filter((time) => time <= now.getTime()));
  return Number.isFinite(last) ? new Date(last) : undefined;
}

/** With one more pause; it takes the place of the one of the same reach. */
export function withPause(state: ControlState, pause: Pause, now: Date): ControlState {
  const standing = standingPauses(state, now);
  const others = standing.filter(({ key }) => !isSameReach(key, pause.key));
  // What has ended by itself goes, and that it has ended stays.
  const ends = state.pauses.flatMap((one) => (one.until && !standing.includes(one) ? one.until : []));
  const resumedOn = [...ends, state.resumedOn ?? ''].sort().at(-1);
  return {
    unrecorded: state.unrecorded,
    goOns: keptOrders(state, now),
    pauses: [...others, pause].slice(-MOST_KEPT),
    ...(resumedOn ? { resumedOn } : {}),
  };
}

/** Without the pause of that reach; for a key, what holds its rotation is overruled as well. */
export function withResume(state: ControlState, order: Omit<GoOn, 'key'> & { readonly key?: string }): ControlState {
  const now = new Date(order.at);
  const { key } = order;
  const pauses = standingPauses(state, now).filter((pause) => !isSameReach(pause.key, key));
  const goOns = keptOrders(state, now);
  return {
    unrecorded: state.unrecorded,
    pauses,
    resumedOn: order.at,
    goOns: (key === undefined ? goOns : [...goOns, { ...order, key }]).slice(-MOST_KEPT),
  };
}

/** With what is still to be recorded, and what is kept no longer for want of room. */
export function withDeed(
  state: ControlState,
  deed: ControlDeed,
): { readonly state: ControlState; readonly lost: readonly ControlDeed[] } {
  const all = [...state.unrecorded, deed];
  return { state: { ...state, unrecorded: all.slice(-MOST_KEPT) }, lost: all.slice(0, -MOST_KEPT) };
}

/** Whether it was ordered already: an answer may be lost, and whoever writes again be refused by their own first try. */
export function isOrdered({ pauses, goOns, unrecorded }: ControlState, id: string): boolean {
  return [...pauses, ...goOns, ...unrecorded].some((one) => one.id === id);
}

function keptOrders({ goOns }: ControlState, now: Date): GoOn[] {
  return goOns.filter(({ at }) => now.getTime() - Date.parse(at) < ORDER_KEPT_MS);
}

function isSameReach(a: string | undefined, b: string | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameKeyName(a, b);
}
