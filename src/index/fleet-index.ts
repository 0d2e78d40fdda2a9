import { z } from 'zod';
import { parseJson } from '../azure/parse-json.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import {
  ACCOUNT_ID,
  formatAccountRow,
  formatKeyPartition,
  formatSubscriptionPartition,
  KEY_ID,
  parseAccountId,
} from './fleet-keys.ts';
import {
  createOptional,
  type FleetTable,
  formatProperties,
  parseRow,
  type Row,
  type RowChange,
} from './fleet-table-client.ts';

const text = z.string().max(32_768);
const time = z.iso.datetime().max(40);
const json = text.transform(parseJson);
const SCOPE_KEYS = json.pipe(z.array(KEY_ID).readonly());
const ACCOUNT = z.object({
  account: ACCOUNT_ID,
  location: z.string().max(60),
  /** Key that the account itself uses: an identifier without a version. */
  key: createOptional(KEY_ID).catch(undefined),
  /** All tags, or only the app's own if all are too long. */
  tags: createOptional(json.pipe(z.record(z.string(), z.string()).readonly())).catch(undefined),
  /** Keys that its encryption scopes use, or the first of them. */
  scopeKeys: createOptional(SCOPE_KEYS).catch(undefined),
  /** Number of scope rows, which have the other keys of its encryption scopes. */
  scopeRows: z.coerce.number().int().min(0).catch(0),
  /** When a worker last listed its encryption scopes (ISO 8601); absent before the first list. */
  scopesReadOn: createOptional(time).catch(undefined),
  /** When a worker last wrote the row (ISO 8601). */
  writtenOn: time,
});
const SCOPE_ROW = z.object({ account: ACCOUNT_ID, scopeKeys: SCOPE_KEYS });

/** An account in the index, with any kind of key. */
export type FleetAccount = Omit<Readonly<z.output<typeof ACCOUNT>>, 'scopeKeys' | 'scopeRows'> & {
  readonly scopeKeys: readonly string[];
};

/** A change to an account's row. Absent fields remain unchanged; `key` is empty if the account uses none. */
export type AccountChange = Pick<FleetAccount, 'account'> & {
  /** The keys of its scopes before the change. Scope rows that only these needed are deleted. */
  readonly formerScopeKeys?: readonly string[];
} & (Partial<FleetAccount> | { readonly isGone: true });

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
      let stored: StoredAccount | undefined;

      // An account's scope rows follow its own row, before the next account's.
      for await (const row of table.rows(formatSubscriptionPartition(subscriptionId))) {
        if (isScopeRow(row)) {
          stored?.scopeRows.push(row);
          continue;
        }

        if (stored) yield toAccount(stored);
        stored = toStored(row);
      }

      if (stored) yield toAccount(stored);
    },
    async account(id: string): Promise<FleetAccount | undefined> {
      const account = parseStorageAccountId(id);
      if (!account) return undefined;
      const partition = formatSubscriptionPartition(account.subscriptionId);
      const row = await table.row(partition, formatAccountRow(id));
      const stored = row && toStored(row);
      if (!stored) return undefined;
      if (stored.count > 0) {
        stored.scopeRows.push(...(await Array.fromAsync(table.rows(partition, scopeRowPrefix(id)))));
      }
      return toAccount(stored);
    },
    write: (changes: readonly AccountChange[]) => table.write(changes.flatMap(toRowChanges)),
  };
}

/** Azure limits a property to 32,768 characters; an account's 50 tags may exceed that. */
const MOST = 30_000;
/** Key identifiers in one row: each has at most 200 characters in JSON. An account may have 10,000 scopes. */
const MOST_KEYS = MOST / 200;

function keysOf({ account }: Pick<FleetAccount, 'account'>): RowChange {
  const { subscriptionId } = parseAccountId(account);
  return { partitionKey: formatSubscriptionPartition(subscriptionId), rowKey: formatAccountRow(account) };
}

/** Prefix of the row keys of an account's scope rows. `!` sorts before every character of an account's name. */
function scopeRowPrefix(account: string): string {
  return `${formatAccountRow(account)}!`;
}

function scopeRow(account: string, number: number): string {
  return `${scopeRowPrefix(account)}${String(number).padStart(4, '0')}`;
}

