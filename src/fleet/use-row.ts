import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { accountRow, encoded, keyPartition } from './fleet-keys.ts';
import type { FleetTable, Row, RowChange } from './fleet-table-client.ts';

/**
 * `pending`: a pass has to read it; `done`: moved, or found up to date; `failed`: retried at `notBefore`;
 * `skipped`: the plan writes nothing; `indeterminate`: a PATCH was not answered, and may still take effect until `notBefore`.
 */
const STATES = ['pending', 'done', 'failed', 'skipped', 'indeterminate'] as const;

/** Which use it is. */
export interface UseRef {
  /** Key identifier without a version. */
  readonly key: string;
  /** ARM id of the account. */
  readonly account: string;
  /** Encryption scope; absent: the account itself. */
  readonly scope?: string | undefined;
}

/**
 * A use of a key in the index, by an account itself or by one of its encryption scopes: its observed state, and the journal of
 * its move.
 */
export interface UseRow extends UseRef {
  /** Region, as ARM writes it. */
  readonly location: string;
  readonly mode: 'pinned' | 'automatic';
  /** The version that it is pinned to; absent when automatic. */
  readonly pinned?: string | undefined;
  /** The version that data is wrapped with; absent where Storage does not show it. */
  readonly current?: string | undefined;
  /** ARM id of the user-assigned identity that the account reaches its key with; absent: its own (system-assigned). */
  readonly identity?: string | undefined;
  /** Its tag `cmk-wave`. */
  readonly wave?: string | undefined;
  /** When this was read (ISO 8601). An unchanged use is written once a day. */
  readonly readOn: string;
  readonly state: (typeof STATES)[number];
  /** Why it is in that state; absent while it is pending. */
  readonly reason?: Reason | undefined;
  /** Version identifier that the last PATCH asked for. */
  readonly target?: string | undefined;
  /** Azure's own time stamp of the version in use (ISO 8601); absent where Azure has none. */
  readonly stamp?: string | undefined;
  /** When the read that this is from began, or the PATCH was answered (ISO 8601). */
  readonly at: string;
  /** Failed tries in a row. */
  readonly attempts: number;
  /** ISO 8601; absent: at once. */
  readonly notBefore?: string | undefined;
  /**
   * Identifier of the version that the last move left (of its key, if the version was not known), as long as the audit trail
   * lacks the record of that move.
   */
  readonly movedFrom?: string | undefined;
}

/** Uses of keys in the index. Only the holder of a subscription's lease writes those of that subscription. Errors are the SDK's. */
export interface UseRows {
  /**
   * Uses of a key, in one subscription or in all; scopes after their account.
   *
   * @param corrupt called with the row key of each row that cannot be parsed; these are skipped
   */
  of(key: string, subscription?: string, corrupt?: (row: string) => void): AsyncIterable<UseRow>;
  /** Uses by one account and its scopes. */
  ofAccount(key: string, account: string): AsyncIterable<UseRow>;
  /** A row that exists is replaced. */
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
/** Of a row of version 2 these are missing: it is pending. */
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

/** Undefined for a row that cannot be parsed, or whose keys do not fit its properties. */
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

/** Absent fields are written as empty strings, since a merge keeps properties that it does not name. */
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

/** Identifier of the version that data is wrapped with; where Azure does not show it, of the pinned version. */
export function versionOfRow({ key, current, pinned }: Pick<UseRow, 'key' | 'current' | 'pinned'>): string | undefined {
  const parsed = parseKeyIdentifier(key);
  const version = current ?? pinned;
  return parsed && version ? formatKeyIdentifier(parsed, version) : undefined;
}

/** Whether anything but the version differs between the index and Azure. */
export function areDifferent(row: UseRow, shown: UseRow): boolean {
  const fields = ['account', 'location', 'wave', 'identity', 'mode', 'pinned'] as const;
  return fields.some((field) => row[field] !== shown[field]);
}

/**
 * Id of the audit record of a move: a hash of what Azure shows, so that any worker derives the same id, also after the index
 * was lost.
 *
 * @param stamp Azure's own time stamp of the change; empty where it has none
 */
export function moveId(use: Pick<UseRef, 'account' | 'scope'>, version: string, stamp: string): string {
  const parts = [use.account.toLowerCase(), use.scope?.toLowerCase() ?? '', version.toLowerCase(), stamp];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
}
