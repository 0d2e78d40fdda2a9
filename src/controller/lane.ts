import { formatAccountRow } from '../index/fleet-keys.ts';
import { Signal } from './signal.ts';
import type { Task } from './task.ts';

/** Concurrent tasks of a region: Azure allows ten PATCH calls a second, and one call took up to 36 s. */
const MOST_IN_FLIGHT = 384;

/**
 * The tasks of one region, in their order of work. Round robin over the keys prevents a key with many uses from delaying
 * others. Has one reader, which takes the next task after it has the permit of the last one: a later task of a lower rank
 * can still run first.
 */
export class Lane implements AsyncIterable<Task> {
  readonly region: string;
  /** Queued tasks, by rank and key, then by row. */
  readonly #queues = new Map<string, Map<string, Task>>();
  readonly #busy = new Set<string>();
  readonly #changes = new Signal();
  #isClosed = false;

  constructor(region: string) {
    this.region = region;
  }

  get isIdle(): boolean {
    return this.#queues.size === 0 && this.#busy.size === 0;
  }

  /** Adds a task, or merges it with the queued task of the same use. */
  add(task: Task): void {
    const name = `${task.rank} ${task.mustRead} ${task.key.id}`;
    const queue = this.#queues.get(name) ?? new Map<string, Task>();
    const row = formatAccountRow(task.row.account, task.row.scope);
    const waiting = queue.get(row);

    if (waiting) waiting.items.push(...task.items);
    else queue.set(row, task);

    this.#queues.set(name, queue);
    this.#changes.raise();
  }

  /** Ends a task that the reader took, so that the next task of its account can run. */
  release({ row }: Task): void {
    this.#busy.delete(formatAccountRow(row.account));
    this.#changes.raise();
  }

  /** Ends the reader's loop. */
  close(): void {
    this.#isClosed = true;
    this.#changes.raise();
  }

  /** Yields each task when its turn comes; the reader releases it at its end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Task> {
    while (!this.#isClosed) {
      const task = this.#busy.size < MOST_IN_FLIGHT ? this.#take() : undefined;

      if (task) yield task;
      else await this.#changes.raised;
    }
  }

  /** Takes the task of the lowest rank, round robin over its keys, with one concurrent task per account. */
  #take(): Task | undefined {
    const byRank = [...this.#queues].sort(([a], [b]) => Number.parseInt(a, 10) - Number.parseInt(b, 10));

    for (const [name, queue] of byRank) {
      for (const [row, task] of queue) {
        const account = formatAccountRow(task.row.account);
        if (this.#busy.has(account)) continue;

        queue.delete(row);

        // Moves the queue behind the other keys of its rank.
        this.#queues.delete(name);
        if (queue.size > 0) this.#queues.set(name, queue);

        this.#busy.add(account);
        return task;
      }
    }

    return undefined;
  }
}

/** The lanes of a pass: a slow region delays no other. Has one reader, which serves each lane. */
export class Lanes implements AsyncIterable<Lane> {
  readonly #lanes = new Map<string, Lane>();
  readonly #changes = new Signal();
  #isClosed = false;

  get isIdle(): boolean {
    return [...this.#lanes.values()].every((lane) => lane.isIdle);
  }

  /** Adds a task to the lane of its region. */
  add(task: Task): void {
    const region = task.row.location.toLowerCase();
    const known = this.#lanes.get(region);
    const lane = known ?? new Lane(region);

    lane.add(task);

    if (known) return;

    this.#lanes.set(region, lane);
    this.#changes.raise();
  }

  close(): void {
    this.#isClosed = true;
    for (const lane of this.#lanes.values()) lane.close();
    this.#changes.raise();
  }

  /** Yields each lane once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Lane> {
    const served = new Set<Lane>();

    while (!this.#isClosed) {
      const lane = [...this.#lanes.values()].find((one) => !served.has(one));
      if (!lane) {
        await this.#changes.raised;
        continue;
      }

      served.add(lane);
      yield lane;
    }
  }
}
