import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { accountRow } from './fleet-keys.ts';
import type { UseRow } from './use-row.ts';
import type { WorkItem } from './work-items.ts';

/** Calls of one region in flight: a PATCH took up to 36 s, and Azure takes ten a second. */
const MOST_IN_FLIGHT = 384;

/** An item that a pass works on, and what is left of it. */
export interface Wanted {
  readonly item: WorkItem;
  /** When the item was read: lists of versions that began before do not show what it is about. */
  readonly readOn: Date;
  /** What is begun for it and has not ended. */
  open: number;
  /** The earliest time at which something that is left can be done; undefined: nothing is left. */
  next: Date | undefined;
  reason: Reason | undefined;
}

/** A use that is to be reconciled. */
export interface Task {
  readonly row: UseRow;
  readonly key: ManagedKey;
  /** Lower comes first: first tries, retries, re-keys. */
  readonly rank: number;
  /** It is read although it may not be moved: Azure was seen to show something else than the index. */
  readonly looks: boolean;
  /** The items that want it. */
  readonly wanted: Wanted[];
}

/**
 * The uses of one region. A region that hangs holds up no other, a key with many uses no other key, and a task that waits for
 * a permit no task of a lower rank that comes later.
 */
export class Lane {
  /** @param permitted to be called once the task has its permit, or needs none: the next one is chosen then */
  readonly #work: (task: Task, permitted: () => void) => Promise<void>;
  /** By rank and key; uses that are not begun, by row. */
  readonly #queues = new Map<string, Map<string, Task>>();
  readonly #busy = new Set<string>();
  #isChoosing = false;

  constructor(work: (task: Task, permitted: () => void) => Promise<void>) {
    this.#work = work;
  }

  get isIdle(): boolean {
    return this.#queues.size === 0 && this.#busy.size === 0;
  }

  /** A use that waits already is not done twice. */
  add(task: Task): void {
    const name = `${task.rank} ${task.looks} ${task.key.id}`;
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

  /** The lowest rank, the keys in turn, and one task of an account at a time. */
  #choose(): Task | undefined {
    const byRank = [...this.#queues].sort(([a], [b]) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    for (const [name, queue] of byRank) {
      for (const [row, task] of queue) {
        if (this.#busy.has(accountRow(task.row.account))) continue;
        queue.delete(row);
        // Behind the other keys of its rank.
        this.#queues.delete(name);
        if (queue.size > 0) this.#queues.set(name, queue);
        return task;
      }
    }
    return undefined;
  }
}
