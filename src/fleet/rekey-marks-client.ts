import type { TableClient, TransactionAction } from '@azure/data-tables';
import { z } from 'zod';
import { describeFailure } from '../azure/failure.ts';
import { accountRow } from './fleet-keys.ts';
import type { RekeyList, RekeyMarks } from './rekey-marks.ts';

const LISTED = z.object({ account: z.string(), on: z.iso.datetime(), refused: z.boolean().optional() });
const SENT = z.object({ account: z.string(), tick: z.int() });
/** Rows of one transaction ("Performing entity group transactions"). */
const MOST_TOGETHER = 100;

/** What was noted of lists of encryption scopes. */
export function listsOf(table: () => TableClient): Pick<RekeyMarks, 'listed' | 'noteListed'> {
  return {
    async listed(id) {
      const lists = new Map<string, RekeyList>();
      for await (const row of rekeyRows(table(), `PartitionKey eq '${listedPartition(id)}'`)) {
        // One that cannot be read is of an account that is listed again.
        const { data } = LISTED.safeParse(row);
        if (!data) continue;
        const { account, on, refused } = data;
        lists.set(account.toLowerCase(), refused ? { on, refused } : { on });
      }
      return lists;
    },
    noteListed: (id, accounts) => writeAll(table(), listedPartition(id), accounts),
  };
}

/** What was noted of accounts that were sent. */
export function sentOf(table: () => TableClient): Pick<RekeyMarks, 'sent' | 'noteSent' | 'noteSeen'> {
  return {
    async sent(id) {
      const sent = new Map<string, number>();
      for await (const row of rekeyRows(table(), `PartitionKey eq '${sentPartition(id)}'`)) {
        // One that cannot be read is of an account that is not waited for.
        const { data } = SENT.safeParse(row);
        if (data) sent.set(data.account.toLowerCase(), data.tick);
      }
      return sent;
    },
    noteSent: (id, accounts, tick) =>
      writeAll(table(), sentPartition(id), new Map(accounts.map((account) => [account, { tick }]))),
    async noteSeen(id, account) {
      try {
        await table().deleteEntity(sentPartition(id), accountRow(account));
      } catch (error) {
        if (describeFailure(error).kind !== 'notFound') throw error;
      }
    },
  };
}

async function writeAll(
  table: TableClient,
  partitionKey: string,
  accounts: ReadonlyMap<string, object>,
): Promise<void> {
  // By row: one that was moved to another resource group may be known in both, and a transaction takes no row twice.
  const rows = new Map<string, TransactionAction>();
  for (const [account, row] of accounts) {
    const rowKey = accountRow(account);
    rows.set(rowKey, ['upsert', { partitionKey, rowKey, account, ...row }, 'Replace']);
  }
  const left = [...rows.values()];
  while (left.length > 0) await table.submitTransaction(left.splice(0, MOST_TOGETHER));
}

function listedPartition(id: string): string {
  return `listed|${id}`;
}

function sentPartition(id: string): string {
  return `sent|${id}`;
}

/** The rows of the table of re-keys that a filter names; none where nothing was ever ordered. Errors are the SDK's. */
export async function* rekeyRows(table: TableClient, filter: string): AsyncGenerator<object> {
  try {
    for await (const page of table.listEntities({ queryOptions: { filter } }).byPage({ maxPageSize: 1_000 })) {
      yield* page;
    }
  } catch (error) {
    if (describeFailure(error).kind !== 'notFound') throw error;
  }
}
