import { z } from 'zod';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { parseJson } from '../text.ts';
import type { FleetAccount, FleetChange, FleetUse, UseRef } from './fleet-index.ts';
import { accountId, accountRow, keyPartition, subscriptionPartition } from './fleet-keys.ts';

/** A row of the table: its two keys, and string properties. */
export interface Row {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly [property: string]: unknown;
}

/** The table of the index. Errors are the SDK's; a missing table is empty, and a write creates it. */
export interface FleetTable {
  /** Rows of a partition by row key, page by page. @param beginning prefix of the row keys */
  rows(partition: string, beginning?: string): AsyncIterable<Row>;
  row(partition: string, row: string): Promise<Row | undefined>;
  /** The first rows whose partition key is between the two, exclusive: one request, only the property `key`. */
  firstRows(after: string, before: string): Promise<readonly Row[]>;
  write(changes: readonly RowChange[]): Promise<void>;
}

export const LISTINGS = 'listings';

/** A merge of properties into a row; without properties the row is deleted. */
export interface RowChange {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly properties?: Readonly<Record<string, string>>;
}

export function toRowChange(change: FleetChange): RowChange {
  if ('drop' in change) {
    return change.drop === 'use' ? useKeys(change.of) : accountKeys(change.account);
  }
  switch (change.put) {
    case 'use':
      return { ...useKeys(change.use), properties: useProperties(change.use) };
    case 'account':
      return { ...accountKeys(change.account.account), properties: accountProperties(change.account) };
  }
}

function accountKeys(account: string): { partitionKey: string; rowKey: string } {
  return { partitionKey: subscriptionPartition(accountId(account).subscriptionId), rowKey: accountRow(account) };
}

export function useKeys({ key, account, scope }: UseRef): { partitionKey: string; rowKey: string } {
  return { partitionKey: keyPartition(key), rowKey: accountRow(account, scope) };
}

/** Absent fields are written as empty strings, since a merge keeps properties that it does not name. */
export function useProperties(use: FleetUse): Record<string, string> {
  const { key, account, scope = '', location, mode, pinned = '', current = '', identity = '', wave = '' } = use;
  return { key, account, scope, location, mode, pinned, current, identity, wave, readOn: use.readOn };
}

/** A property holds 32,768 characters; an account with hundreds of scopes needs more. */
const CHUNK = 30_000;
const MOST_CHUNKS = 12;

function accountProperties(known: FleetAccount): Record<string, string> {
  const { account, location, scopes, scopesReadOn, key = '', own, writtenOn, tags } = known;
  const asked = scopes && scopesReadOn ? scopesProperties({ ...known, scopes, scopesReadOn }) : {};
  return { account, location, key, own, writtenOn, ...(tags ? { tags: formatTags(tags) } : {}), ...asked };
}

function scopesProperties({
  scopes,
  scopesReadOn,
  scopeUses,
}: FleetAccount & Required<Pick<FleetAccount, 'scopes' | 'scopesReadOn'>>): Record<string, string> {
  const uses = scopeUses.length === 0 ? '' : JSON.stringify(scopeUses.map(({ scope, key }) => [scope, key]));
  // Scope uses that do not fit are not stored.
  const fits = uses.length <= CHUNK * MOST_CHUNKS;
  const chunks = fits ? Math.max(1, Math.ceil(uses.length / CHUNK)) : 1;
  const parts = Array.from({ length: chunks }, (_, n) => [
    chunkName(n),
    fits ? uses.slice(n * CHUNK, (n + 1) * CHUNK) : '',
  ]);
  return { scopes, scopesReadOn, chunks: String(chunks), ...Object.fromEntries(parts) };
}

function chunkName(n: number): string {
  return n === 0 ? 'scopeUses' : `scopeUses${n}`;
}

const text = z.string().max(32_768);
const iso = z.iso.datetime();

