import pMap from 'p-map';
import { z } from 'zod';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { CLOCKS_MS, HOUR_MS } from '../formats/spans.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { type Cause, parseCause } from '../work/messages.ts';
import { ACCOUNT_ID, encodeTableKey, KEY_ID } from './fleet-keys.ts';
import {
  createOptional,
  type FleetTable,
  formatProperties,
  parseRow,
  type Row,
  type RowChange,
} from './fleet-table-client.ts';

export const WORK = 'work';

/** Replaces the subscription id in an item of the key itself, for reconcileKey. */
export const NO_SUBSCRIPTION = '-';

/** Reason code; absent: none, or unknown to this version of the app. */
export const STORED_REASON = createOptional(z.enum(Object.keys(REASONS) as [Reason, ...Reason[]])).catch(undefined);
export const ATTEMPTS = z.coerce.number().int().min(0).max(1_000_000).catch(0);

/** Name of a `CMK_NOTIFY` target, and id of the notification. */
const OUTBOX_ENTRY = /^[^/]{1,32}\/[0-9a-f]{32}$/;

const time = z.iso.datetime().transform((text) => new Date(text));
const ITEM = z.object({
  /** Subscription id, or {@link NO_SUBSCRIPTION}. */
  subscription: z.union([z.literal(NO_SUBSCRIPTION), z.guid()]),
  kind: z.enum(['key', 'account', 'list', 'scopes', 'verify', 'rotate', 'probe', 'notify', 'changes']),
  /**
   * Key identifier without a version, ARM id of an account, or entry of the outbox; empty: the whole subscription, or
   * all changes.
   */
  about: z.union([KEY_ID, ACCOUNT_ID, z.string().regex(OUTBOX_ENTRY), z.literal('')]),
  /** Earliest start. */
  due: time,
  /** Time of the request. */
  since: time,
  cause: z.preprocess(
    parseCause,
    z.custom<Cause>((cause) => cause !== undefined),
  ),
  /** Passes that did not finish the item. */
  attempts: ATTEMPTS,
  reason: STORED_REASON,
  /** Read every account, since the index may be wrong. */
  fresh: createOptional(z.literal('true').transform(() => true)).catch(undefined),
});
type Item = Readonly<z.output<typeof ITEM>>;

/**
 * `key`: reconcile the uses of a key. `account`: read one account. `list`: list the accounts of the subscription.
 * `scopes`: list the encryption scopes of one account, or of all accounts for which this is due. `verify`: read the
 * uses for which a dead worker may have sent a PATCH; the lease's state has the announced targets. The others are jobs
 * (`jobs.ts`): `rotate` a key, `probe` the effect of its last revocation or restore, `notify` a target, check the
 * `changes` that events reported.
 */
export type WorkKind = Item['kind'];

const JOB_KINDS = ['rotate', 'probe', 'notify', 'changes'] as const satisfies readonly WorkKind[];

/** Kinds of items that belong to no subscription, beside `key`: a function runs each on its own. */
export type JobKind = (typeof JOB_KINDS)[number];

export function isJobKind(kind: string): kind is JobKind {
  return JOB_KINDS.some((job) => job === kind);
}

export type NewWorkItem = Omit<Item, 'attempts'> & { readonly attempts?: number };

/** Interval of the sweep, which sends messages for work that is due later than this. Milliseconds. */
export const SWEEP_MS = 120_000;

/** Causes that compare the index with Azure. Their work moves no exempt use, and fixes only `CMK_AUTOFIX` findings. */
const COMPARISONS: ReadonlySet<string> = new Set(['drift', 'start', 'list']);

export function isComparison({ by }: Cause): boolean {
  return COMPARISONS.has(by);
}

/** Returns the work item of a key. @param key identifier without a version */
export function createKeyItem(about: string, cause: Cause, at: Date): NewWorkItem {
  return { subscription: NO_SUBSCRIPTION, kind: 'key', about, due: at, since: at, cause };
}

/** A stored work item; its row exists until the work is done. */
export interface WorkItem extends Item {
  /** ETag of the row at the read: a postponement or deletion fails if the row has changed. */
  readonly etag: string;
}

/** Next start of an item, with the reason for the delay. */
export type Postponement = Pick<NewWorkItem, 'due' | 'reason'> & { readonly attempts: number };

export type WorkItems = ReturnType<typeof createWorkItems>;

