import type { TableClient, TransactionAction } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import pMap from 'p-map';
import { workTable } from '../azure/app-storage.ts';
import { describeFailure, isTableMissing, unlessMissing } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import type { Settings } from '../settings/settings.ts';
import type { FleetTable, Row, RowChange } from './fleet-rows.ts';

/** Table of the fleet index in the app's own storage. */
export const FLEET_TABLE = 'cmkfleet';

/** The most that a page, and a transaction, take ("Query timeout and pagination", "Performing entity group transactions"). */
const PAGE = 1_000;
const BATCH = 100;

/** Rows in Azure Table Storage. The client is created on first use, since a connection string may lack a table endpoint. */
export function createFleetTable(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  name = FLEET_TABLE,
): FleetTable {
  let client: TableClient | undefined;
  const table = (): TableClient => {
    client ??= workTable(settings, credential, name);
    return client;
  };
  return {
    async *rows(partition, beginning) {
      const filter = `PartitionKey eq '${partition}'${beginning ? ` and ${beginsWith(beginning)}` : ''}`;
      try {
        for await (const page of table().listEntities({ queryOptions: { filter } }).byPage({ maxPageSize: PAGE })) {
          for (const entity of page) yield asRow(entity);
        }
      } catch (error) {
        if (!isTableMissing(error)) throw error;
      }
    },
    async row(partition, name) {
      const entity = await unlessMissing(() => table().getEntity(partition, name));
      return entity && asRow(entity);
    },
    async firstRows(after, before) {
      const filter = `PartitionKey gt '${after}' and PartitionKey lt '${before}'`;
      const list = table().listEntities({ queryOptions: { filter, select: ['PartitionKey', 'RowKey', 'key'] } });
      try {
        for await (const page of list.byPage({ maxPageSize: PAGE })) if (page.length > 0) return page.map(asRow);
        return [];
      } catch (error) {
        if (!isTableMissing(error)) throw error;
        return [];
      }
    },
    write: (changes) => writeRows(table(), changes),
  };
}

/** Row keys are compared character by character. */
function beginsWith(beginning: string): string {
  const end = beginning.slice(0, -1) + String.fromCharCode(beginning.charCodeAt(beginning.length - 1) + 1);
  return `RowKey ge '${beginning}' and RowKey lt '${end}'`;
}

function asRow(entity: { readonly partitionKey?: unknown; readonly rowKey?: unknown }): Row {
  return { ...entity, partitionKey: String(entity.partitionKey), rowKey: String(entity.rowKey) };
}

async function writeRows(table: TableClient, changes: readonly RowChange[]): Promise<void> {
  const writing = (): Promise<unknown> =>
    pMap(batches(changes), (batch) => writeBatch(table, batch), { concurrency: CONCURRENCY });
  try {
    await writing();
  } catch (error) {
    if (!isTableMissing(error)) throw error;
    // The SDK ignores that another instance has created it meanwhile.
    await table.createTable();
    await writing();
  }
}

/** Batches of one partition each; changes of the same row are merged, the later wins. */
function batches(changes: readonly RowChange[]): RowChange[][] {
  const partitions = new Map<string, Map<string, RowChange>>();
  for (const change of changes) {
    const rows = partitions.get(change.partitionKey) ?? new Map<string, RowChange>();
    partitions.set(change.partitionKey, rows);
    const before = rows.get(change.rowKey);
    const properties = change.properties && { ...before?.properties, ...change.properties };
    rows.set(change.rowKey, { ...change, ...(properties ? { properties } : {}) });
  }
  return [...partitions.values()].flatMap((rows) => {
    const all = [...rows.values()];
    return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, n) => all.slice(n * BATCH, (n + 1) * BATCH));
  });
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
