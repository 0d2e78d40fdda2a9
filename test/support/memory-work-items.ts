import {
  createWorkItems,
  type NewWorkItem,
  toChange,
  toWorkItem,
  WORK,
  type WorkItem,
  type WorkItems,
} from '../../src/index/work-items.ts';
import { MemoryFleetTable, type Run } from './memory-fleet-table.ts';

/** Work items in memory, as Table Storage keeps them. */
export class MemoryWorkItems {
  readonly #table = new MemoryFleetTable();

  get all(): readonly WorkItem[] {
    return this.#table.rows(WORK).flatMap((row) => toWorkItem(row) ?? []);
  }

  get isEmpty(): boolean {
    return !this.#table.has(WORK, (row) => toWorkItem(row) !== undefined);
  }

  clear(): void {
    this.#table.clear();
  }

  put(item: NewWorkItem): void {
    this.#table.apply(toChange(item));
  }

  /** By another hand than the app's: any properties, or none, where the row goes. */
  write(rowKey: string, properties: Record<string, string> | undefined): void {
    this.#table.apply({ partitionKey: WORK, rowKey, ...(properties ? { properties } : {}) });
  }

  /** As the app sees them. `run` makes each request. */
  port(run?: Run): WorkItems {
    return createWorkItems(this.#table.port(run, 'items'));
  }
}