/** Work items in the app's own storage. Methods throw the SDK's errors. */
export function createWorkItems(table: FleetTable) {
  async function* all(subscription?: string): AsyncGenerator<WorkItem> {
    for await (const row of table.rows(WORK, subscription && `${encodeTableKey(subscription)}|`)) {
      const item = toWorkItem(row);
      if (item) yield item;
    }
  }

  async function readItem(kind: WorkKind, about: string): Promise<WorkItem | undefined> {
    const found = await table.row(WORK, formatWorkRow({ subscription: NO_SUBSCRIPTION, kind, about }));
    return found && toWorkItem(found as Row);
  }

  return {
    /** Writes items in no particular order, and replaces existing items. */
    put: (items: readonly NewWorkItem[]) => table.write(items.map(toChange)),
    /**
     * Creates only missing items: the drift check must not replace an item of an event or an operator.
     *
     * @returns the created items; existing items have their own messages
     */
    async putNew(items: readonly NewWorkItem[]): Promise<readonly NewWorkItem[]> {
      if (items.length === 0) return [];
      // Reads existing items first, since most items exist if a key with many subscriptions is decided on again.
      const existing = new Set<string>();
      if (items.length > 1) {
        for await (const { rowKey } of table.rows(WORK)) existing.add(rowKey);
      }
      const missing = items.filter((item) => !existing.has(formatWorkRow(item)));
      const create = async (item: NewWorkItem) => ((await table.writeIf(toChange(item), undefined)) ? [item] : []);
      return (await pMap(missing, create, { concurrency: CONCURRENCY })).flat();
    },
    /** Requests that an existing item reads every use again. Keeps its cause. @returns false if it is missing or changed */
    async refresh(wanted: NewWorkItem): Promise<boolean> {
      const found = (await table.row(WORK, formatWorkRow(wanted))) as Row | undefined;
      const item = found && toWorkItem(found);
      if (!item) return false;
      const { etag, ...rest } = item;
      return table.writeIf(toChange({ ...rest, fresh: true, since: wanted.since, due: wanted.due }), etag);
    },
    /** Returns the item of the key itself. @param about key identifier without a version */
    async ofKey(about: string): Promise<WorkItem | undefined> {
      return parseKeyIdentifier(about) ? readItem('key', about) : undefined;
    },
    /** Returns the item of a job. @throws TypeError for an `about` that contradicts the kind */
    ofJob: (kind: JobKind, about: string) => readItem(kind, about),
    /** Returns all items of a subscription, due or not. Skips rows that fail to parse. */
    of: (subscription: string) => Array.fromAsync(all(subscription)),
    all: () => all(),
    /** @returns false if the item was put again after the read; the item then remains unchanged */
    postpone: ({ etag, reason: _, ...item }: WorkItem, postponement: Postponement) =>
      table.writeIf(toChange({ ...item, ...postponement }), etag),
    /** @returns false if the item was put again after the read; the item then remains unchanged */
    finish: (item: WorkItem) => table.writeIf(keysOf(item), item.etag),
  };
}

function keysOf(item: Pick<NewWorkItem, 'subscription' | 'kind' | 'about'>): RowChange {
  return { partitionKey: WORK, rowKey: formatWorkRow(item) };
}

/** Writes all properties of a row, so that a put replaces the row completely. */
export function toChange(item: NewWorkItem): RowChange {
  return { ...keysOf(item), properties: formatProperties(item, Object.keys(ITEM.shape)) };
}

/** Longest delay of an item. Milliseconds. */
export const LONGEST_WAIT_MS = HOUR_MS;

/** Returns the longest delay of an item in milliseconds. The receiver of a notification may ask for a long one. */
export function getLongestWait(kind?: WorkKind): number {
  return kind === 'notify' ? 6 * HOUR_MS : LONGEST_WAIT_MS;
}

/** Returns when an item is due. A stored time may be forged: a delay that the app never sets counts as due. */
export function getDue({ kind, due }: Pick<WorkItem, 'due'> & Partial<Pick<WorkItem, 'kind'>>, now: Date): Date {
  return due.getTime() > now.getTime() + getLongestWait(kind) + CLOCKS_MS ? new Date(0) : due;
}

/** Returns whether an item is about one account, or about its encryption scopes. */
export function isAboutAccount({ kind, about }: Pick<NewWorkItem, 'kind' | 'about'>): boolean {
  return kind === 'account' || (kind === 'scopes' && about !== '');
}

/** Returns an item's unique row key. @throws TypeError for an `about` that contradicts the kind or subscription */
export function formatWorkRow({
  subscription,
  kind,
  about,
}: Pick<NewWorkItem, 'subscription' | 'kind' | 'about'>): string {
  const prefix = `${encodeTableKey(subscription)}|${kind}`;

  if (isJobKind(kind) && subscription !== NO_SUBSCRIPTION) {
    throw new TypeError(`${kind} belongs to no subscription.`);
  }

  if (kind === 'notify') {
    if (!OUTBOX_ENTRY.test(about)) throw new TypeError(`${about} is no entry of the outbox.`);
    return `${prefix}|${about.split('/').map(encodeTableKey).join('|')}`;
  }

  if (kind === 'changes') {
    if (about !== '') throw new TypeError('One item is about all changes.');
    return prefix;
  }

  if (kind === 'key' || isJobKind(kind)) {
    const key = parseKeyIdentifier(about);
    if (!key) throw new TypeError(`${about} is not a key identifier.`);
    return `${prefix}|${encodeTableKey(new URL(key.vaultUri).hostname)}|${encodeTableKey(key.keyName)}`;
  }

  if (isAboutAccount({ kind, about })) {
    const account = parseStorageAccountId(about);
    if (account?.subscriptionId.toLowerCase() !== subscription.toLowerCase()) {
      throw new TypeError(`${about} is not the ARM id of a storage account of ${subscription}.`);
    }
    return `${prefix}|${encodeTableKey(account.name)}`;
  }

  return prefix;
}

/** Returns undefined for a row that is no work item. A row decides what to read, never what to write to an account. */
export function toWorkItem(row: Row): WorkItem | undefined {
  try {
    const item = parseRow(row, ITEM, keysOf);
    return item && { ...item, etag: String(row.etag) };
  } catch {
    return undefined;
  }
}
