import type { TableClient, TransactionAction } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { controlTable } from '../azure/app-storage.ts';
import { describeFailure } from '../azure/failure.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import { accountRow, keyPartition } from './fleet-keys.ts';
import { listsOf, rekeyRows, sentOf } from './rekey-marks-client.ts';
import {
  type KeyHolder,
  REKEY_ORDER,
  type RekeyData,
  type RekeyOrder,
  type RekeyStore,
  type RekeySubject,
} from './rekey-order.ts';

/** Table of re-keys in the app's own storage. */
export const REKEY_TABLE = 'cmkrekeys';

const ORDERS = 'order';
/** Rows of the same partition, since a transaction is about one: who has a key, by `key|<host>|<name>`. No id is like it. */
const ORDERS_ALONE = `PartitionKey eq '${ORDERS}' and (RowKey lt 'key|' or RowKey ge 'key}')`;
/** What is said of a failure; Table Storage holds 32,768 characters. */
const MOST_DETAIL = 1_000;

const SUBJECT = z.object({
  account: z.string(),
  scope: z.string(),
  location: z.string(),
  state: z.enum(['none', 'begun', 'moved', 'back', 'left', 'gone']),
  at: z.iso.datetime(),
});
const FAILURE = z.object({
  failure: z.string().refine((code): code is Reason => Object.hasOwn(REASONS, code)),
  detail: z.string(),
  failedOn: z.iso.datetime(),
  triedSince: z.iso.datetime(),
});

const HOLDER = z
  .object({ holder: z.string(), etag: z.string() })
  .transform(({ holder, etag }) => ({ order: holder, etag }));

/** Re-keys in Azure Table Storage. The table is made by the first order; before that there is none. */
export function createRekeyStore(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): RekeyStore {
  let client: TableClient | undefined;
  const table = (): TableClient => {
    client ??= controlTable(settings, credential, REKEY_TABLE);
    return client;
  };
  return {
    async orders() {
      const orders: RekeyOrder[] = [];
      for await (const row of rekeyRows(table(), ORDERS_ALONE)) orders.push(toOrder(row));
      return orders;
    },
    async order(id) {
      // The id may be anybody's, and becomes part of an address.
      if (!/^[\w-]{1,64}$/.test(id)) return undefined;
      const row = await unlessNotFound(() => table().getEntity(ORDERS, id));
      return row && toOrder(row);
    },
    async holders(keys) {
      return Promise.all(
        keys.map(async (key): Promise<KeyHolder> => {
          const row = await unlessNotFound(() => table().getEntity(ORDERS, keyPartition(key)));
          return row ? { key, last: HOLDER.parse(row) } : { key };
        }),
      );
    },
    async stand({ etag, ...order }, holders) {
      try {
        const answer = await made(table(), () => table().submitTransaction(standing(order, etag, holders)));
        const written = answer.subResponses[0]?.etag;
        if (!written) throw new TypeError('Table Storage did not say which state of the re-key it has written.');
        return { ...order, etag: written };
      } catch (error) {
        if (describeFailure(error).kind === 'conflict') return undefined;
        throw error;
      }
    },
    async replace({ etag, ...order }) {
      try {
        const answer = await table().updateEntity(rowOf(order), 'Replace', { etag });
        return { ...order, etag: answer.etag ?? '' };
      } catch (error) {
        if (describeFailure(error).status === 412) return undefined;
        throw error;
      }
    },
    async *subjects(id) {
      for await (const row of rekeyRows(table(), `PartitionKey eq '${partitionOf(id)}'`)) yield toSubject(row);
    },
    async subjectsOf(id, account) {
      const row = accountRow(account);
      const ofAccount = `(RowKey eq '${row}' or (RowKey ge '${row}|' and RowKey lt '${row}}'))`;
      const subjects: RekeySubject[] = [];
      for await (const found of rekeyRows(table(), `PartitionKey eq '${partitionOf(id)}' and ${ofAccount}`)) {
        subjects.push(toSubject(found));
      }
      return subjects;
    },
    async put(id, { account, scope, location, state, at, failure }) {
      const keys = { partitionKey: partitionOf(id), rowKey: accountRow(account, scope) };
      const failed = failure
        ? {
            failure: failure.reason,
            detail: failure.detail.slice(0, MOST_DETAIL),
            failedOn: failure.at,
            triedSince: failure.since,
          }
        : {};
      await table().upsertEntity({ ...keys, account, scope: scope ?? '', location, state, at, ...failed }, 'Replace');
    },
    ...listsOf(table),
    ...sentOf(table),
  };
}

function rowOf(order: RekeyData) {
  return { partitionKey: ORDERS, rowKey: order.id, order: JSON.stringify(order) };
}

/** The order, and that it has its keys. */
function standing(order: RekeyData, etag: string | undefined, holders: readonly KeyHolder[]): TransactionAction[] {
  const write = (row: { partitionKey: string; rowKey: string }, read: string | undefined): TransactionAction =>
    read === undefined ? ['create', row] : ['update', row, 'Replace', { etag: read }];
  const held = holders.map(({ key, last }) =>
    write({ ...{ partitionKey: ORDERS, rowKey: keyPartition(key) }, ...{ holder: order.id } }, last?.etag),
  );
  return [write(rowOf(order), etag), ...held];
}

/** The table is made by the first order. */
async function made<T>(table: TableClient, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (describeFailure(error).kind !== 'notFound') throw error;
    await table.createTable();
    return write();
  }
}

function partitionOf(id: string): string {
  return `subject|${id}`;
}

async function unlessNotFound<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (describeFailure(error).kind === 'notFound') return undefined;
    throw error;
  }
}

/** @throws {@link CmkError} `RekeysUnreadable` where somebody has written into it by hand: nothing is guessed about who is moved */
function toOrder(row: object): RekeyOrder {
  return reading(row, () => {
    const { order, etag } = z.object({ order: z.string(), etag: z.string() }).parse(row);
    const data: RekeyData = REKEY_ORDER.parse(JSON.parse(order));
    return { ...data, etag };
  });
}

/** Says which row it is that cannot be read. */
function reading<T>(row: { readonly partitionKey?: unknown; readonly rowKey?: unknown }, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const where = `row ${row.rowKey} of partition ${row.partitionKey} in the table ${REKEY_TABLE}`;
    const message = `${REASONS.RekeysUnreadable} By ${where}: it is damaged, or none of the app's.`;
    throw new CmkError('RekeysUnreadable', message, 'Mend that row, or take it away.', { cause: error });
  }
}

/** @throws likewise */
function toSubject(row: object): RekeySubject {
  const { scope, ...rest } = reading(row, () => {
    const read = SUBJECT.parse(row);
    if (!parseStorageAccountId(read.account))
      throw new TypeError(`${read.account} is not the ARM id of a storage account.`);
    return read;
  });
  const failed = FAILURE.safeParse(row).data;
  return {
    ...rest,
    ...(scope ? { scope } : {}),
    ...(failed
      ? { failure: { reason: failed.failure, detail: failed.detail, at: failed.failedOn, since: failed.triedSince } }
      : {}),
  };
}
