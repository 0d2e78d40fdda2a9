import type { Reason } from '../errors/reasons.ts';
import type { UseRow } from '../index/use-row.ts';
import type { WorkItem } from '../index/work-items.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Cause } from '../work/messages.ts';

/** A work item in a pass, with the time of its next retry. */
export class PassItem {
  readonly item: WorkItem;
  /** When the pass read the item. What is read for the item must be newer. */
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

/** A use that a pass may have to read. */
export interface Task {
  readonly row: UseRow;
  readonly key: ManagedKey;
  /** Lower ranks run first: first attempts, retries and missing records, re-keys. */
  readonly rank: number;
  /** Read the use even if the gate forbids a move, since a list returned another state than the index. */
  readonly mustRead: boolean;
  /** The items that request the task. */
  readonly items: PassItem[];
}

/** @param isRekey whether an order moves the use to another key */
export function createTask(row: UseRow, key: ManagedKey, item: PassItem, mustRead: boolean, isRekey: boolean): Task {
  const isRetry = row.attempts > 0 || row.movedFrom !== undefined;

  return {
    row,
    key,
    rank: isRekey ? 2 : Number(isRetry),
    mustRead,
    items: [item],
  };
}

/** Returns the time of the last item: what is read for the task must be newer. */
export function startOfRequest({ items }: Pick<Task, 'items'>): Date {
  return new Date(Math.max(...items.map(({ readOn }) => readOn.getTime())));
}

/** Returns the cause for a use's follow-up work. */
export function getCause([first]: readonly PassItem[]): Cause {
  return first?.item.cause ?? { by: 'operator', ref: '', since: '' };
}
