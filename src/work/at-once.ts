import { timeBoxed } from '../azure/deadline.ts';
import type { Work, WorkQueueName } from './messages.ts';
import type { HeldMessage, HeldMessages } from './work-queue-client.ts';

/** A message is out of sight for so long after the process that does its work has died. Seconds. */
const HELD_SECONDS = 15;
/** The time between two renewals of that: one may fail, or hang, before the next one would come too late. Milliseconds. */
const RENEWED_MS = 5_000;
/** One that has not been answered by then is given up, for the next one. Milliseconds. */
const RENEWAL_MS = 4_500;

/** Room that several have together: what one of them has begun is missing to the others until it is over. */
export class SharedRoom {
  #left: number;

  constructor(pieces: number) {
    this.#left = pieces;
  }

  take(): boolean {
    if (this.#left <= 0) return false;
    this.#left -= 1;
    return true;
  }

  giveBack(): void {
    this.#left += 1;
  }
}

/**
 * Work that is done where it is found, so that nobody waits for a queue to be looked into: first it is put there, out of
 * sight, and it is taken out when it is done. What is broken off is done from the queue; what takes long is not done there
 * as well: finding thousands of accounts twice would lay them out over twice the time.
 */
export class AtOnce {
  readonly #messages: HeldMessages;
  readonly #under: Promise<void>[] = [];
  readonly #shared: SharedRoom | undefined;
  #own: number;
  #beside: number;

  /**
   * @param own pieces of work that there is room for in any case
   * @param beside so many more, as long as the room that is shared has some left
   */
  constructor(messages: HeldMessages, own: number, beside?: { readonly pieces: number; readonly of: SharedRoom }) {
    this.#messages = messages;
    this.#own = own;
    this.#beside = beside?.pieces ?? 0;
    this.#shared = beside?.of;
  }

  /**
   * Begins it, if there is room: returns when it is in the queue.
   *
   * @param run sees to what becomes of the work, as for any message; when it throws, the message stays
   * @throws the SDK's error when the work cannot be put into the queue
   */
  async begin(queue: WorkQueueName, work: Work, run: () => Promise<void>): Promise<boolean> {
    const isOwn = this.#own > 0;
    if (isOwn) this.#own -= 1;
    else if (this.#beside > 0 && this.#shared?.take()) this.#beside -= 1;
    else return false;
    const over = (): void => {
      if (!isOwn) this.#shared?.giveBack();
    };
    try {
      const held = await this.#messages.hold(queue, work, HELD_SECONDS);
      this.#under.push(
        keptWhile(held, run)
          .then(() => held.remove())
          .catch(() => {})
          .finally(over),
      );
    } catch (error) {
      over();
      throw error;
    }
    return true;
  }

  /** When all that was begun is over, one way or another. Never rejects. */
  async settled(): Promise<void> {
    for (let done = 0; done < this.#under.length; done += 1) await this.#under[done];
  }
}

/** Keeps the message out of sight until the work has ended. */
async function keptWhile(held: HeldMessage, run: () => Promise<void>): Promise<void> {
  let renewal: Promise<void> | undefined;
  const renew = (): void => {
    renewal = timeBoxed((signal) => held.keep(HELD_SECONDS, signal), RENEWAL_MS).catch(() => {});
  };
  const timer = setInterval(renew, RENEWED_MS);
  timer.unref();
  try {
    await run();
  } finally {
    clearInterval(timer);
    // It changes what the message is taken out by.
    await renewal;
  }
}