function toRowChanges(change: AccountChange): RowChange[] {
  const { formerScopeKeys, ...rest } = change;
  if ('isGone' in rest) return [keysOf(rest), ...changeScopeRows(rest.account, [], formerScopeKeys)];

  const { tags, scopeKeys, ...others } = rest;
  const parts = scopeKeys && splitByRow(scopeKeys);
  const properties = formatProperties({
    ...others,
    ...(tags ? { tags: shortTags(tags) } : {}),
    ...(parts ? { scopeKeys: parts[0] ?? [], scopeRows: Math.max(0, parts.length - 1) } : {}),
  });

  return [{ ...keysOf(rest), properties }, ...(parts ? changeScopeRows(rest.account, parts, formerScopeKeys) : [])];
}

/** Splits the keys of an account's scopes: the first part is in the account's own row, each other one in a scope row. */
function splitByRow(keys: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(keys.length / MOST_KEYS) }, (_, n) =>
    keys.slice(n * MOST_KEYS, (n + 1) * MOST_KEYS),
  );
}

/** Returns the changes that write an account's scope rows, and delete those that it no longer needs. */
function changeScopeRows(
  account: string,
  parts: readonly (readonly string[])[],
  formerKeys: readonly string[] = [],
): RowChange[] {
  const { partitionKey } = keysOf({ account });
  const count = Math.max(parts.length, splitByRow(formerKeys).length);

  return Array.from({ length: Math.max(0, count - 1) }, (_, n) => {
    const scopeKeys = parts[n + 1];
    const row = { partitionKey, rowKey: scopeRow(account, n + 1) };
    return scopeKeys ? { ...row, properties: formatProperties({ account, scopeKeys }) } : row;
  });
}

/** Returns all tags, or only as many of the app's own as fit. */
function shortTags(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (JSON.stringify(tags).length <= MOST) return tags;
  const own = Object.entries(tags).filter(([name]) => /^cmk-/i.test(name));
  while (JSON.stringify(own).length > MOST) own.pop();
  return Object.fromEntries(own);
}

/** An account's own row and its scope rows, which have the keys that the own row has no room for. */
interface StoredAccount {
  readonly account: FleetAccount;
  /** Number of scope rows that the account needs. */
  readonly count: number;
  readonly scopeRows: Row[];
}

function isScopeRow({ rowKey }: Row): boolean {
  return rowKey.includes('!');
}

function toStored(row: Row): StoredAccount | undefined {
  const parsed = parseRow(row, ACCOUNT, keysOf);
  if (!parsed) return undefined;
  const { scopeKeys, scopeRows: count, scopesReadOn, ...account } = parsed;
  // Scopes without keys count as never listed, so a worker lists them again.
  const scopes = { scopeKeys: scopeKeys ?? [], scopesReadOn: scopeKeys && scopesReadOn };
  return { account: { ...account, ...scopes }, count, scopeRows: [] };
}

function toAccount({ account, count, scopeRows: rows }: StoredAccount): FleetAccount {
  if (count === 0) return account;
  const parts = rows.slice(0, count).map((row, n) => parseScopeRow(row, scopeRow(account.account, n + 1)));
  const valid = parts.filter((part) => part !== undefined);
  const scopeKeys = [account.scopeKeys, ...valid].flat();
  // If a scope row is missing or invalid, the scopes count as never listed, so a worker lists them again.
  const scopesReadOn = valid.length < count ? undefined : account.scopesReadOn;
  return { ...account, scopeKeys, scopesReadOn };
}

/** Returns the keys in a scope row; undefined if the row is invalid, or is not the expected one. */
function parseScopeRow(row: Row, rowKey: string): readonly string[] | undefined {
  const nameOf = (part: { readonly account: string }) => ({ ...keysOf(part), rowKey });
  return parseRow(row, SCOPE_ROW, nameOf)?.scopeKeys;
}

export function listKeysOfAccount({ key, scopeKeys }: FleetAccount): readonly string[] {
  return [...(key ? [key] : []), ...scopeKeys];
}

export type KnownKeys = ReturnType<typeof createKnownKeys>;

/** Keys with uses in the fleet index. Methods throw the SDK's errors. */
export function createKnownKeys(table: Pick<FleetTable, 'firstRows'>) {
  return {
    /** Returns a vault's key identifiers, sorted by name. @param most maximum number of keys */
    async ofVault(vaultUri: string, most: number): Promise<string[]> {
      const first = formatKeyPartition(`${vaultUri}/keys/-`).slice(0, -1);

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
const seenRow = ({ key }: { readonly key: string }) => ({ partitionKey: 'seen', rowKey: formatKeyPartition(key) });

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
