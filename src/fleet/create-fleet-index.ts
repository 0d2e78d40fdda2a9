import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { FleetChange, FleetIndex } from './fleet-index.ts';
import { accountRow, keyPartition, subscriptionPartition } from './fleet-keys.ts';
import { type FleetTable, LISTINGS, type Row, toFleetAccount, toListing, toRowChange, toUse } from './fleet-rows.ts';

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
    uses: (key, corrupt) => readRows(table, keyPartition(key), toUse, corrupt),
    accounts: (subscriptionId) => readRows(table, subscriptionPartition(subscriptionId), toFleetAccount),
    async account(id) {
      const account = parseStorageAccountId(id);
      const row = account && (await table.row(subscriptionPartition(account.subscriptionId), accountRow(id)));
      return row && toFleetAccount(row);
    },
    async write(changes) {
      // Rows of accounts come after those of their uses, so that a writer that dies in between writes the uses again.
      const isLast = (change: FleetChange): boolean =>
        'drop' in change ? change.drop !== 'use' : change.put === 'account';
      for (const part of [changes.filter((change) => !isLast(change)), changes.filter(isLast)]) {
        if (part.length > 0) await table.write(part.map(toRowChange));
      }
    },
  };
}

/** The rows of a partition that can be parsed. @param corrupt called with the row key of each that cannot */
async function* readRows<T>(
  table: FleetTable,
  partition: string,
  read: (row: Row) => T | undefined,
  corrupt: (row: string) => void = () => {},
): AsyncGenerator<T> {
  for await (const row of table.rows(partition)) {
    const one = read(row);
    if (one === undefined) corrupt(row.rowKey);
    else yield one;
  }
}
