import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { FleetChange, FleetIndex } from './fleet-index.ts';
import { accountRow, keyPartition, scopeRows, subscriptionPartition } from './fleet-keys.ts';
import {
  type FleetTable,
  LISTINGS,
  type Row,
  type RowChange,
  toFleetAccount,
  toListing,
  toRowChange,
  toUse,
} from './fleet-rows.ts';

/** The index over the rows of a table. */
export function createFleetIndex(table: FleetTable): FleetIndex {
  return {
    async listings() {
      const listings = new Map<string, Date>();
      for await (const [id, on] of readRows(table, LISTINGS, toListing)) listings.set(id, on);
      return listings;
    },
    listed(subscriptionId, on) {
      const properties = { listedOn: on.toISOString() };
      return table.write([{ partitionKey: LISTINGS, rowKey: subscriptionId.toLowerCase(), properties }]);
    },
    uses: (key, corrupt = NOBODY) => readRows(table, keyPartition(key), toUse, corrupt),
    scopeUses: (key, account) => readRows(table, keyPartition(key), toUse, NOBODY, scopeRows(account)),
    accounts: (subscriptionId) => readRows(table, subscriptionPartition(subscriptionId), toFleetAccount),
    async account(id) {
      const account = parseStorageAccountId(id);
      const row = account && (await table.row(subscriptionPartition(account.subscriptionId), accountRow(id)));
      return row && toFleetAccount(row);
    },
    async write(changes) {
      // What says that uses are known, or need not be asked for, comes after them: who is broken off writes them again.
      const isLast = (change: FleetChange): boolean =>
        'drop' in change ? change.drop !== 'use' : change.put === 'account' || change.put === 'scopes';
      for (const part of [changes.filter((change) => !isLast(change)), changes.filter(isLast)]) {
        if (part.length > 0) await table.write(part.map(toRowChange));
      }
    },
  };
}

/** Whoever is not told of a row that cannot be read leaves it to whoever is: it may have been anybody's. */
const NOBODY = (): void => {};

/** The rows of a partition that are what they should be; the others are taken away. */
async function* readRows<T>(
  table: FleetTable,
  partition: string,
  read: (row: Row) => T | undefined,
  corrupt: (row: string) => void = () => {},
  beginning?: string,
): AsyncGenerator<T> {
  const rubbish: RowChange[] = [];
  for await (const row of table.rows(partition, beginning)) {
    const one = read(row);
    if (one !== undefined) yield one;
    else {
      // Its keys alone: what is in it may be a megabyte.
      rubbish.push({ partitionKey: row.partitionKey, rowKey: row.rowKey });
      corrupt(row.rowKey);
    }
  }
  if (rubbish.length > 0 && corrupt !== NOBODY) await table.write(rubbish).catch(() => {});
}
