import {
  type NewWorkItem,
  toWorkItem,
  WORK,
  type WorkItem,
  type WorkItems,
  workProperties,
  workRow,
} from '../../src/fleet/work-items.ts';

type Run = <T>(label: string, effect: () => T, writes?: boolean) => Promise<T>;

/** Work items in memory, as Table Storage keeps them. */
export class MemoryWorkItems {
  readonly #rows = new Map<string, { readonly properties: Record<string, string>; readonly etag: string }>();
  #writes = 0;

  get all(): readonly WorkItem[] {
    return [...this.#rows].flatMap(([rowKey, { properties, etag }]) => {
      return toWorkItem({ partitionKey: WORK, rowKey, ...properties }, etag) ?? [];
    });
  }

  clear(): void {
    this.#rows.clear();
  }

  put(item: NewWorkItem): void {
    this.#writes += 1;
    this.#rows.set(workRow(item), { properties: workProperties(item), etag: String(this.#writes) });
  }

  /** By another hand than the app's: any properties, or none, where the row goes. */
  write(rowKey: string, properties: Record<string, string> | undefined): void {
    this.#writes += 1;
    const before = this.#rows.get(rowKey)?.properties;
    if (properties) this.#rows.set(rowKey, { properties: { ...before, ...properties }, etag: String(this.#writes) });
    else this.#rows.delete(rowKey);
  }

  /** As the app sees them. `run` makes each request. */
  port(run: Run = async (_, effect) => effect()): WorkItems {
    const unchanged = (item: WorkItem) => this.#rows.get(workRow(item))?.etag === item.etag;
    const of = (subscription: string) => this.all.filter((item) => item.subscription === subscription);
    const names = (items: readonly NewWorkItem[]) =>
      items.map(({ kind, subscription }) => `${kind} ${subscription.slice(-2)}`);
    return {
      put: (items) => run(`items put ${names(items)}`, () => items.forEach((item) => void this.put(item)), true),
      putNew: (items) =>
        run(
          `items put new ${names(items)}`,
          () => {
            const added = items.filter((item) => !this.#rows.has(workRow(item)));
            for (const item of added) this.put(item);
            return added;
          },
          true,
        ),
      of: (subscription) => run(`items of ${subscription.slice(-2)}`, () => of(subscription)),
      all: async function* (this: MemoryWorkItems) {
        yield* await run('items all', () => this.all);
      }.bind(this),
      postpone: (item, { reason, ...rest }) =>
        run(
          `items postpone ${names([item])}`,
          () => {
            if (!unchanged(item)) return false;
            const { reason: _, ...before } = item;
            this.put({ ...before, ...rest, ...(reason ? { reason } : {}) });
            return true;
          },
          true,
        ),
      finish: (item) =>
        run(`items finish ${names([item])}`, () => unchanged(item) && this.#rows.delete(workRow(item)), true),
    };
  }
}
