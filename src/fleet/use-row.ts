import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { accountRow, encoded, keyPartition } from './fleet-keys.ts';
import type { FleetTable, Row, RowChange } from './fleet-table-client.ts';

/**
 * `pending`: needs a read. `done`: moved or up to date. `failed`: retried at `notBefore`. `skipped`: the plan changes
 * nothing. `indeterminate`: a PATCH got no answer, and may take effect until `notBefore`.
 */
const STATES = ['pending', 'done', 'failed', 'skipped', 'indeterminate'] as const;

/** Identifies a use. */
export interface UseRef {
  /** Key identifier without a version. */
  readonly key: string;
  /** ARM id of the account. */
  readonly account: string;
  /** Encryption scope; absent: the account itself. */
  readonly scope?: string | undefined;
}

/**
 * A use of a key in the index, by an account or by an encryption scope: its observed state, and the journal of its last
 * move.
 */
export interface UseRow extends UseRef {
  /** Region name in ARM's format. */
  readonly location: string;
  readonly mode: 'pinned' | 'automatic';
  /** Pinned version; absent for automatic updates. */
  readonly pinned?: string | undefined;
  /** The version that wraps the data's key; absent if Storage omits it. */
  readonly current?: string | undefined;
  /** ARM id of the user-assigned identity that accesses the key; absent for the system-assigned identity. */
  readonly identity?: string | undefined;
  /** Value of the account's tag `cmk-wave`. */
  readonly wave?: string | undefined;
  /** Time of the read (ISO 8601). Workers write an unchanged use once a day. */
  readonly readOn: string;
  readonly state: (typeof STATES)[number];
  /** Reason for the state; absent if pending. */
  readonly reason?: Reason | undefined;
  /** Version identifier in the last PATCH. */
  readonly target?: string | undefined;
  /** Azure's timestamp of the version in use (ISO 8601); absent if Azure returns none. */
  readonly stamp?: string | undefined;
  /** Start of the read, or time of the PATCH's answer (ISO 8601). */
  readonly at: string;
  /** Consecutive failed attempts. */
  readonly attempts: number;
  /** Time of the next attempt (ISO 8601); absent: at once. */
  readonly notBefore?: string | undefined;
  /**
   * Previous version identifier (key identifier if Azure omitted the version) of a move without an audit record; absent
   * after the trail has the record.
   */
  readonly movedFrom?: string | undefined;
}

/** Uses of keys in the index. Only a subscription's lease holder writes its rows. Methods throw the SDK's errors. */
export interface UseRows {
  /**
   * Returns uses of a key, in one subscription or in all; scopes follow their account.
   *
   * @param corrupt called with the row key of each row that fails to parse; such rows are skipped
   */
  of(key: string, subscription?: string, corrupt?: (row: string) => void): AsyncIterable<UseRow>;
  /** Returns uses by an account and its scopes. */
  ofAccount(key: string, account: string): AsyncIterable<UseRow>;
  /** Creates or replaces rows. */
  put(rows: readonly UseRow[]): Promise<void>;
  drop(uses: readonly UseRef[]): Promise<void>;
}

export function createUseRows(table: Pick<FleetTable, 'rows' | 'write'>): UseRows {
  async function* rows(partition: string, beginning?: string, corrupt?: (row: string) => void): AsyncGenerator<UseRow> {
    for await (const row of table.rows(partition, beginning)) {
      const use = toUseRow(row);
      if (use) yield use;
      else corrupt?.(row.rowKey);
    }
  }
  return {
    of: (key, subscription, corrupt) =>
      rows(keyPartition(key), subscription === undefined ? undefined : `${encoded(subscription)}|`, corrupt),
    async *ofAccount(key, account) {
      const { partitionKey, rowKey } = useKeys({ key, account });
      const isOwn = (row: UseRow) => row.account.toLowerCase() === account.toLowerCase();
      for await (const row of rows(partitionKey, rowKey)) if (isOwn(row)) yield row;
    },
    put: (uses) => table.write(uses.map(toUseChange)),
    drop: (uses) => table.write(uses.map(useKeys)),
  };
}

