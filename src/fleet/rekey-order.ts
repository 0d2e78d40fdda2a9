import { z } from 'zod';
import { RECORDED_CALLER } from '../audit/record.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { RekeyMarks } from './rekey-marks.ts';

/** From the look at an order to the end of a move that goes by it, one that takes effect late included; and clocks. Milliseconds. */
const LATE_MS = (5 + 5) * 60_000;

const reason = z.string().refine((code): code is Reason => Object.hasOwn(REASONS, code));
const person = z.object({ objectId: z.string(), appId: z.string(), name: z.string().optional() });

/** What can be done to an order, by people or by the app. */
const REKEY_CHANGES = [
  'RekeyStarted',
  'RekeyPaused',
  'RekeyStopped',
  'RekeyResumed',
  'RekeyTakingBack',
  'RekeyTakenBack',
  'RekeyDone',
  'RekeyEnded',
] as const satisfies readonly Reason[];

/** Something that was done to an order, as the audit trail is to have it. */
const change = z.object({
  /** Of its record: there is one. Nothing else has such an id. */
  id: z.string().startsWith('key.rekey/'),
  reason: z.enum(REKEY_CHANGES),
  on: z.iso.datetime(),
  why: z.string().optional(),
  /** Who did it, and in which call; absent: the app by itself. */
  caller: RECORDED_CALLER.optional(),
  correlationId: z.string().optional(),
});
export type RekeyRecord = z.output<typeof change>;

/** A re-key as it is kept: "everything that uses key `from` moves to key `to`". */
export const REKEY_ORDER = z.object({
  id: z.string(),
  /** Key identifiers without a version. */
  from: z.string(),
  to: z.string(),
  reason: z.string(),
  ticket: z.string().optional(),
  by: person,
  startedOn: z.iso.datetime(),
  /**
   * `moving`: it stands. `takingBack`: what it has moved goes back. The others are ends: `done`: nothing uses the old key any
   * more, as was verified; `takenBack`; `ended`: a person left all as it was.
   */
  state: z.enum(['moving', 'takingBack', 'done', 'takenBack', 'ended']),
  /** Nothing moves until it is resumed. Without `by` the app stopped it itself: too many accounts failed. */
  paused: z.object({ on: z.iso.datetime(), why: z.string(), by: person.optional() }).optional(),
  /** When it was last resumed: what failed before is tried again. */
  resumedOn: z.iso.datetime().optional(),
  /** With so many accounts failed it stops. */
  maxFailures: z.int().min(1),
  /** Number of the next step: a message of an earlier one is a double, and does nothing. */
  tick: z.int().min(0),
  tickedOn: z.iso.datetime(),
  /**
   * The accounts that were sent last: how many, by which step, and when, after how many that were settled. `reached`: how many
   * are done with by now. `until`: their last turn, or when the last one was seen to be done with, if that is later. `lists`:
   * some may wait for lists. `idle`: so many waves in a row before it settled nobody.
   */
  wave: z
    .object({
      sent: z.int(),
      tick: z.int().optional(),
      settled: z.int(),
      on: z.iso.datetime(),
      reached: z.int().optional(),
      until: z.iso.datetime().optional(),
      lists: z.boolean().optional(),
      idle: z.int().optional(),
    })
    .optional(),
  /** Why it waits. */
  waits: z.object({ reason, detail: z.string() }).optional(),
  /** The last look for what still uses the old key: what could not be read is named, and then it is not verified. */
  verified: z.object({ on: z.iso.datetime(), gaps: z.array(z.string()) }).optional(),
  endedOn: z.iso.datetime().optional(),
  /** A person has ended it: the key onto which what was under way then may still move for some minutes. */
  lateOnto: z.string().optional(),
  /** Id of the last change: whoever made it and had no answer finds by it that it was made. */
  change: z.string().optional(),
  /** What was done to it and is not known to be in the audit trail: written with what was done, by whoever did it. */
  unrecorded: z.array(change).optional(),
});

export type RekeyData = z.output<typeof REKEY_ORDER>;

/** An order with the mark of the state that was read, by which a change of it is refused when it was changed since. */
export interface RekeyOrder extends RekeyData {
  readonly etag: string;
}

/** What an order did with one account, or one of its encryption scopes. Written before anything moves. */
export interface RekeySubject {
  /** ARM id. */
  readonly account: string;
  /** Encryption scope; absent: the account itself. */
  readonly scope?: string;
  readonly location: string;
  /**
   * `none`: nothing was begun. `begun`: it may have moved. `moved`: it has. `back`: it went back, or never left.
   * `left`: a person put it onto a third key, or onto none. `gone`: it was deleted.
   */
  readonly state: 'none' | 'begun' | 'moved' | 'back' | 'left' | 'gone';
  /** When this was written (ISO 8601). */
  readonly at: string;
  /** Why it did not move, when it was last tried. */
  readonly failure?: {
    readonly reason: Reason;
    readonly detail: string;
    readonly at: string;
    /** When the order, as it was tried for, was last started or resumed (see {@link triedSince}). */
    readonly since: string;
  };
}

/** Which order has, or had, a key. */
export interface KeyHolder {
  /** Key identifier without a version. */
  readonly key: string;
  /** Id of the order, with the mark of the state that was read; absent: none has ever had it. */
  readonly last?: { readonly order: string; readonly etag: string };
}

/**
 * Orders and what they did, in the app's own storage. Unlike the fleet index it is no cache: who was moved, and so has to
 * be taken back, is known from here alone. Every request has a deadline; errors are the SDK's.
 */
