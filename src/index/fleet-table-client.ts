import type { TableClient, TransactionAction } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import pMap from 'p-map';
import { z } from 'zod';
import { openControlTable, openWorkTable } from '../azure/app-storage.ts';
import { describeFailure, isTableMissing, readUnlessMissing } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import type { Settings } from '../settings/settings.ts';

/** Table of the fleet index and of work items, in the work zone. */
export const FLEET_TABLE = 'cmkfleet';
/** Table of rollouts, of uses that re-keys moved, and of changes to check, in the control zone. */
export const CONTROL_TABLE = 'cmkcontrol';

/** Rows of a page: half of Azure's maximum ("Query timeout and pagination"), since each listing parses a page at a time. */
const PAGE = 500;
/** Azure's maximum ("Performing entity group transactions"). */
const BATCH = 100;

/** A table row: partition key, row key and string properties. */
export interface Row {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly [property: string]: unknown;
}

/** Merges properties into a row. Without properties it deletes the row. */
export interface RowChange {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly properties?: Readonly<Record<string, string>>;
}

export type FleetTable = ReturnType<typeof rowsIn>;

/** A property that may be absent or empty: a merge keeps omitted properties, so absent fields are written as empty. */
export function createOptional<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => value || undefined, schema.optional());
}

/** Formats fields as properties: a date as ISO 8601, an object as JSON, an absent field as empty text. */
export function formatProperties(value: object, names = Object.keys(value)): Record<string, string> {
  const format = (field: unknown): string => {
    if (field instanceof Date) return field.toISOString();
    return typeof field === 'object' ? JSON.stringify(field) : String(field ?? '');
  };
  const fields = new Map<string, unknown>(Object.entries(value));
  return Object.fromEntries(names.map((name) => [name, format(fields.get(name))]));
}

/** Parses a row. @returns undefined for an invalid row, or if its keys contradict its properties */
export function parseRow<T>(row: Row, schema: z.ZodType<T>, keysOf: (value: T) => RowChange): T | undefined {
  const value = schema.safeParse(row).data;
  if (value === undefined) return undefined;
  const { partitionKey, rowKey } = keysOf(value);
  return partitionKey === row.partitionKey && rowKey === row.rowKey ? value : undefined;
}

type Owner = Pick<Settings, 'storage'>;

export function createFleetTable(settings: Owner, credential: () => TokenCredential): FleetTable {
  return rowsIn(() => openWorkTable(settings, credential, FLEET_TABLE));
}

export function createControlTable(settings: Owner, credential: () => TokenCredential): FleetTable {
  return rowsIn(() => openControlTable(settings, credential, CONTROL_TABLE));
}

/**
 * A table in the app's own storage. Every request has a deadline. Methods throw the SDK's errors, which
 * `describeFailure` describes. A missing table counts as empty, and the first write creates it.
 *
 * @param create called on first use, since a connection string may lack a table endpoint
 */
function rowsIn(create: () => TableClient) {
  let client: TableClient | undefined;
  const table = (): TableClient => {
    client ??= create();
    return client;
  };

  async function* pages(filter: string, select?: string[]): AsyncGenerator<Row[]> {
    const list = table().listEntities({ queryOptions: { filter, ...(select ? { select } : {}) } });
    try {
      for await (const page of list.byPage({ maxPageSize: PAGE })) yield page.map(asRow);
    } catch (error) {
      if (!isTableMissing(error)) throw error;
    }
  }

  return {
    /**
     * Lists the rows of a partition by row key, in pages.
     *
     * @param beginning prefix of the row keys
     * @param properties what to read of each row, beside its keys; absent: all, and the ETag
     */
    async *rows(partition: string, beginning?: string, properties?: readonly string[]): AsyncIterable<Row> {
      const filter = `PartitionKey eq '${partition}'${beginning ? ` and ${beginsWith(beginning)}` : ''}`;
      const select = properties && ['PartitionKey', 'RowKey', ...properties];
      let previous: Row | undefined;

      for await (const page of pages(filter, select)) {
        for (const row of page) {
          previous = shareValues(row, previous);
          yield previous;
        }
      }
    },
    async row(partition: string, name: string): Promise<Row | undefined> {
      const entity = await readUnlessMissing(() => table().getEntity(partition, name));
      return entity && asRow(entity);
    },
    /** Returns the first rows between two partition keys, exclusive, with only the property `key`, in one request. */
    async firstRows(after: string, before: string): Promise<readonly Row[]> {
      const filter = `PartitionKey gt '${after}' and PartitionKey lt '${before}'`;
      for await (const page of pages(filter, ['PartitionKey', 'RowKey', 'key'])) {
        if (page.length > 0) return page;
      }
      return [];
    },
    /** Writes in batches by partition, in no particular order. Idempotent. */
    async write(changes: readonly RowChange[]): Promise<void> {
      const all = batches(changes);
      await inTable(table, () => pMap(all, (batch) => writeBatch(table(), batch), { concurrency: CONCURRENCY }));
    },
    /**
     * Writes a row only if it has not changed since the caller read it.
     *
     * @param etag ETag of the row that the caller read; undefined to create the row
     * @returns whether it wrote the row
     */
    async writeIf({ partitionKey, rowKey, properties }: RowChange, etag: string | undefined): Promise<boolean> {
      const entity = { partitionKey, rowKey, ...properties };
      const write = (): Promise<unknown> => {
        if (etag === undefined) return table().createEntity(entity);
        if (properties) return table().updateEntity(entity, 'Merge', { etag });
        return table().deleteEntity(partitionKey, rowKey, { etag });
      };

      try {
        await inTable(table, write);
        return true;
      } catch (error) {
        const { kind } = describeFailure(error);
        if (kind === 'conflict' || kind === 'notFound') return false;
        throw error;
      }
    },
  };
}

