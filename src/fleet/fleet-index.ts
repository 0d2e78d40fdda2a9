import { z } from 'zod';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { parseJson } from '../text.ts';
import { ACCOUNT_ID, accountId, accountRow, KEY_ID, keyPartition, subscriptionPartition } from './fleet-keys.ts';
import {
  type FleetTable,
  formatProperties,
  optional,
  parseRow,
  type Row,
  type RowChange,
} from './fleet-table-client.ts';

const text = z.string().max(32_768);
const time = z.iso.datetime();
const json = text.transform(parseJson);
const ACCOUNT = z.object({
  account: ACCOUNT_ID,
  location: z.string().max(60),
  /** Key that the account itself uses: an identifier without a version. */
  key: optional(KEY_ID).catch(undefined),
  /** All tags, or only the app's own if all are too long. Absent in rows of earlier versions. */
  tags: optional(json.pipe(z.record(z.string(), z.string()).readonly())).catch(undefined),
  /** Keys that its encryption scopes use; absent in rows of earlier versions. */
  scopeKeys: optional(json.pipe(z.array(KEY_ID).readonly())).catch(undefined),
  /** When a worker last listed its encryption scopes (ISO 8601); absent before the first list. */
  scopesReadOn: optional(time).catch(undefined),
  /** When a worker last wrote the row (ISO 8601). */
  writtenOn: time,
});
// Scopes without keys count as never listed, so a worker lists them again.
const FLEET_ACCOUNT = ACCOUNT.transform(({ scopeKeys, scopesReadOn, ...account }) => ({
  ...account,
  scopeKeys: scopeKeys ?? [],
  scopesReadOn: scopeKeys && scopesReadOn,
}));
/** An account in the index, with any kind of key. */
export type FleetAccount = Omit<Readonly<z.output<typeof FLEET_ACCOUNT>>, 'scopesReadOn'> & {
  readonly scopesReadOn?: string | undefined;
};

/** A change to an account's row. Absent fields remain unchanged; `key` is empty if the account uses none. */
export type AccountChange = Pick<FleetAccount, 'account'> & (Partial<FleetAccount> | { readonly isGone: true });

export type FleetIndex = ReturnType<typeof createFleetIndex>;

export const LISTINGS = 'listings';

/**
 * The accounts of the fleet. With the use rows ({@link UseRows}) the account rows form the fleet index, a table in the
 * app's storage. The index is a cache: each PATCH follows a fresh read, so a wrong or missing row costs only time.
 * Reads skip a row that fails to parse. Methods throw the SDK's errors.
 */
export function createFleetIndex(table: FleetTable) {
  return {
    /** Returns when a worker last listed each subscription completely, by subscription id. */
    async listings(): Promise<ReadonlyMap<string, Date>> {
      const listings = new Map<string, Date>();
      for await (const { rowKey, listedOn } of table.rows(LISTINGS)) {
        const on = time.safeParse(listedOn).data;
        if (on !== undefined) listings.set(rowKey, new Date(on));
      }
      return listings;
    },
    listed(subscriptionId: string, on: Date) {
      const properties = { listedOn: on.toISOString() };
      return table.write([{ partitionKey: LISTINGS, rowKey: subscriptionId.toLowerCase(), properties }]);
    },
    /** Returns every account of a subscription, except accounts that a list showed as deleted. */
    async *accounts(subscriptionId: string): AsyncIterable<FleetAccount> {
      for await (const row of table.rows(subscriptionPartition(subscriptionId))) {
        const account = toFleetAccount(row);
        if (account) yield account;
      }
    },
    async account(id: string): Promise<FleetAccount | undefined> {
      const account = parseStorageAccountId(id);
      const row = account && (await table.row(subscriptionPartition(account.subscriptionId), accountRow(id)));
      return row && toFleetAccount(row);
    },
    write: (changes: readonly AccountChange[]) => table.write(changes.map(toRowChange)),
  };
}

/** Azure limits a property to 32,768 characters; an account's 50 tags may exceed that. */
const MOST = 30_000;

function keysOf({ account }: Pick<FleetAccount, 'account'>): RowChange {
  const { subscriptionId } = accountId(account);
  return { partitionKey: subscriptionPartition(subscriptionId), rowKey: accountRow(account) };
}

function toRowChange(change: AccountChange): RowChange {
  if ('isGone' in change) return keysOf(change);
  const { tags, ...rest } = change;
  return { ...keysOf(change), properties: formatProperties(tags ? { ...rest, tags: shortTags(tags) } : rest) };
}

/** Returns all tags, or only the app's own if all are too long. */
function shortTags(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (JSON.stringify(tags).length <= MOST) return tags;
  return Object.fromEntries(Object.entries(tags).filter(([name]) => /^cmk-/i.test(name)));
}

export function toFleetAccount(row: Row): FleetAccount | undefined {
  return parseRow(row, FLEET_ACCOUNT, keysOf);
}

export function keysOfAccount({ key, scopeKeys }: FleetAccount): readonly string[] {
  return [...(key ? [key] : []), ...scopeKeys];
}

export type KnownKeys = ReturnType<typeof createKnownKeys>;

/** Keys with uses in the fleet index. Methods throw the SDK's errors. */
export function createKnownKeys(table: Pick<FleetTable, 'firstRows'>) {
  return {
    /** Returns a vault's key identifiers, sorted by name. @param most maximum number of keys */
    async ofVault(vaultUri: string, most: number): Promise<string[]> {
      const first = keyPartition(`${vaultUri}/keys/-`).slice(0, -1);
      // `~` sorts after every character that key names allow.
      const behind = `${first}~`;
      const keys = new Map<string, string>();
      for (let after = first; keys.size < most; ) {
        const rows = await table.firstRows(after, behind);
        for (const { partitionKey, key } of rows) {
          const { data } = KEY_ID.safeParse(key);
          if (data && !keys.has(partitionKey)) keys.set(partitionKey, data);
        }
        const last = rows.at(-1)?.partitionKey;
        if (last === undefined) break;
        after = last;
      }
      return [...keys.values()].slice(0, most);
    },
  };
}

/** Longest state of a key, in characters: two versions and a word. */
const MOST_STATE = 200;
const SEEN = z.object({ key: KEY_ID, state: z.string() });
const seenRow = ({ key }: { readonly key: string }) => ({ partitionKey: 'seen', rowKey: keyPartition(key) });

/**
 * Last observed states of Managed HSM keys, by key identifier in lower case. A missing or wrong state costs only an
 * extra read. Methods throw the SDK's errors.
 */
export function createSeenKeys(table: Pick<FleetTable, 'rows' | 'write'>) {
  return {
    async all(): Promise<ReadonlyMap<string, string>> {
      const seen = new Map<string, string>();
      for await (const row of table.rows('seen')) {
        const read = parseRow(row, SEEN, seenRow);
        if (read) seen.set(read.key.toLowerCase(), read.state);
      }
      return seen;
    },
    put: (key: string, state: string) =>
      table.write([{ ...seenRow({ key }), properties: { key, state: state.slice(0, MOST_STATE) } }]),
  };
}
