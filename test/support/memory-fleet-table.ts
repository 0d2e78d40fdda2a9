import type { FleetTable, Row, RowChange } from '../../src/index/fleet-table-client.ts';
import { refuseTooLarge } from './table-limits.ts';

/** Makes a request. */
export type Run = <T>(label: string, effect: () => T, writes?: boolean) => Promise<T>;

/** The fleet index's table in memory, as Table Storage keeps it: a put merges, partitions are in order of their row keys. */
export class MemoryFleetTable {
  /** Rows by partition and row key. */
  readonly #partitions = new Map<string, Map<string, Row>>();
  #writes = 0;

  get all(): readonly Row[] {
    return [...this.#partitions.values()].flatMap((rows) => [...rows.values()]);
  }

  rows(partition: string): Row[] {
    const rows = [...(this.#partitions.get(partition)?.values() ?? [])];
    return rows.sort((a, b) => (a.rowKey < b.rowKey ? -1 : 1));
  }

  row(partition: string, row: string): Row | undefined {
    return this.#partitions.get(partition)?.get(row);
  }

  /** Whether a partition has such a row. */
  has(partition: string, isWanted: (row: Row) => boolean): boolean {
    return [...(this.#partitions.get(partition)?.values() ?? [])].some(isWanted);
  }

  apply({ partitionKey, rowKey, properties }: RowChange): void {
    const rows = this.#partitions.get(partitionKey) ?? new Map<string, Row>();
    this.#partitions.set(partitionKey, rows);

    const before = rows.get(rowKey);
    if (properties) refuseTooLarge({ partitionKey, rowKey, properties: { ...propertiesOf(before), ...properties } });
    this.#writes += 1;

    if (!properties) rows.delete(rowKey);
    else rows.set(rowKey, { ...before, ...properties, partitionKey, rowKey, etag: String(this.#writes) });
  }

  clear(): void {
    this.#partitions.clear();
  }

  /** As the app sees it. `way` runs each request; its labels begin with `name`. */
  port(way: Run = async (_, effect) => effect(), name = 'index'): FleetTable {
    const read = (partition: string, beginning = '') =>
      way(`${name} reads ${`${partition} ${beginning}`.trim()}`, () =>
        this.rows(partition).filter(({ rowKey }) => rowKey.startsWith(beginning)),
      );

    return {
      async *rows(partition, beginning) {
        yield* await read(partition, beginning);
      },
      row: (partition, row) => way(`${name} reads ${partition} ${row}`, () => this.row(partition, row)),
      firstRows: (after, before) =>
        way(`${name} reads ${after}`, () =>
          this.all
            .filter(({ partitionKey }) => partitionKey > after && partitionKey < before)
            .sort((a, b) => (a.partitionKey < b.partitionKey ? -1 : 1))
            .slice(0, 1_000),
        ),
      write: async (changes) => {
        const apply = () => {
          for (const change of changes) this.apply(change);
        };
        if (changes.length > 0) await way(`${name} writes ${changes.length}`, apply, true);
      },
      writeIf: (change, etag) => {
        const write = (): boolean => {
          if (this.row(change.partitionKey, change.rowKey)?.etag !== etag) return false;
          this.apply(change);
          return true;
        };
        return way(`${name} writes ${change.partitionKey} ${change.rowKey}`, write, true);
      },
    };
  }
}

function propertiesOf(row: Row | undefined): Record<string, unknown> {
  const { partitionKey: _, rowKey: __, etag: ___, ...properties } = row ?? { partitionKey: '', rowKey: '' };
  return properties;
}
