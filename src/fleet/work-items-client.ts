import { odata, type TableClient, type TransactionAction } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import pMap from 'p-map';
import { workTable } from '../azure/app-storage.ts';
import { describeFailure, isTableMissing } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import type { Settings } from '../settings/settings.ts';
import { encoded } from './fleet-keys.ts';
import { FLEET_TABLE } from './fleet-table-client.ts';
import {
  type NewWorkItem,
  toWorkItem,
  WORK,
  type WorkItem,
  type WorkItems,
  workProperties,
  workRow,
} from './work-items.ts';

/** The most that a transaction takes ("Performing entity group transactions"). */
const BATCH = 100;

/** Work items in Azure Table Storage, in the table of the fleet index. The client is made when it is first needed. */
export function createWorkItems(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): WorkItems {
  let client: TableClient | undefined;
  const table = (): TableClient => {
    client ??= workTable(settings, credential, FLEET_TABLE);
    return client;
  };
  async function* query(filter: string): AsyncGenerator<WorkItem> {
    try {
      for await (const { etag, ...entity } of table().listEntities({ queryOptions: { filter } })) {
        const { partitionKey = '', rowKey = '' } = entity;
        const item = toWorkItem({ ...entity, partitionKey, rowKey }, etag);
        if (item) yield item;
      }
    } catch (error) {
      if (!isTableMissing(error)) throw error;
    }
  }
  return {
    put: (items) => inTable(table, () => putAll(table(), items)),
    putNew: (items) => (items.length === 0 ? Promise.resolve([]) : inTable(table, () => putNew(table(), items))),
    async of(subscription) {
      const prefix = encoded(subscription);
      // `}` is the character after `|`.
      const range = odata`PartitionKey eq ${WORK} and RowKey ge ${`${prefix}|`} and RowKey lt ${`${prefix}}`}`;
      const items: WorkItem[] = [];
      for await (const item of query(range)) items.push(item);
      return items;
    },
    all: () => query(odata`PartitionKey eq ${WORK}`),
    postpone: (item, postponement) =>
      ifUnchanged(() =>
        table().updateEntity(toEntity({ ...item, reason: undefined, ...postponement }), 'Replace', { etag: item.etag }),
      ),
    finish: (item) => ifUnchanged(() => table().deleteEntity(WORK, workRow(item), { etag: item.etag })),
  };
}

type Unset<T> = { readonly [K in keyof T]: T[K] | undefined };

function toEntity(item: NewWorkItem | (Unset<Pick<NewWorkItem, 'reason'>> & Omit<NewWorkItem, 'reason'>)) {
  const { reason, ...rest } = item;
  return {
    partitionKey: WORK,
    rowKey: workRow(item),
    ...workProperties({ ...rest, ...(reason ? { reason } : {}) }),
  };
}

/** Azure rejects a transaction that names a row twice, so that only the later change is sent. */
function batchesOf(items: readonly NewWorkItem[]): NewWorkItem[][] {
  const rows = [...new Map(items.map((item) => [workRow(item), item])).values()];
  return Array.from({ length: Math.ceil(rows.length / BATCH) }, (_, n) => rows.slice(n * BATCH, (n + 1) * BATCH));
}

async function putAll(table: TableClient, items: readonly NewWorkItem[]): Promise<void> {
  const upsert = (item: NewWorkItem): TransactionAction => ['upsert', toEntity(item), 'Replace'];
  await pMap(batchesOf(items), (batch) => table.submitTransaction(batch.map(upsert)), { concurrency: CONCURRENCY });
}

/** Most items exist already where a key with many subscriptions is decided on again: what exists is read first. */
async function putNew(table: TableClient, items: readonly NewWorkItem[]): Promise<NewWorkItem[]> {
  const existing = items.length > 1 ? await rowsOfWork(table) : new Set();
  const created = await pMap(
    batchesOf(items.filter((item) => !existing.has(workRow(item)))),
    async (batch): Promise<NewWorkItem[]> => {
      try {
        await table.submitTransaction(batch.map((item): TransactionAction => ['create', toEntity(item)]));
        return batch;
      } catch (error) {
        if (describeFailure(error).kind !== 'conflict') throw error;
        // A transaction fails as a whole where one of its rows was put meanwhile.
        return batch.length > 1
          ? (await pMap(batch, (item) => putNew(table, [item]), { concurrency: CONCURRENCY })).flat()
          : [];
      }
    },
    { concurrency: CONCURRENCY },
  );
  return created.flat();
}

async function rowsOfWork(table: TableClient): Promise<ReadonlySet<unknown>> {
  const rows = new Set<unknown>();
  const queryOptions = { filter: odata`PartitionKey eq ${WORK}`, select: ['RowKey'] };
  for await (const { rowKey } of table.listEntities({ queryOptions })) rows.add(rowKey);
  return rows;
}

/** Runs a write, and again after creating the table where it did not exist. */
async function inTable<T>(table: () => TableClient, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isTableMissing(error)) throw error;
    await table().createTable();
    return write();
  }
}

async function ifUnchanged(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    const { kind } = describeFailure(error);
    if (kind === 'conflict' || kind === 'notFound') return false;
    throw error;
  }
}
