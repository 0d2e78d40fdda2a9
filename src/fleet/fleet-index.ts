import { z } from 'zod';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { parseJson } from '../text.ts';
import { accountId, accountRow, keyPartition, subscriptionPartition } from './fleet-keys.ts';
import type { FleetTable, Row, RowChange } from './fleet-table-client.ts';

/** An account in the index, with any kind of key. */
export interface FleetAccount {
  /** ARM id. */
  readonly account: string;
  readonly location: string;
  /** Key that the account itself uses: an identifier without a version. */
  readonly key?: string;
  /** All tags, or only the app's own if all are too long. Absent in rows of earlier versions. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Keys that its encryption scopes use. */
  readonly scopeKeys: readonly string[];
  /** When a worker last listed its encryption scopes (ISO 8601); absent before the first list. */
  readonly scopesReadOn?: string;
  /** When a worker last wrote the row (ISO 8601). Workers write an unchanged account once a day. */
  readonly writtenOn: string;
}

/** A change to an account's row. Absent fields remain unchanged; `key` is empty if the account uses none. */
export type AccountChange = Pick<FleetAccount, 'account'> & (Partial<FleetAccount> | { readonly isGone: true });

/**
 * The accounts of the fleet. With the use rows ({@link UseRows}) the account rows form the fleet index, a table in the
 * app's storage. The index is a cache: each PATCH follows a fresh read, so a wrong or missing row costs only time.
 * Reads skip a row that fails to parse. Methods throw the SDK's errors.
 */
export interface FleetIndex {
  /** Returns when a worker last listed each subscription completely, by subscription id. */
  listings(): Promise<ReadonlyMap<string, Date>>;
  listed(subscriptionId: string, on: Date): Promise<void>;
  /** Returns every account of a subscription, except accounts that a list showed as deleted. */
  accounts(subscriptionId: string): AsyncIterable<FleetAccount>;
  account(id: string): Promise<FleetAccount | undefined>;
  write(changes: readonly AccountChange[]): Promise<void>;
}

export const LISTINGS = 'listings';

export function createFleetIndex(table: FleetTable): FleetIndex {
  return {
    async listings() {
      const listings = new Map<string, Date>();
      for await (const { rowKey, listedOn } of table.rows(LISTINGS)) {
        const on = iso.safeParse(listedOn).data;
        if (on !== undefined) listings.set(rowKey, new Date(on));
      }
      return listings;
    },
    listed(subscriptionId, on) {
      const properties = { listedOn: on.toISOString() };
      return table.write([{ partitionKey: LISTINGS, rowKey: subscriptionId.toLowerCase(), properties }]);
    },
    async *accounts(subscriptionId) {
      for await (const row of table.rows(subscriptionPartition(subscriptionId))) {
        const account = toFleetAccount(row);
        if (account) yield account;
      }
    },
    async account(id) {
      const account = parseStorageAccountId(id);
      const row = account && (await table.row(subscriptionPartition(account.subscriptionId), accountRow(id)));
      return row && toFleetAccount(row);
    },
    write: (changes) => table.write(changes.map(toRowChange)),
  };
}

/** Azure limits a property to 32,768 characters; an account's 50 tags may exceed that. */
const MOST = 30_000;

function toRowChange(change: AccountChange): RowChange {
  const { subscriptionId } = accountId(change.account);
  const keys = { partitionKey: subscriptionPartition(subscriptionId), rowKey: accountRow(change.account) };
  if ('isGone' in change) return keys;
  const { tags, scopeKeys, ...texts } = change;
  const properties = {
    ...texts,
    ...(tags ? { tags: formatTags(tags) } : {}),
    ...(scopeKeys ? { scopeKeys: JSON.stringify(scopeKeys) } : {}),
  };
  return { ...keys, properties };
}

/** Formats all tags, or only the app's own if all are too long. */
function formatTags(tags: Readonly<Record<string, string>>): string {
  const all = JSON.stringify(tags);
  if (all.length <= MOST) return all;
  return JSON.stringify(Object.fromEntries(Object.entries(tags).filter(([name]) => /^cmk-/i.test(name))));
}

const text = z.string().max(32_768);
const iso = z.iso.datetime();
const ACCOUNT = z.object({
  account: text,
  location: z.string().max(60),
  key: text,
  writtenOn: iso,
  tags: text.catch(''),
  scopeKeys: text.catch(''),
  scopesReadOn: iso.optional().catch(undefined),
});
const TAGS = z.record(z.string(), z.string());

export function toFleetAccount(row: Row): FleetAccount | undefined {
  const read = ACCOUNT.safeParse(row).data;
  const id = read && parseStorageAccountId(read.account);
  if (!read || !id || accountRow(id.id) !== row.rowKey) return undefined;
  if (subscriptionPartition(id.subscriptionId) !== row.partitionKey) return undefined;
  const { account, location, writtenOn, key, scopesReadOn } = read;
  // Invalid tags count as absent: the next write of the account stores them again.
  const tags = TAGS.safeParse(parseJson(read.tags)).data;
  const scopeKeys = z.array(z.string()).safeParse(parseJson(read.scopeKeys)).data ?? oldScopeKeys(row);
  return {
    ...{ account, location, writtenOn, scopeKeys: scopeKeys?.filter((id) => parseKeyIdentifier(id)) ?? [] },
    ...(parseKeyIdentifier(key) ? { key } : {}),
    ...(tags ? { tags } : {}),
    // Scopes without keys count as never listed, so a worker lists them again.
    ...(scopesReadOn && scopeKeys ? { scopesReadOn } : {}),
  };
}

/** Reads a row of an earlier version, which stores each scope and its key in `scopeUses`, `scopeUses1` … */
function oldScopeKeys(row: Row): readonly string[] | undefined {
  if (row.chunks === undefined) return undefined;
  const text = Array.from({ length: Number(row.chunks) || 1 }, (_, n) => row[`scopeUses${n || ''}`]).join('');
  return [...new Set(text.match(/https:[^"]+/g))];
}

/** Returns the keys of the account itself and of its encryption scopes. */
export function keysOfAccount({ key, scopeKeys }: FleetAccount): readonly string[] {
  return [...(key ? [key] : []), ...scopeKeys];
}

/** Keys with uses in the fleet index. Methods throw the SDK's errors. */
export interface KnownKeys {
  /** Returns a vault's key identifiers, sorted by name. @param most maximum number of keys */
  ofVault(vaultUri: string, most: number): Promise<string[]>;
}

export function createKnownKeys(table: Pick<FleetTable, 'firstRows'>): KnownKeys {
  return {
    async ofVault(vaultUri, most) {
      const first = keyPartition(`${vaultUri}/keys/-`).slice(0, -1);
      // `~` sorts after every character that key names allow.
      const behind = `${first}~`;
      const keys = new Map<string, string>();
      for (let after = first; keys.size < most; ) {
        const rows = await table.firstRows(after, behind);
        for (const { partitionKey, key } of rows) {
          const parsed = typeof key === 'string' ? parseKeyIdentifier(key) : undefined;
          if (parsed && !keys.has(partitionKey)) keys.set(partitionKey, formatKeyIdentifier(parsed));
        }
        const last = rows.at(-1)?.partitionKey;
        if (last === undefined) break;
        after = last;
      }
      return [...keys.values()].slice(0, most);
    },
  };
}
