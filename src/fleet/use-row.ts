import { createHash } from 'node:crypto';
import { z } from 'zod';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { FleetUse, UseRef } from './fleet-index.ts';
import { encoded, keyPartition } from './fleet-keys.ts';
import { type FleetTable, type Row, type RowChange, toUse, useKeys, useProperties } from './fleet-rows.ts';

/**
 * `pending`: a pass has to read it; `done`: moved, or found up to date; `failed`: retried at `notBefore`;
 * `skipped`: the plan writes nothing; `indeterminate`: a PATCH was not answered, and may still take effect until `notBefore`.
 */
type UseProgress = 'pending' | 'done' | 'failed' | 'skipped' | 'indeterminate';

/** A use of a key in the index: its observed state, and the journal of its move. */
export interface UseRow extends FleetUse {
  readonly state: UseProgress;
  /** Why it is in that state; absent while it is pending. */
  readonly reason?: Reason;
  /** Version identifier that the last PATCH asked for. */
  readonly target?: string;
  /** Azure's own time stamp of the version in use (ISO 8601); absent where Azure has none. */
  readonly stamp?: string;
  /** When the read that this is from began, or the PATCH was answered (ISO 8601). */
  readonly at: string;
  /** Failed tries in a row. */
  readonly attempts: number;
  /** ISO 8601; absent: at once. */
  readonly notBefore?: string;
  /**
   * Identifier of the version that the last move left (of its key, if the version was not known), as long as the audit trail
   * lacks the record of that move.
   */
  readonly movedFrom?: string;
}

/** Uses of keys in the index. Only the holder of a subscription's lease writes those of that subscription. */
export interface UseRows {
  /** Uses of a key, in one subscription or in all; scopes after their account. */
  of(key: string, subscription?: string): AsyncIterable<UseRow>;
  /** Uses by one account and its scopes. */
  ofAccount(key: string, account: string): AsyncIterable<UseRow>;
  /** A row that exists is replaced. */
  put(rows: readonly UseRow[]): Promise<void>;
  drop(uses: readonly UseRef[]): Promise<void>;
}

const iso = z.iso.datetime();
const text = z.string().max(500).catch('');
const PROGRESS = z.object({
  state: z.enum(['pending', 'done', 'failed', 'skipped', 'indeterminate']).catch('pending'),
  reason: text,
  target: text,
  stamp: iso.or(z.literal('')).catch(''),
  at: iso,
  attempts: z.coerce.number().int().min(0).max(1_000_000).catch(0),
  notBefore: iso.or(z.literal('')).catch(''),
  movedFrom: text,
});

export function createUseRows(table: FleetTable): UseRows {
  async function* rows(partition: string, beginning?: string): AsyncGenerator<UseRow> {
    for await (const row of table.rows(partition, beginning)) {
      const use = toUseRow(row);
      if (use) yield use;
    }
  }
  return {
    of: (key, subscription) =>
      rows(keyPartition(key), subscription === undefined ? undefined : `${encoded(subscription)}|`),
    async *ofAccount(key, account) {
      const { partitionKey, rowKey } = useKeys({ key, account });
      for await (const row of rows(partitionKey, rowKey)) if (isOfAccount(row, account)) yield row;
    },
    put: (uses) => table.write(uses.map(toUseChange)),
    drop: (uses) => table.write(uses.map((use): RowChange => useKeys(use))),
  };
}

/** Undefined for a row that cannot be parsed. A row of version 2 has no state, and is pending. */
export function toUseRow(row: Row): UseRow | undefined {
  const use = toUse(row);
  if (!use) return undefined;
  const progress = PROGRESS.safeParse({ at: use.readOn, ...row }).data;
  if (!progress) return { ...use, state: 'pending', at: use.readOn, attempts: 0 };
  const { reason, target, stamp, notBefore, movedFrom, ...rest } = progress;
  return {
    ...use,
    ...rest,
    ...(Object.hasOwn(REASONS, reason) ? { reason: reason as Reason } : {}),
    ...(parseKeyIdentifier(target)?.version ? { target } : {}),
    ...(stamp ? { stamp } : {}),
    ...(notBefore ? { notBefore } : {}),
    ...(parseKeyIdentifier(movedFrom) ? { movedFrom } : {}),
  };
}

/** Absent fields are written as empty strings, since a merge keeps properties that it does not name. */
export function toUseChange(use: UseRow): RowChange {
  const { state, reason = '', target = '', stamp = '', at, attempts, notBefore = '', movedFrom = '' } = use;
  const progress = { state, reason, target, stamp, at, attempts: String(attempts), notBefore, movedFrom };
  return {
    ...useKeys(use),
    properties: { ...useProperties(use), ...progress },
  };
}

/** Identifier of the version that data is wrapped with; where Azure does not show it, of the pinned version. */
export function versionOfRow({
  key,
  current,
  pinned,
}: Pick<FleetUse, 'key' | 'current' | 'pinned'>): string | undefined {
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

function isOfAccount({ account }: UseRow, wanted: string): boolean {
  return account.toLowerCase() === wanted.toLowerCase();
}
