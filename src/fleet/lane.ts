import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { accountRow } from './fleet-keys.ts';
import type { UseRow } from './use-row.ts';
import type { WorkItem } from './work-items.ts';

/** Tasks of one region in flight: Azure admits ten PATCH calls a second, and one took up to 36 s. */
const MOST_IN_FLIGHT = 384;

/** A work item in a pass, and when it is due again. */
export class Wanted {
  readonly item: WorkItem;
  /** When the item had been read: version lists that began before may lack what it is about. */
  readonly readOn: Date;
  /** The earliest time at which the rest can be done; undefined: the item is done. */
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

/** A use that is to be reconciled. */
export interface Task {
  readonly row: UseRow;
  readonly key: ManagedKey;
  /** Lower comes first: first tries, retries, re-keys. */
  readonly rank: number;
  /** The use is read although it may not be moved, since a list showed another state than the index has. */
  readonly mustRead: boolean;
  /** The items that want it. */
  readonly wanted: Wanted[];
}

/**
 * The queue of one region, so that a hanging region delays no other. Round robin over the keys, so that a key with many uses
 * delays no other. One task at a time waits for a permit, so that a later task of a lower rank overtakes all others.
 */
export class Lane {
  /** @param permitted to be called once the task has its permit, or needs none: the next one is chosen then */
  readonly #work: (task: Task, permitted: () => void) => Promise<void>;
  /** Tasks that are not started, by rank and key, then by row. */
  readonly #queues = new Map<string, Map<string, Task>>();
  readonly #busy = new Set<string>();
  #isChoosing = false;

  constructor(work: (task: Task, permitted: () => void) => Promise<void>) {
    this.#work = work;
  }

  get isIdle(): boolean {
    return this.#queues.size === 0 && this.#busy.size === 0;
  }

  /** A task for a use that is queued already is merged with it. */
  add(task: Task): void {
    const name = `${task.rank} ${task.mustRead} ${task.key.id}`;
    const queue = this.#queues.get(name) ?? new Map<string, Task>();
    const row = accountRow(task.row.account, task.row.scope);
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
    const account = accountRow(task.row.account);
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

  /** The lowest rank, round robin over its keys, one task of an account at a time. */
  #choose(): Task | undefined {
    const byRank = [...this.#queues].sort(([a], [b]) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    for (const [name, queue] of byRank) {
      for (const [row, task] of queue) {
        if (this.#busy.has(accountRow(task.row.account))) continue;
        queue.delete(row);
        // Re-inserted behind the other keys of its rank.
        this.#queues.delete(name);
        if (queue.size > 0) this.#queues.set(name, queue);
        return task;
      }
    }
    return undefined;
  }
}