const USE = z.object({
  key: text,
  account: text,
  scope: text,
  location: z.string().max(60),
  mode: z.enum(['pinned', 'automatic']),
  pinned: z.string().max(64),
  current: z.string().max(64),
  identity: text,
  wave: text,
  readOn: iso,
});
const ACCOUNT = z.object({
  account: text,
  location: z.string().max(60),
  key: text,
  own: text,
  writtenOn: iso,
  scopes: z.enum(['none', 'some']).optional().catch(undefined),
  tags: text.optional().catch(undefined),
});
const SCOPED = z.object({ scopesReadOn: iso, chunks: z.coerce.number().int().min(1).max(MOST_CHUNKS) });
const SCOPE_USES = z.array(z.tuple([z.string(), z.string()]));
/** Undefined for a row that cannot be parsed, or whose keys do not fit its properties. */
export function toUse(row: Row): FleetUse | undefined {
  const read = USE.safeParse(row).data;
  if (!read) return undefined;
  const { key, scope, pinned, current, identity, wave, ...rest } = read;
  const parsed = parseKeyIdentifier(key);
  if (!parsed || parsed.version || !parseStorageAccountId(read.account)) return undefined;
  const use: FleetUse = {
    ...rest,
    key: formatKeyIdentifier(parsed),
    ...(scope ? { scope } : {}),
    ...(pinned ? { pinned } : {}),
    ...(current ? { current } : {}),
    ...(identity ? { identity } : {}),
    ...(wave ? { wave } : {}),
  };
  const keys = useKeys(use);
  return keys.partitionKey === row.partitionKey && keys.rowKey === row.rowKey ? use : undefined;
}

export function toFleetAccount(row: Row): FleetAccount | undefined {
  const read = ACCOUNT.safeParse(row).data;
  const id = read && parseStorageAccountId(read.account);
  if (!read || !id || accountRow(id.id) !== row.rowKey) return undefined;
  if (subscriptionPartition(id.subscriptionId) !== row.partitionKey) return undefined;
  const { key, scopes, tags, ...rest } = read;
  const known = { ...rest, ...(parseKeyIdentifier(key) ? { key } : {}), ...parseTags(tags), scopeUses: [] };
  if (!scopes) return known;
  const scoped = SCOPED.safeParse(row).data;
  const scopeUses = scoped && toScopeUses(row, scoped.chunks);
  // Without them the scopes count as never listed, and are listed again.
  if (!scoped || !scopeUses) return known;
  return { ...known, scopes, scopeUses, scopesReadOn: scoped.scopesReadOn };
}

function toScopeUses(row: Row, chunks: number): FleetAccount['scopeUses'] | undefined {
  const parts = Array.from({ length: chunks }, (_, n) => row[chunkName(n)]);
  const joined = parts.join('');
  if (joined === '') return [];
  const uses = SCOPE_USES.safeParse(parseJson(joined)).data;
  return uses?.flatMap(([scope, key]) => (parseKeyIdentifier(key) ? { scope, key } : []));
}

/** A property of a table holds 32,768 characters, of which an account's 50 tags may need more. */
const MOST = 30_000;
const TAGS = z.record(z.string(), z.string());

/** Tags as a property of a row; where all of them are too long, only the app's own. */
function formatTags(tags: Readonly<Record<string, string>>): string {
  const all = JSON.stringify(tags);
  if (all.length <= MOST) return all;
  return JSON.stringify(Object.fromEntries(Object.entries(tags).filter(([name]) => /^cmk-/i.test(name))));
}

/** Unreadable tags count as absent: the next write of the account stores them again. */
function parseTags(text: string | undefined): { readonly tags?: Readonly<Record<string, string>> } {
  const tags = TAGS.safeParse(parseJson(text ?? '')).data;
  return tags ? { tags } : {};
}

/** Undefined for a row without a time. */
export function toListing(row: Row): [subscriptionId: string, on: Date] | undefined {
  const on = iso.safeParse(row.listedOn).data;
  return on === undefined ? undefined : [row.rowKey, new Date(on)];
}
