import type { PacedCalls, PacedPlace, Turns } from '../azure/turns.ts';
import { ACCOUNT_WORK, type AccountWork } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';

/** What moving an account costs: it is read, and written at once. */
export const MOVE_CALLS: PacedCalls = { writes: 1, reads: 1 };

/** Where nobody knows how it is found, it is read once more before it is written. */
const UNSEEN_CALLS: PacedCalls = { writes: 1, reads: 2 };

/** What moving it is to cost, by what is known of it. */
export function moveCalls({ seen }: { readonly seen?: object | undefined }): PacedCalls {
  return seen ? MOVE_CALLS : UNSEEN_CALLS;
}

/** Looking for the encryption scopes of an account. */
export const LIST_CALLS: PacedCalls = { lists: 1 };
/** The same where hundreds may be looked at one after another, for hours: events come first. */
export const PATIENT_LIST_CALLS: PacedCalls = { ...LIST_CALLS, isPatient: true };

/** A re-key looks at everybody. */
export function listCalls({ rekey }: Pick<AccountWork, 'rekey'>): PacedCalls {
  return rekey === undefined ? LIST_CALLS : PATIENT_LIST_CALLS;
}

/** A worker has the message in hand so long before its turn at the least, and waits there for the rest of it. Milliseconds. */
const EARLY_MS = 700;

/** Messages that an instance sends at once: with as many for each of twenty keys it had 400 connections open. */
const SENT_AT_ONCE = 8;

/** A list that is due so soon after the account is waited for by its worker. */
const SOON_SECONDS = 3;

/** When a piece of work is to be taken up. */
export interface HandedTurn {
  /** For so long its message stays out of sight. */
  readonly delaySeconds: number;
  /** The very time (milliseconds since the epoch), by the clock of whoever handed it out. */
  readonly turn: number;
}

/**
 * Spreads work over time, as fast as Azure takes it: a message whose turn comes later stays invisible in the queue until
 * then, and a large region does not stand in the way of the others. Everything that hands out work in this instance shares
 * the turns, so that twenty keys that rotate at once are paced as one; and whichever instances take the messages, they keep
 * to turns that were handed out once.
 */
export class Dispatcher<A extends PacedPlace> {
  readonly #turns: Turns;
  readonly #calls: (work: A) => PacedCalls;
  readonly #now: () => Date;
  readonly #send: (work: A, turn: HandedTurn) => Promise<void>;
  readonly #room: Room;

  constructor(
    ports: { readonly schedule: Turns; readonly now: () => Date },
    calls: (work: A) => PacedCalls,
    send: (work: A, turn: HandedTurn) => Promise<void>,
  ) {
    this.#turns = ports.schedule;
    this.#now = ports.now;
    this.#calls = calls;
    this.#send = send;
    const room = rooms.get(ports.schedule) ?? new Room();
    rooms.set(ports.schedule, room);
    this.#room = room;
  }

  /**
   * Takes the next turn now, and sends the work when it is among the few that are sent at once: what is dispatched together
   * has its turns side by side, and accounts of one key that are looked at together share the lists of its versions.
   *
   * @param notBeforeSeconds no earlier than in so many seconds
   * @throws what `send` throws; also of what was sent meanwhile, and then this is not sent
   */
  async dispatch(work: A, notBeforeSeconds = 0): Promise<void> {
    const calls = this.#calls(work);
    const fromMs = this.#now().getTime();
    const { turn } = handOut(this.#turns, work, calls, fromMs, notBeforeSeconds * 1000);
    try {
      await this.#room.enter(this);
    } catch (error) {
      this.#turns.release(work, calls, turn);
      throw error;
    }
    const nowMs = this.#now().getTime();
    try {
      await this.#send(work, handed(turn, nowMs, Math.max(0, fromMs + notBeforeSeconds * 1000 - nowMs)));
    } catch (error) {
      this.#room.refuse(this, error);
      throw error;
    } finally {
      this.#room.leave();
    }
  }
}

/** Where so many are at a time, in the order in which they come. */
class Room {
  #waiting: { readonly whose: unknown; readonly enter: () => void; readonly refuse: (error: unknown) => void }[] = [];
  #within = 0;

  enter(whose: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#within >= SENT_AT_ONCE) this.#waiting.push({ whose, enter: resolve, refuse: reject });
      else {
        this.#within += 1;
        resolve();
      }
    });
  }

  /** Hands the place on. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next) next.enter();
    else this.#within -= 1;
  }

  /** Whoever waits of these is not let in any more. */
  refuse(whose: unknown, error: unknown): void {
    for (const one of this.#waiting) if (one.whose === whose) one.refuse(error);
    this.#waiting = this.#waiting.filter((one) => one.whose !== whose);
  }
}

/** One for each instance, as the schedule is. */
const rooms = new WeakMap<Turns, Room>();

/**
 * Takes the next turn of the schedule that is no earlier than in so many milliseconds.
 *
 * @param isSlipped for work that had a turn already
 */
export function handOut(
  schedule: Turns,
  place: PacedPlace,
  calls: PacedCalls,
  nowMs: number,
  notBeforeMs = 0,
  isSlipped = false,
): HandedTurn {
  const waitMs = schedule.take(place, calls, nowMs, { notBeforeMs, isSlipped });
  return handed(nowMs + waitMs, nowMs, notBeforeMs);
}

function handed(turn: number, nowMs: number, notBeforeMs: number): HandedTurn {
  // A message that was put off for a reason is not back before it: the second is the queue's, which counts in whole ones.
  const hiddenMs = Math.max(notBeforeMs, turn - nowMs - EARLY_MS, 0);
  return { delaySeconds: notBeforeMs > 0 ? Math.ceil(hiddenMs / 1000) : Math.floor(hiddenMs / 1000), turn };
}

/**
 * Puts an account to work, where it is found if there is room. Azure takes lists of scopes more slowly than writes: where
 * that turn is later, the account does not wait for it, and its scopes have a message of their own.
 *
 * @param work without its turn
 */
export async function sendAccount(
  work: AccountWork,
  place: PacedPlace,
  { delaySeconds, turn }: HandedTurn,
  {
    queue,
    schedule,
    atOnce,
    now,
  }: {
    readonly queue: Pick<WorkQueue, 'send'>;
    readonly schedule: Turns;
    /** Looks at an account where it is found, if there is room. */
    readonly atOnce?: ((work: AccountWork) => Promise<boolean>) | undefined;
    readonly now: () => Date;
  },
): Promise<void> {
  const message: AccountWork = { ...work, turn };
  const lists = work.scopes ? undefined : handOut(schedule, place, listCalls(work), now().getTime());
  const apart = lists && lists.delaySeconds > delaySeconds + SOON_SECONDS ? lists : undefined;
  const own: AccountWork = apart ? { ...message, scopes: 'none' } : message;
  if (delaySeconds > 0 || !(await atOnce?.(own))) await queue.send(ACCOUNT_WORK, own, delaySeconds);
  if (apart) await queue.send(ACCOUNT_WORK, { ...message, scopes: 'only', turn: apart.turn }, apart.delaySeconds);
}
