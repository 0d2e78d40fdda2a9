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
  /** Its encryption scopes that use a key of Key Vault. */
  readonly scopeUses: readonly { readonly scope: string; readonly key: string }[];
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

/** A property holds 32,768 characters; an account with hundreds of scopes, or 50 long tags, needs more. */
const CHUNK = 30_000;
const MOST_CHUNKS = 12;

function toRowChange(change: AccountChange): RowChange {
  const { subscriptionId } = accountId(change.account);
  const keys = { partitionKey: subscriptionPartition(subscriptionId), rowKey: accountRow(change.account) };
  if ('isGone' in change) return keys;
  const { tags, scopeUses, ...texts } = change;
  const properties = {
    ...texts,
    ...(tags ? { tags: formatTags(tags) } : {}),
    ...(scopeUses ? formatScopes(scopeUses) : {}),
  };
  return { ...keys, properties };
}

/** Where all tags are too long, only the app's own. */
function formatTags(tags: Readonly<Record<string, string>>): string {
  const all = JSON.stringify(tags);
  if (all.length <= CHUNK) return all;
  return JSON.stringify(Object.fromEntries(Object.entries(tags).filter(([name]) => /^cmk-/i.test(name))));
}

function formatScopes(scopeUses: FleetAccount['scopeUses']): Record<string, string> {
  const all = scopeUses.length === 0 ? '' : JSON.stringify(scopeUses.map(({ scope, key }) => [scope, key]));
  // Scope uses that do not fit are not stored.
  const uses = all.length <= CHUNK * MOST_CHUNKS ? all : '';
  const chunks = Math.max(1, Math.ceil(uses.length / CHUNK));
  const parts = Array.from({ length: chunks }, (_, n) => [chunkName(n), uses.slice(n * CHUNK, (n + 1) * CHUNK)]);
  return { chunks: String(chunks), ...Object.fromEntries(parts) };
}

function chunkName(n: number): string {
  return n === 0 ? 'scopeUses' : `scopeUses${n}`;
}

const text = z.string().max(32_768);
const iso = z.iso.datetime();
const ACCOUNT = z.object({
  account: text,
  location: z.string().max(60),
  key: text,
  writtenOn: iso,
  tags: text.optional().catch(undefined),
});
const SCOPED = z.object({ scopesReadOn: iso, chunks: z.coerce.number().int().min(1).max(MOST_CHUNKS) });
const SCOPE_USES = z.array(z.tuple([z.string(), z.string()]));
const TAGS = z.record(z.string(), z.string());

export function toFleetAccount(row: Row): FleetAccount | undefined {
  const read = ACCOUNT.safeParse(row).data;
  const id = read && parseStorageAccountId(read.account);
  if (!read || !id || accountRow(id.id) !== row.rowKey) return undefined;
  if (subscriptionPartition(id.subscriptionId) !== row.partitionKey) return undefined;
  const { key, tags: tagsText, ...rest } = read;
  // Unreadable tags count as absent: the next write of the account stores them again.
  const tags = TAGS.safeParse(parseJson(tagsText ?? '')).data;
  const scoped = SCOPED.safeParse(row).data;
  const scopeUses = scoped && parseScopes(row, scoped.chunks);
  return {
    ...rest,
    ...(parseKeyIdentifier(key) ? { key } : {}),
    ...(tags ? { tags } : {}),
    // Without them the scopes count as never listed, and are listed again.
    ...(scopeUses ? { scopeUses, scopesReadOn: scoped.scopesReadOn } : { scopeUses: [] }),
  };
}

function parseScopes(row: Row, chunks: number): FleetAccount['scopeUses'] | undefined {
  const joined = Array.from({ length: chunks }, (_, n) => row[chunkName(n)]).join('');
  if (joined === '') return [];
  const uses = SCOPE_USES.safeParse(parseJson(joined)).data;
  return uses?.flatMap(([scope, key]) => (parseKeyIdentifier(key) ? { scope, key } : []));
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
