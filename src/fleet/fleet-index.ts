import type { Reason } from '../reasons.ts';

/** How far the encryption scopes of an account are known: whether any of them uses a key of Key Vault. */
export type ScopesKnown = 'none' | 'some';

/** What the last look at a use came to. */
export interface FleetOutcome {
  /** `done`: nothing is left to do; `retry`: it comes back by itself; `reject`: a person has to look. */
  readonly result: 'done' | 'retry' | 'reject';
  readonly reason: Reason;
  /** What Azure said, and what to do; absent where the reason says all. */
  readonly detail?: string;
  /** ISO 8601. */
  readonly at: string;
}

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
  /** The version that it is held at; absent when automatic. */
  readonly pinned?: string;
  /** The version that data is wrapped with, as Storage said; absent when it did not. */
  readonly current?: string;
  /** ARM id of the user-assigned identity that the account reaches its key with; absent: its own (system-assigned). */
  readonly identity?: string;
  /** Its tag `cmk-wave`. */
  readonly wave?: string;
  /** What is known of the account's scopes; absent: they were never asked for. */
  readonly scopes?: ScopesKnown;
  /** When this was read (ISO 8601). What has not changed since is written again once a day. */
  readonly readOn: string;
  /** Of the last look that wanted to move it; absent: there was none. */
  readonly outcome?: FleetOutcome;
}

/** Which use it is. */
export type UseRef = Pick<FleetUse, 'key' | 'account' | 'scope'>;

/** What is kept of an account beside its uses, so that a later look can tell what has changed. */
export interface FleetAccount {
  /** ARM id. */
  readonly account: string;
  readonly location: string;
  /** Absent: never asked. */
  readonly scopes?: ScopesKnown;
  /** When the scopes were asked for (ISO 8601). */
  readonly scopesReadOn?: string;
  /** Key that the account itself uses: identifier without a version. */
  readonly key?: string;
  /** Its tags; those of the app alone where all of them are too long. Absent: written before they were kept. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Its scopes that use a key. */
  readonly scopeUses: readonly { readonly scope: string; readonly key: string }[];
  /** Digests of the own use and of those of the scopes, as they were written. */
  readonly own: string;
  readonly scoped: string;
  /** When all of it was last written (ISO 8601). */
  readonly writtenOn: string;
}

/** What is known of an account's scopes. */
export type KnownScopes = Required<Pick<FleetAccount, 'account' | 'scopes' | 'scopesReadOn' | 'scopeUses' | 'scoped'>>;

/** One change of the index. Putting keeps what it does not name, such as the outcome of a use. */
export type FleetChange =
  | { readonly put: 'use'; readonly use: FleetUse }
  | { readonly put: 'account'; readonly account: FleetAccount }
  /** Of a use that is known; without effect on one that is not. */
  | { readonly put: 'outcome'; readonly of: UseRef; readonly outcome: FleetOutcome }
  | { readonly put: 'hint'; readonly of: UseRef; readonly scopes: ScopesKnown }
  /** Of an account that is known; likewise. */
  | { readonly put: 'scopes'; readonly account: KnownScopes }
  | { readonly drop: 'use'; readonly of: UseRef }
  | { readonly drop: 'account'; readonly account: string };

/**
 * Who uses which key, kept in the app's own storage: an entry for each account and encryption scope, partitioned by key. It
 * is a cache. What is done is decided from what is read then and there; an entry that is wrong or missing costs time.
 *
 * Every request has a deadline. Errors are the SDK's: read them with `describeFailure`. A table that is not there is one
 * that knows nothing; it is made by the first write. A row that cannot be read is taken away, and told by `corrupt`; without
 * that, `uses` passes over it.
 */
export interface FleetIndex {
  /** Subscriptions that were listed whole, by id, and when. */
  listings(): Promise<ReadonlyMap<string, Date>>;
  listed(subscriptionId: string, on: Date): Promise<void>;
  /** What uses a key, scopes after their account: one query, page by page. */
  uses(key: string, corrupt?: (row: string) => void): AsyncIterable<FleetUse>;
  /** The uses of a key by an account's encryption scopes. */
  scopeUses(key: string, account: string): AsyncIterable<FleetUse>;
  /** Every account of a subscription that was ever seen and is not known to be gone. */
  accounts(subscriptionId: string): AsyncIterable<FleetAccount>;
  account(id: string): Promise<FleetAccount | undefined>;
  /** In batches, as far as they share a partition; in no particular order. Doing it twice changes nothing. */
  write(changes: readonly FleetChange[]): Promise<void>;
}
