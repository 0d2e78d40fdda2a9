import type { PacedCalls, PacedPlace, Turns } from '../azure/turns.ts';

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

/** A worker has the message in hand so long before its turn at the least, and waits there for the rest of it. Milliseconds. */
const EARLY_MS = 700;

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

  constructor(
    ports: { readonly schedule: Turns; readonly now: () => Date },
    calls: (work: A) => PacedCalls,
    send: (work: A, turn: HandedTurn) => Promise<void>,
  ) {
    this.#turns = ports.schedule;
    this.#now = ports.now;
    this.#calls = calls;
    this.#send = send;
  }

  /** @param notBeforeSeconds no earlier than in so many seconds */
  async dispatch(work: A, notBeforeSeconds = 0): Promise<void> {
    await this.#send(
      work,
      handOut(this.#turns, work, this.#calls(work), this.#now().getTime(), notBeforeSeconds * 1000),
    );
  }
}

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
  // A message that was put off for a reason is not back before it: the second is the queue's, which counts in whole ones.
  const hiddenMs = Math.max(notBeforeMs, waitMs - EARLY_MS);
  const whole = notBeforeMs > 0 ? Math.ceil(hiddenMs / 1000) : Math.floor(hiddenMs / 1000);
  return { delaySeconds: whole, turn: nowMs + waitMs };
}