const iso = z.iso.datetime();
const text = (most: number) => z.string().max(most);
/** A row of version 2 lacks these fields: it counts as pending. */
const progress = z.string().max(500).catch('');
const ROW = z.object({
  ...{ key: text(32_768), account: text(32_768), scope: text(32_768), location: text(60) },
  mode: z.enum(['pinned', 'automatic']),
  ...{ pinned: text(64), current: text(64), identity: text(32_768), wave: text(32_768), readOn: iso },
  state: z.enum(STATES).catch('pending'),
  ...{ reason: progress, target: progress, movedFrom: progress },
  stamp: iso.catch(''),
  at: iso.optional().catch(undefined),
  attempts: z.coerce.number().int().min(0).max(1_000_000).catch(0),
  notBefore: iso.catch(''),
});

/** Returns undefined for a row that fails to parse, or whose keys contradict its properties. */
export function toUseRow(row: Row): UseRow | undefined {
  const read = ROW.safeParse(row).data;
  const key = read && parseKeyIdentifier(read.key);
  if (!read || !key || key.version || !parseStorageAccountId(read.account)) return undefined;
  const { at = read.readOn, reason, target, movedFrom } = read;
  const use: UseRow = {
    ...{ key: formatKeyIdentifier(key), account: read.account, scope: read.scope || undefined },
    ...{ location: read.location, mode: read.mode, pinned: read.pinned || undefined },
    ...{ current: read.current || undefined, identity: read.identity || undefined, wave: read.wave || undefined },
    ...{ readOn: read.readOn, state: read.state, stamp: read.stamp || undefined, at, attempts: read.attempts },
    reason: Object.hasOwn(REASONS, reason) ? (reason as Reason) : undefined,
    target: parseKeyIdentifier(target)?.version ? target : undefined,
    notBefore: read.notBefore || undefined,
    movedFrom: parseKeyIdentifier(movedFrom) ? movedFrom : undefined,
  };
  const keys = useKeys(use);
  return keys.partitionKey === row.partitionKey && keys.rowKey === row.rowKey ? use : undefined;
}

/** Writes absent fields as empty strings, since a merge keeps omitted properties. */
export function toUseChange(use: UseRow): RowChange {
  const { key, account, scope = '', location, mode, pinned = '', current = '', identity = '', wave = '' } = use;
  const { readOn, state, reason = '', target = '', stamp = '', at, attempts, notBefore = '', movedFrom = '' } = use;
  const observed = { key, account, scope, location, mode, pinned, current, identity, wave, readOn, stamp, at };
  const journal = { state, reason, target, attempts: String(attempts), notBefore, movedFrom };
  return { ...useKeys(use), properties: { ...observed, ...journal } };
}

function useKeys({ key, account, scope }: UseRef): { partitionKey: string; rowKey: string } {
  return { partitionKey: keyPartition(key), rowKey: accountRow(account, scope) };
}

/** Returns the identifier of the version in use, or of the pinned version if Azure omits the version in use. */
export function versionOfRow({ key, current, pinned }: Pick<UseRow, 'key' | 'current' | 'pinned'>): string | undefined {
  const parsed = parseKeyIdentifier(key);
  const version = current ?? pinned;
  return parsed && version ? formatKeyIdentifier(parsed, version) : undefined;
}

/** Returns whether a field other than the version differs between the index and Azure. */
export function areDifferent(row: UseRow, shown: UseRow): boolean {
  const fields = ['account', 'location', 'wave', 'identity', 'mode', 'pinned'] as const;
  return fields.some((field) => row[field] !== shown[field]);
}

/**
 * Returns the id of a move's audit record: a hash of the state in Azure. Any worker derives the same id, even after a
 * loss of the index.
 *
 * @param stamp Azure's timestamp of the change; empty if Azure returns none
 */
export function moveId(use: Pick<UseRef, 'account' | 'scope'>, version: string, stamp: string): string {
  const parts = [use.account.toLowerCase(), use.scope?.toLowerCase() ?? '', version.toLowerCase(), stamp];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
}
