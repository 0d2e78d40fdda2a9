import pMap from 'p-map';
import { z } from 'zod';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { parseJson } from '../text.ts';
import { CLOCKS_MS, HOUR_MS } from '../time/spans.ts';
import { type Cause, parseCause } from '../work/messages.ts';
import { encoded } from './fleet-keys.ts';
import type { FleetTable, Row, RowChange } from './fleet-table-client.ts';

/** Partition of the fleet table that holds the work items. */
export const WORK = 'work';

/** In place of a subscription: the item is of the key itself, for reconcileKey. */
export const NO_SUBSCRIPTION = '-';

/**
 * What is wanted: `key`, bring the uses of a key to where they should be; `account`, read one account; `list`, list the
 * accounts of the subscription; `scopes`, list encryption scopes that were never listed; `verify`, read again what a worker
 * that died had begun to move.
 */
export type WorkKind = 'key' | 'account' | 'list' | 'scopes' | 'verify';

export interface NewWorkItem {
  /** Subscription id, or {@link NO_SUBSCRIPTION}. */
  readonly subscription: string;
  readonly kind: WorkKind;
  /** Key identifier without a version, or ARM id of an account; empty for the other kinds. */
  readonly about: string;
  /** Not before that. */
  readonly due: Date;
  /** Since when it is wanted. */
  readonly since: Date;
  readonly cause: Cause;
  /** How often a pass could not finish it. */
  readonly attempts?: number;
  /** Why it is not done yet. */
  readonly reason?: Reason;
  /** The index is not to be trusted: every account is read. */
  readonly fresh?: boolean;
  /** Of a `verify` item: what the pass had announced that ended before its time. */
  readonly targets?: Targets;
}

/** Versions that a pass moves to, announced before its first PATCH: key identifier without a version → version identifier. */
export type Targets = Readonly<Record<string, string>>;

/** Causes of work that compares the index with Azure. It moves neither exempt uses nor what `CMK_AUTOFIX` does not name. */
const COMPARISONS: ReadonlySet<string> = new Set(['drift', 'start', 'list', 'upgrade']);

export function isComparison({ by }: Cause): boolean {
  return COMPARISONS.has(by);
}

/** The item of a key itself. @param key identifier without a version */
export function keyItem(about: string, cause: Cause, at: Date): NewWorkItem {
  return { subscription: NO_SUBSCRIPTION, kind: 'key', about, due: at, since: at, cause };
}

/** A row that exists while work is wanted. */
export interface WorkItem extends NewWorkItem {
  readonly attempts: number;
  /** Of the row as it was read: it is postponed and deleted only while it is still the same. */
  readonly etag: string;
}

/** When an item is to be worked on next, and why not before. */
export type Postponement = Pick<NewWorkItem, 'due' | 'reason'> & { readonly attempts: number };

/** Work items in the app's own storage. Errors are the SDK's. */
export interface WorkItems {
  /** In no particular order; an item that exists is replaced. */
  put(items: readonly NewWorkItem[]): Promise<void>;
  /**
   * Only where there is none: what the drift check wants does not replace what an event or an operator wants.
   *
   * @returns those that were put: the others have their own messages
   */
  putNew(items: readonly NewWorkItem[]): Promise<readonly NewWorkItem[]>;
  /** Those of a subscription, due or not; a row that cannot be read is left out. */
  of(subscription: string): Promise<readonly WorkItem[]>;
  /** All of them, page by page. */
  all(): AsyncIterable<WorkItem>;
  /** @returns false: it was put anew since it was read, and stays as it is */
  postpone(item: WorkItem, postponement: Postponement): Promise<boolean>;
  /** Likewise. */
  finish(item: WorkItem): Promise<boolean>;
}

