import type { Work } from '../../src/work/messages.ts';
import { MAX_DEQUEUE_COUNT } from '../../src/work/process.ts';
import type { WorkQueue } from '../../src/work/work-queue-client.ts';
import type { Way } from './memory-vault.ts';

/** A message that a killed host held comes back after this; one that failed, after the other (host.json). Milliseconds. */
const HELD_MS = 600_000;
const FAILED_MS = 15_000;

export interface Message {
  readonly queue: string;
  readonly text: string;
  visibleAt: number;
  dequeued: number;
}

/** The app's queues in memory, as the host takes from them, on the simulation's clock (milliseconds). */
export class MemoryQueues {
  readonly poison: Message[] = [];
  readonly #messages: Message[] = [];
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Those that somebody may take now. */
  get visible(): readonly Message[] {
    return this.#messages.filter(({ visibleAt }) => visibleAt <= this.#clock());
  }

  /** When each comes to be seen, but for those that are not waited for. */
  timesBut(isLeftOut: (message: Message) => boolean): readonly number[] {
    return this.#messages.filter((message) => !isLeftOut(message)).map(({ visibleAt }) => visibleAt);
  }

  take(message: Message): void {
    message.visibleAt = this.#clock() + HELD_MS;
    message.dequeued += 1;
  }

  remove(message: Message): void {
    const at = this.#messages.indexOf(message);
    if (at >= 0) this.#messages.splice(at, 1);
  }

  /** Those of a kind are gone that nobody has ever taken. */
  lose(kind: Work['kind']): void {
    const isLost = ({ text, dequeued }: Message) => dequeued === 0 && (JSON.parse(text) as Work).kind === kind;
    for (const message of this.#messages.filter(isLost)) this.remove(message);
  }

  /** As the host does it. */
  failed(message: Message): void {
    message.visibleAt = this.#clock() + FAILED_MS;
    if (message.dequeued < MAX_DEQUEUE_COUNT) return;
    this.remove(message);
    this.poison.push(message);
  }

  send(queue: string, work: Work, delaySeconds = 0): Message {
    const text = JSON.stringify(work);
    const message = { queue, text, visibleAt: this.#clock() + delaySeconds * 1000, dequeued: 0 };
    this.#messages.push(message);
    return message;
  }

  port(way: Way): WorkQueue {
    return {
      send: (queue, work, delaySeconds = 0) => {
        const send = () => void this.send(queue, work, delaySeconds);
        return way(`send ${work.kind} in ${Math.ceil(delaySeconds)} s`, send, true);
      },
      poison: (queue, text) => {
        const poison = () => void this.poison.push({ queue, text, visibleAt: 0, dequeued: 0 });
        return way(`poison ${text}`, poison, true);
      },
    };
  }
}
