import type { Reason } from '../errors/reasons.ts';
import { formatAccountRow } from '../index/fleet-keys.ts';
import type { UseRow } from '../index/use-row.ts';
import type { WorkItem } from '../index/work-items.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';

/** Concurrent tasks of a region: Azure allows ten PATCH calls a second, and one call took up to 36 s. */
const MOST_IN_FLIGHT = 384;

/** A work item in a pass, with the time of its next retry. */
export class Wanted {
  readonly item: WorkItem;
  /** When the pass read the item. A version list that started earlier may lack the item's version. */
  readonly readOn: Date;
  /** The earliest retry time of the remaining work; undefined if the item is done. */
  next: Date | undefined;
  reason: Reason | undefined;

  constructor(item: WorkItem, readOn: Date) {
    this.item = item;
    this.readOn = readOn;
  }

  postpone(next: Date, reason: Reason | undefined): void {
    if (this.next && this.next <= next) return;
    this.next = next;
    this.reason = reason;
  }
}

export interface Task {
  readonly row: UseRow;
  readonly key: ManagedKey;
  /** Lower ranks run first: first attempts, retries and missing records, re-keys. */
  readonly rank: number;
  /** Read the use even if the gate forbids a move, since a list returned another state than the index. */
  readonly mustRead: boolean;
  readonly wanted: Wanted[];
}

/**
 * The task queue of one region: a slow region delays no other. Round robin over the keys prevents a key with many uses
 * from delaying others. Only one task waits for a permit, so that a later task of a lower rank can run first.
 */
export class Lane {
  /** @param permitted called once the task has a permit or needs none; the lane then chooses the next task */
  readonly #work: (task: Task, permitted: () => void) => Promise<void>;
  /** Queued tasks, by rank and key, then by row. */
  readonly #queues = new Map<string, Map<string, Task>>();
  readonly #busy = new Set<string>();
  #isChoosing = false;

  constructor(work: (task: Task, permitted: () => void) => Promise<void>) {
    this.#work = work;
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
    if (waiting) waiting.wanted.push(...task.wanted);
    else queue.set(row, task);
    this.#queues.set(name, queue);
    this.#next();
  }

  #next(): void {
    if (this.#isChoosing || this.#busy.size >= MOST_IN_FLIGHT) return;

    const task = this.#choose();
    if (!task) return;

    const account = formatAccountRow(task.row.account);

    this.#busy.add(account);
    this.#isChoosing = true;

    let isPermitted = false;
    const permitted = () => {
      if (isPermitted) return;
      isPermitted = true;
      this.#isChoosing = false;
      this.#next();
    };

    void this.#work(task, permitted).finally(() => {
      this.#busy.delete(account);
      permitted();
      this.#next();
    });
  }

  /** Chooses the lowest rank, round robin over its keys, with one concurrent task per account. */
  #choose(): Task | undefined {
    const byRank = [...this.#queues].sort(([a], [b]) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    for (const [name, queue] of byRank) {
      for (const [row, task] of queue) {
        if (this.#busy.has(formatAccountRow(task.row.account))) continue;

        queue.delete(row);

        // Moves the queue behind the other keys of its rank.
        this.#queues.delete(name);

        if (queue.size > 0) this.#queues.set(name, queue);

        return task;
      }
    }

    return undefined;
  }
}
