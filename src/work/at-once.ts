import type { Work, WorkQueueName } from './messages.ts';
import type { HeldMessages } from './work-queue-client.ts';

/** A message waits out of sight for so long while its work is done elsewhere. Seconds. */
const HELD_SECONDS = 15;

/**
 * Work that is done where it is found, so that nobody waits for a queue to be looked into: first it is put there, out of
 * sight, and it is taken out when it is done. What is broken off, or takes too long, is done from the queue.
 */
export class AtOnce {
  readonly #messages: HeldMessages;
  readonly #under: Promise<void>[] = [];
  #room: number;

  /** @param room pieces of work, until there is no more room */
  constructor(messages: HeldMessages, room: number) {
    this.#messages = messages;
    this.#room = room;
  }

  /**
   * Begins it, if there is room: returns when it is in the queue.
   *
   * @param run sees to what becomes of the work, as for any message; when it throws, the message stays
   * @throws the SDK's error when the work cannot be put into the queue
   */
  async begin(queue: WorkQueueName, work: Work, run: () => Promise<void>): Promise<boolean> {
    if (this.#room <= 0) return false;
    this.#room -= 1;
    const held = await this.#messages.hold(queue, work, HELD_SECONDS);
    this.#under.push(
      run()
        .then(() => held.remove())
        .catch(() => {}),
    );
    return true;
  }

  /** When all that was begun is over, one way or another. Never rejects. */
  async settled(): Promise<void> {
    for (let done = 0; done < this.#under.length; done += 1) await this.#under[done];
  }
}
