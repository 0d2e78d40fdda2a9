import { z } from 'zod';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { parseJson } from '../text.ts';
import { accountId, accountRow, keyPartition, subscriptionPartition } from './fleet-keys.ts';
import type { FleetTable, Row, RowChange } from './fleet-table-client.ts';

/** An account in the index, whatever key it uses. */
export interface FleetAccount {
  /** ARM id. */
  readonly account: string;
  readonly location: string;
  /** Key that the account itself uses: identifier without a version. */
  readonly key?: string;
  /** Its tags; those of the app alone where all of them are too long. Absent: written before they were kept. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Keys that its encryption scopes use. */
  readonly scopeKeys: readonly string[];
  /** When its encryption scopes were last listed (ISO 8601); absent: never. */
  readonly scopesReadOn?: string;
  /** When the account was last written (ISO 8601). An unchanged account is written once a day. */
  readonly writtenOn: string;
}

/** What changes of an account's row: absent fields stay as they are, and `key` is empty where the account uses none. */
export type AccountChange = Pick<FleetAccount, 'account'> & (Partial<FleetAccount> | { readonly isGone: true });

/**
 * The accounts of the fleet: together with the rows of their uses ({@link UseRows}) the fleet index, a table in the app's own
 * storage. It is a cache: a PATCH is decided from a fresh read, and a wrong or missing row costs only time. A row that cannot be
 * parsed is skipped. Errors are the SDK's.
 */
export interface FleetIndex {
  /** When each subscription was last listed completely, by its id. */
  listings(): Promise<ReadonlyMap<string, Date>>;
  listed(subscriptionId: string, on: Date): Promise<void>;
  /** Every account of a subscription that is not known to be deleted. */
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

/** A property holds 32,768 characters, of which an account's 50 tags may need more. */
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

/** Where all tags are too long, only the app's own. */
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
  // Unreadable tags count as absent: the next write of the account stores them again.
  const tags = TAGS.safeParse(parseJson(read.tags)).data;
  const scopeKeys = z.array(z.string()).safeParse(parseJson(read.scopeKeys)).data ?? oldScopeKeys(row);
  return {
    ...{ account, location, writtenOn, scopeKeys: scopeKeys?.filter((id) => parseKeyIdentifier(id)) ?? [] },
    ...(parseKeyIdentifier(key) ? { key } : {}),
    ...(tags ? { tags } : {}),
    // Without the keys the scopes count as never listed, and are listed again.
    ...(scopesReadOn && scopeKeys ? { scopesReadOn } : {}),
  };
}

/** Of a row of an earlier version, which has each scope with its key in `scopeUses`, `scopeUses1` … */
function oldScopeKeys(row: Row): readonly string[] | undefined {
  if (row.chunks === undefined) return undefined;
  const text = Array.from({ length: Number(row.chunks) || 1 }, (_, n) => row[`scopeUses${n || ''}`]).join('');
  return [...new Set(text.match(/https:[^"]+/g))];
}

/** Keys of the account itself and of its encryption scopes. */
export function keysOfAccount({ key, scopeKeys }: FleetAccount): readonly string[] {
  return [...(key ? [key] : []), ...scopeKeys];
}

/** Keys with uses in the fleet index. Errors are the SDK's. */
export interface KnownKeys {
  /** Identifiers of the keys of a vault, by name. @param most of them */
  ofVault(vaultUri: string, most: number): Promise<string[]>;
}

export function createKnownKeys(table: Pick<FleetTable, 'firstRows'>): KnownKeys {
  return {
    async ofVault(vaultUri, most) {
      const first = keyPartition(`${vaultUri}/keys/-`).slice(0, -1);
      // Key names have no character after `~`.
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