export interface RekeyStore extends RekeyMarks {
  /** Every order that there was. */
  orders(): Promise<readonly RekeyOrder[]>;
  order(id: string): Promise<RekeyOrder | undefined>;
  /** Who has had each of these keys last. */
  holders(keys: readonly string[]): Promise<readonly KeyHolder[]>;
  /**
   * Writes an order that stands from now on, a new one or one that had ended, and that it has both its keys: all of it or
   * nothing. Undefined: nothing was written, as the order, or who has a key, was changed since it was read.
   */
  stand(order: RekeyData & { readonly etag?: string }, holders: readonly KeyHolder[]): Promise<RekeyOrder | undefined>;
  /** Undefined: it was changed since it was read, and nothing was written. */
  replace(order: RekeyOrder): Promise<RekeyOrder | undefined>;
  subjects(id: string): AsyncIterable<RekeySubject>;
  /** Those of one account: itself and its scopes. */
  subjectsOf(id: string, account: string): Promise<readonly RekeySubject[]>;
  put(id: string, subject: RekeySubject): Promise<void>;
}

/** Which way an order moves now. */
export interface RekeyWay {
  readonly order: RekeyOrder;
  /** Key identifiers without a version: as ordered, or the other way round when it is taken back. */
  readonly from: string;
  readonly to: string;
  readonly back: boolean;
}

export function isEnded({ state }: RekeyData): boolean {
  return state === 'done' || state === 'takenBack' || state === 'ended';
}

/** The order with what is done to it, still to be recorded. Each change of an order has its own number, and so its own id. */
export function withChange<O extends RekeyData>(order: O, done: Omit<RekeyRecord, 'id'>): O {
  const id = ['key.rekey', order.id, order.tick, done.reason, done.correlationId ?? 'app'].join('/');
  return { ...order, change: id, unrecorded: [...(order.unrecorded ?? []), { id, ...done }] };
}

/** The app pauses it by itself, until a person resumes it. */
export function stoppedBy(order: RekeyOrder, why: string, now: Date): RekeyOrder {
  const on = now.toISOString();
  const { waits: _waits, ...rest } = order;
  const stopped = { ...rest, paused: { on, why }, tick: order.tick + 1 };
  return withChange(stopped, { reason: 'RekeyStopped', on, why });
}

/**
 * Changes an order. Undefined: it was changed since it was read, and by somebody else: a client that asks again, as the answer
 * was lost, is told so of its own change. Errors are the SDK's.
 */
export async function changeOrder(
  order: RekeyOrder,
  rekeys: Pick<RekeyStore, 'order' | 'replace'>,
): Promise<RekeyOrder | undefined> {
  const changed = await rekeys.replace(order);
  if (changed) return changed;
  const found = await rekeys.order(order.id);
  return found?.change !== undefined && found.change === order.change ? found : undefined;
}

/** The way that an order moves now; undefined: it does not. */
export function wayOf(order: RekeyOrder): RekeyWay | undefined {
  if (order.paused) return undefined;
  if (order.state === 'moving') return { order, from: order.from, to: order.to, back: false };
  if (order.state === 'takingBack') return { order, from: order.to, to: order.from, back: true };
  return undefined;
}

/** The way of the order that moves what uses a key; there is one at the most (see `src/rekey/hold-keys.ts`). */
export function wayOff(orders: readonly RekeyOrder[], key: string): RekeyWay | undefined {
  return orders.flatMap((order) => wayOf(order) ?? []).find(({ from }) => sameKeyName(from, key));
}

/**
 * The orders that are in the way of one that is to stand: those that stand and share a key with it, as a key takes part in one
 * at a time, so that none goes in a circle. And those that a person has just ended, of which something may still arrive on the
 * key that everything is to move off: it would come when nobody looks for it any more.
 */
export function conflictsOf(
  order: Pick<RekeyData, 'id' | 'from' | 'to'> & { readonly state?: RekeyData['state'] },
  others: readonly RekeyOrder[],
  now: Date,
): RekeyOrder[] {
  const mine = [order.from, order.to];
  const leaves = order.state === 'takingBack' ? order.to : order.from;
  return others.filter((other) => {
    if (other.id === order.id) return false;
    if (!isEnded(other)) return [other.from, other.to].some((key) => mine.some((own) => sameKeyName(own, key)));
    const { lateOnto, endedOn = '' } = other;
    return lateOnto !== undefined && sameKeyName(lateOnto, leaves) && now.getTime() - Date.parse(endedOn) < LATE_MS;
  });
}

/** Whether nothing is left to be done with a subject, as the order moves now. */
export function isSubjectSettled({ state, failure }: RekeySubject, order: RekeyData): boolean {
  // One that has arrived may have failed all the same, by its scopes: after a resume it is looked at again.
  if (failure) return countsAsFailed(failure, order);
  if (state === 'left' || state === 'gone') return true;
  return order.state === 'takingBack' ? state === 'back' : state === 'moved';
}

/** When an order was last started or resumed: what failed before that is tried again. */
export function triedSince({ startedOn, resumedOn }: RekeyData): string {
  return resumedOn ?? startedOn;
}

/** Whether a failure is one since the order was last started or resumed: by what it was tried for, as clocks differ. */
export function countsAsFailed({ since }: NonNullable<RekeySubject['failure']>, order: RekeyData): boolean {
  return since === triedSince(order);
}