/** Table Storage compares row keys character by character. */
function beginsWith(beginning: string): string {
  const end = beginning.slice(0, -1) + String.fromCharCode(beginning.charCodeAt(beginning.length - 1) + 1);
  return `RowKey ge '${beginning}' and RowKey lt '${end}'`;
}

function asRow(entity: { readonly partitionKey?: unknown; readonly rowKey?: unknown }): Row {
  return { ...entity, partitionKey: String(entity.partitionKey), rowKey: String(entity.rowKey) };
}

/** Uses the previous row's string for each equal value, so that a listing holds a repeated value once in memory. */
function shareValues(row: Row, previous: Row | undefined): Row {
  if (!previous) return row;

  const shared: Record<string, unknown> = { ...row };
  for (const [name, value] of Object.entries(row)) {
    if (value === previous[name]) shared[name] = previous[name];
  }

  return shared as Row;
}

/** Runs a write. If the table is missing, creates the table and runs the write again. */
async function inTable(table: () => TableClient, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isTableMissing(error)) throw error;
    // The SDK ignores the error if another instance created the table first.
    await table().createTable();
    await write();
  }
}

/** Groups changes into batches of one partition. Merges changes of the same row; the later change wins. */
function batches(changes: readonly RowChange[]): RowChange[][] {
  const rows = new Map<string, RowChange>();

  for (const change of changes) {
    // Table keys contain no slash.
    const name = `${change.partitionKey}/${change.rowKey}`;
    const properties = change.properties && { ...rows.get(name)?.properties, ...change.properties };
    rows.set(name, { ...change, ...(properties ? { properties } : {}) });
  }

  const partitions = Map.groupBy(rows.values(), ({ partitionKey }) => partitionKey);

  return [...partitions.values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / BATCH) }, (_, n) => all.slice(n * BATCH, (n + 1) * BATCH)),
  );
}

async function writeBatch(table: TableClient, batch: readonly RowChange[]): Promise<void> {
  const [only] = batch;
  if (batch.length === 1 && only) return writeOne(table, only);

  try {
    await table.submitTransaction(batch.map(toAction));
  } catch (error) {
    const { kind, status } = describeFailure(error);
    if (isTableMissing(error) || (kind !== 'notFound' && kind !== 'refused' && status !== 409)) throw error;

    // Azure rejects the whole transaction if a row is missing or the batch is too large.
    for (const change of batch) await writeOne(table, change);
  }
}

async function writeOne(table: TableClient, change: RowChange): Promise<void> {
  const { partitionKey, rowKey, properties } = change;
  try {
    if (!properties) await table.deleteEntity(partitionKey, rowKey);
    else await table.upsertEntity({ partitionKey, rowKey, ...properties }, 'Merge');
  } catch (error) {
    const missing = describeFailure(error).kind === 'notFound';
    if (!missing || isTableMissing(error) || properties) throw error;
  }
}

function toAction({ partitionKey, rowKey, properties }: RowChange): TransactionAction {
  if (!properties) return ['delete', { partitionKey, rowKey }];
  return ['upsert', { partitionKey, rowKey, ...properties }, 'Merge'];
}
