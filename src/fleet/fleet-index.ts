/** One use of a key: by an account itself, or by one of its encryption scopes. */
export interface FleetUse {
  /** Key identifier without a version. */
  readonly key: string;
  /** ARM id of the account. */
  readonly account: string;
  /** Encryption scope; absent: the account itself. */
  readonly scope?: string;
  /** Region, as ARM writes it. */
  readonly location: string;
  readonly mode: 'pinned' | 'automatic';
  /** The version that it is pinned to; absent when automatic. */
  readonly pinned?: string;
  /** The version that data is wrapped with; absent where Storage does not show it. */
  readonly current?: string;
  /** ARM id of the user-assigned identity that the account reaches its key with; absent: its own (system-assigned). */
  readonly identity?: string;
  /** Its tag `cmk-wave`. */
  readonly wave?: string;
  /** When this was read (ISO 8601). An unchanged use is written once a day. */
  readonly readOn: string;
}

/** Which use it is. */
export type UseRef = Pick<FleetUse, 'key' | 'account' | 'scope'>;

/** The row of an account, by which a listing finds what has changed. */
export interface FleetAccount {
  /** ARM id. */
  readonly account: string;
  readonly location: string;
  /** Whether any of its encryption scopes uses a key of Key Vault; absent: they were never listed. */
  readonly scopes?: 'none' | 'some';
  /** When the scopes were last listed (ISO 8601). */
  readonly scopesReadOn?: string;
  /** Key that the account itself uses: identifier without a version. */
  readonly key?: string;
  /** Its tags; those of the app alone where all of them are too long. Absent: written before they were kept. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Its scopes that use a key. */
  readonly scopeUses: readonly { readonly scope: string; readonly key: string }[];
  /** Digest of the own use, as it was written. */
  readonly own: string;
  /** When all of it was last written (ISO 8601). */
  readonly writtenOn: string;
}

/** A change of the index. A put merges: it keeps properties that it does not name. */
export type FleetChange =
  | { readonly put: 'use'; readonly use: FleetUse }
  | { readonly put: 'account'; readonly account: FleetAccount }
  | { readonly drop: 'use'; readonly of: UseRef }
  | { readonly drop: 'account'; readonly account: string };

/**
 * Which accounts and encryption scopes use which key: a table in the app's own storage, partitioned by key. It is a cache: a
 * PATCH is decided from a fresh read, and a wrong or missing row costs only time.
 *
 * Every request has a deadline. Errors are the SDK's: read them with `describeFailure`. A missing table is empty, and the
 * first write creates it. A row that cannot be parsed is skipped, and its row key passed to `corrupt`.
 */
export interface FleetIndex {
  /** When each subscription was last listed completely, by its id. */
  listings(): Promise<ReadonlyMap<string, Date>>;
  listed(subscriptionId: string, on: Date): Promise<void>;
  /** Uses of a key, scopes after their account: one query, page by page. */
  uses(key: string, corrupt?: (row: string) => void): AsyncIterable<FleetUse>;
  /** Every account of a subscription that is not known to be deleted. */
  accounts(subscriptionId: string): AsyncIterable<FleetAccount>;
  account(id: string): Promise<FleetAccount | undefined>;
  /** In batches by partition, in no particular order. Idempotent. */
  write(changes: readonly FleetChange[]): Promise<void>;
}