/** Work items in the table of the fleet index. */
export function createWorkItems(table: FleetTable): WorkItems {
  async function* all(subscription?: string): AsyncGenerator<WorkItem> {
    for await (const row of table.rows(WORK, subscription && `${encoded(subscription)}|`)) {
      const item = toWorkItem(row, String(row.etag));
      if (item) yield item;
    }
  }
  return {
    put: (items) => table.write(items.map(toChange)),
    async putNew(items) {
      if (items.length === 0) return [];
      // Most items exist already where a key with many subscriptions is decided on again: what exists is read first.
      const existing = new Set<string>();
      if (items.length > 1) for await (const { rowKey } of table.rows(WORK)) existing.add(rowKey);
      const missing = items.filter((item) => !existing.has(workRow(item)));
      const create = async (item: NewWorkItem) => ((await table.writeIf(toChange(item), undefined)) ? [item] : []);
      return (await pMap(missing, create, { concurrency: CONCURRENCY })).flat();
    },
    async of(subscription) {
      const items: WorkItem[] = [];
      for await (const item of all(subscription)) items.push(item);
      return items;
    },
    all: () => all(),
    postpone: ({ etag, reason: _, ...item }, postponement) =>
      table.writeIf(toChange({ ...item, ...postponement }), etag),
    finish: (item) => table.writeIf({ partitionKey: WORK, rowKey: workRow(item) }, item.etag),
  };
}

function toChange(item: NewWorkItem): RowChange {
  return { partitionKey: WORK, rowKey: workRow(item), properties: workProperties(item) };
}

const iso = z.iso.datetime();
const TARGETS = z.record(z.string().max(300), z.string().max(400));
const ITEM = z.object({
  about: z.string().max(500),
  kind: z.enum(['key', 'account', 'list', 'scopes', 'verify']),
  subscription: z.string().max(40),
  due: iso,
  since: iso,
  attempts: z.coerce.number().int().min(0).max(1_000_000).catch(0),
  reason: z.string().max(100).catch(''),
  fresh: z.literal('yes').optional().catch(undefined),
  targets: z.string().max(30_000).optional().catch(undefined),
});

/** No item waits longer before it is worked on again. Milliseconds. */
export const LONGEST_WAIT_MS = HOUR_MS;

/** When an item is due. What is stored may have been forged: a wait that the app never sets is none. */
export function dueOf({ due }: Pick<WorkItem, 'due'>, now: Date): Date {
  return due.getTime() > now.getTime() + LONGEST_WAIT_MS + CLOCKS_MS ? new Date(0) : due;
}

/** Row key of an item: there is at most one of each. @throws TypeError for an `about` that does not fit its kind or its subscription */
export function workRow({ subscription, kind, about }: Pick<NewWorkItem, 'subscription' | 'kind' | 'about'>): string {
  const prefix = `${encoded(subscription)}|${kind}`;
  if (kind === 'key') {
    const key = parseKeyIdentifier(about);
    if (!key) throw new TypeError(`${about} is not a key identifier.`);
    return `${prefix}|${encoded(new URL(key.vaultUri).hostname)}|${encoded(key.keyName)}`;
  }
  if (kind === 'account') {
    const account = parseStorageAccountId(about);
    if (account?.subscriptionId.toLowerCase() !== subscription.toLowerCase())
      throw new TypeError(`${about} is not the ARM id of a storage account of ${subscription}.`);
    return `${prefix}|${encoded(account.name)}`;
  }
  return prefix;
}

/** All that a row holds, so that a put replaces it whole. */
export function workProperties(item: NewWorkItem): Record<string, string> {
  const { subscription, kind, about, due, since, cause, attempts = 0, reason = '', fresh, targets } = item;
  return {
    ...{ subscription, kind, about, due: due.toISOString(), since: since.toISOString(), cause: JSON.stringify(cause) },
    ...{ attempts: String(attempts), reason, fresh: fresh ? 'yes' : '' },
    targets: targets ? JSON.stringify(targets) : '',
  };
}

/** Undefined for a row that is none of ours. What it claims decides what is read, never what is written to an account. */
export function toWorkItem(row: Row, etag: string): WorkItem | undefined {
  const read = ITEM.safeParse(row).data;
  const cause = parseCause(row.cause);
  if (!read || !cause) return undefined;
  const { due, since, reason, fresh, targets, about, ...rest } = read;
  const key = rest.kind === 'key' ? parseKeyIdentifier(about) : undefined;
  const ref = { ...rest, about: key ? formatKeyIdentifier(key) : about };
  try {
    if (workRow(ref) !== row.rowKey) return undefined;
  } catch {
    return undefined;
  }
  const announced = targets ? TARGETS.safeParse(parseJson(targets)).data : undefined;
  return {
    ...ref,
    ...{ due: new Date(due), since: new Date(since), cause, etag },
    ...(Object.hasOwn(REASONS, reason) ? { reason: reason as Reason } : {}),
    ...(fresh ? { fresh: true } : {}),
    ...(announced ? { targets: announced } : {}),
  };
}
