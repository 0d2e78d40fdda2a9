import { createHash } from 'node:crypto';
import { z } from 'zod';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { getVersionInUse } from '../keys/version-in-use.ts';
import { ACCOUNT_ID, encodeTableKey, formatAccountRow, formatKeyPartition, KEY_ID } from './fleet-keys.ts';
import {
  createOptional,
  type FleetTable,
  formatProperties,
  parseRow,
  type Row,
  type RowChange,
} from './fleet-table-client.ts';
import { ATTEMPTS, STORED_REASON } from './work-items.ts';

/**
 * `pending`: needs a read. `done`: moved or up to date. `failed`: retried at `notBefore`. `skipped`: the plan changes
 * nothing. `indeterminate`: a PATCH got no answer, and may take effect until `notBefore`.
 */
const STATES = ['pending', 'done', 'failed', 'skipped', 'indeterminate'] as const;

// No text may be longer than Azure's own limit: a writer of the table must not be able to fill the memory.
const time = z.iso.datetime().max(40);
const version = z.string().max(400);
const text = (most: number) => createOptional(z.string().max(most));
const USE = z.object({
  key: KEY_ID,
  account: ACCOUNT_ID,
  /** Encryption scope; absent: the account itself. */
  scope: text(63),
  /** Region name in ARM's format. */
  location: z.string().max(60),
  mode: z.enum(['pinned', 'automatic']),
  /** Pinned version; absent for automatic updates. */
  pinned: text(64),
  /** The version that wraps the data's key; absent if Storage omits it. */
  current: text(64),
  /** ARM id of the user-assigned identity that accesses the key; absent for the system-assigned identity. */
  identity: text(400),
  /** Value of the account's tag `cmk-wave`. */
  wave: text(256),
  /** Time of the read. */
  readOn: time,
  // An invalid value in the fields below does not hide the use: it counts as pending, and is read again.
  state: z.enum(STATES).catch('pending'),
  reason: STORED_REASON,
  /** Version identifier in the last PATCH. */
  target: createOptional(version.refine((id) => parseKeyIdentifier(id)?.version)).catch(undefined),
  /** Azure's timestamp of the version in use; absent if Azure returns none. */
  stamp: createOptional(time).catch(undefined),
  /** Start of the read, or time of the PATCH's answer. */
  at: time.catch(new Date(0).toISOString()),
  /** Consecutive failed attempts. */
  attempts: ATTEMPTS,
  /** Time of the next attempt; absent: at once. */
  notBefore: createOptional(time).catch(undefined),
  /**
   * Previous version identifier (key identifier if Azure omitted the version) of a move without an audit record; absent
   * after the trail has the record.
   */
  movedFrom: createOptional(version.refine((id) => parseKeyIdentifier(id))).catch(undefined),
  /** Only the announcement of a dead worker attributes that move to the app; absent: the app is known to have sent its PATCH. */
  isOnlyObserved: createOptional(z.literal('true').transform(() => true)).catch(undefined),
  /** That move is a change of an automatic use that the app did not make; absent: the app made it, or may have. */
  isPickedUp: createOptional(z.literal('true').transform(() => true)).catch(undefined),
});

/**
 * A use of a key in the index, by an account or by an encryption scope: its observed state, and the journal of its last
 * move. Times are in ISO 8601.
 */
export type UseRow = Readonly<z.output<typeof USE>>;
export type UseRef = Pick<UseRow, 'key' | 'account' | 'scope'>;

export type UseRows = ReturnType<typeof createUseRows>;

/** Uses of keys in the index. Only a subscription's lease holder writes its rows. Methods throw the SDK's errors. */
export function createUseRows(table: Pick<FleetTable, 'rows' | 'write'>) {
  return {
    /**
     * Returns uses of a key, in one subscription or in all; scopes follow their account.
     *
     * @param corrupt called with the row key of each row that fails to parse; such rows are skipped
     */
    async *of(key: string, subscription?: string, corrupt?: (row: string) => void): AsyncIterable<UseRow> {
      const beginning = subscription === undefined ? undefined : `${encodeTableKey(subscription)}|`;
      for await (const row of table.rows(formatKeyPartition(key), beginning, Object.keys(USE.shape))) {
        const use = toUseRow(row);
        if (use) yield use;
        else corrupt?.(row.rowKey);
      }
    },
    put: (uses: readonly UseRow[]) => table.write(uses.map(toUseChange)),
    drop: (uses: readonly UseRef[]) => table.write(uses.map(useKeys)),
  };
}

/** Returns whether the index has a use of a key. Throws the SDK's errors. */
export async function hasUses(rows: Pick<UseRows, 'of'>, key: string): Promise<boolean> {
  for await (const _ of rows.of(key)) return true;
  return false;
}

/** Returns undefined for a row that fails to parse, or whose keys contradict its properties. */
export function toUseRow(row: Row): UseRow | undefined {
  return parseRow(row, USE, useKeys);
}

export function toUseChange(use: UseRow): RowChange {
  return { ...useKeys(use), properties: formatProperties(use, Object.keys(USE.shape)) };
}

function useKeys({ key, account, scope }: UseRef): { partitionKey: string; rowKey: string } {
  return { partitionKey: formatKeyPartition(key), rowKey: formatAccountRow(account, scope) };
}

/** Returns the identifier of the version in use, or of the pinned version if Azure omits the version in use. */
export function getVersionOfRow(row: Pick<UseRow, 'key' | 'current' | 'pinned'>): string | undefined {
  const parsed = parseKeyIdentifier(row.key);
  const version = getVersionInUse(row);
  return parsed && version ? formatKeyIdentifier(parsed, version) : undefined;
}

/**
 * Returns the id of a move's audit record: a hash of the state in Azure. Any worker derives the same id, even after a
 * loss of the index.
 *
 * @param stamp Azure's timestamp of the change; empty if Azure returns none
 */
export function createMoveId(use: Pick<UseRef, 'account' | 'scope'>, version: string, stamp: string): string {
  const parts = [use.account.toLowerCase(), use.scope?.toLowerCase() ?? '', version.toLowerCase(), stamp];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
}
