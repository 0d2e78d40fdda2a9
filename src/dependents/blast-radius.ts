import pLimit, { type LimitFunction } from 'p-limit';
import { findDependents } from '../accounts/inventory.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { untilAborted } from '../azure/deadline.ts';
import { describe } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { comparableId } from '../azure/resource-id.ts';
import { type Account, ownKeyServices } from '../fleet/account.ts';
import { accountKeyUse, scopeKeyUse, usesKey } from '../fleet/key-use.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { ownStorage } from '../settings/own-storage.ts';
import type { SearchSettings } from '../settings/settings.ts';
import type { DependentAccount, DependentScope, OtherDependent, Unread } from './dependent.ts';
import { Parts } from './gathering.ts';
import type { ResourceGraph } from './resource-graph-client.ts';
import { usesOfKey, vaultUseQuery } from './resource-graph-query.ts';
import type { FileShare, FileShares } from './stored-data-client.ts';

/** Resource Graph silently omits resources that the caller may not read. */
const TYPES_OUT_OF_SIGHT =
  'The app may not read resources of some types, including shares of Microsoft.FileShares. To read them, deploy with otherDependents=reader (CMK_OTHER_DEPENDENTS).';

/** Every readable resource that stops working when a key is revoked. */
export interface BlastRadius {
  /** Key identifier without a version. */
  readonly key: string;
  /** False if `unread` is not empty: further dependents may exist. */
  readonly complete: boolean;
  /** Sorted by ARM id. */
  readonly accounts: readonly DependentAccount[];
  /** Other resources, and storage accounts outside the managed subscriptions. Sorted by ARM id. */
  readonly otherResources: readonly OtherDependent[];
  /** Whether the app's own storage uses the key. Revoking the key would then lock out the app. */
  readonly selfLockout: boolean | 'unknown';
  readonly unread: readonly Unread[];
  /**
   * Resource types that the app may not read, as a sentence. Absent if it may read all types, or none (see `unread`).
   */
  readonly outOfSight?: string;
}

export type BlastRadiusServices = {
  readonly settings: SearchSettings;
  readonly accounts: StorageAccounts;
  readonly subscriptions: Subscriptions;
  readonly shares: FileShares;
  readonly resourceGraph: ResourceGraph;
};

/**
 * Reads the dependents of a key. Never throws: failed reads are listed in `unread`. When the signal aborts, it returns
 * the partial result immediately, with the pending reads in `unread`. See `abortAfter`.
 */
export async function readBlastRadius(
  key: ManagedKey,
  services: BlastRadiusServices,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BlastRadius> {
  const reader = new BlastRadiusReader(key, services, options.signal);
  await untilAborted(reader.run(), options.signal);
  return reader.soFar();
}

class BlastRadiusReader {
  readonly #key: ManagedKey;
  readonly #services: BlastRadiusServices;
  readonly #signal: AbortSignal | undefined;
  readonly #parts: Parts;
  readonly #limit: LimitFunction;
  readonly #accounts = new Map<string, DependentAccount>();
  readonly #others: OtherDependent[] = [];
  /** Names of the app's own storage accounts. The second set contains only accounts with unread scopes. */
  readonly #own: ReadonlySet<string>;
  readonly #ownUnread: Set<string>;
  #selfLockout: boolean | 'unknown';

  constructor(key: ManagedKey, services: BlastRadiusServices, signal: AbortSignal | undefined) {
    this.#key = key;
    this.#services = services;
    this.#signal = signal;
    this.#limit = pLimit(CONCURRENCY);
    this.#parts = new Parts(signal);
    const own = ownStorage(services.settings);
    this.#own = new Set(own === 'local' ? [] : own);
    this.#ownUnread = new Set(this.#own);
    this.#selfLockout = own === 'local' ? false : 'unknown';
  }

  async run(): Promise<void> {
    // These reads run concurrently with the list, so a slow read does not delay it.
    const details: Promise<void>[] = [];
    await Promise.all([
      this.#parts.read('storage accounts', 'SubscriptionUnreadable', () => this.#readAccounts(details)),
      this.#parts.read('other resource types', 'OtherResourcesUnreadable', () => this.#readOthers()),
    ]);
    if (this.#services.settings.otherDependents === 'none') {
      const detail = 'The app has no permission to read them (CMK_OTHER_DEPENDENTS=none).';
      this.#parts.unread('other resource types', 'OtherResourcesUnreadable', detail);
    }
    await Promise.all(details);
  }

  soFar(): BlastRadius {
    const accounts = [...this.#accounts.values()].sort(byId);
    // Pairwise comparison of thousands of accounts would block the event loop for a minute.
    const known = new Set(accounts.map(({ id }) => comparableId(id)));
    const otherResources = this.#others.filter(({ id }) => !known.has(comparableId(id))).sort(byId);
    const unread = this.#parts.missing();
    const lockedOut = [...accounts, ...otherResources.filter(isStorage)].some(({ name }) => this.#isOwn(name));
    return {
      key: this.#key.id,
      complete: unread.length === 0,
      accounts,
      otherResources,
      selfLockout: lockedOut || this.#selfLockout,
      unread,
      ...(this.#services.settings.otherDependents === 'listed' ? { outOfSight: TYPES_OUT_OF_SIGHT } : {}),
    };
  }

  async #readAccounts(details: Promise<void>[]): Promise<void> {
    const { settings, subscriptions } = this.#services;
    const accounts = this.#watched((own) => details.push(this.#readOwnStorage(own)));
    const inventory = await findDependents(
      this.#key,
      settings.subscriptions ?? (await subscriptions.list()),
      { accounts },
      (account) => {
        this.#accounts.set(account.id.toLowerCase(), toDependent(account, this.#key));
        // Not awaited, so that the list continues.
        details.push(this.#readShares(account), this.#readScopes(account));
      },
    );
    for (const { id, failure } of inventory.unreadableSubscriptions) {
      this.#parts.unread(`storage accounts of subscription ${id}`, 'SubscriptionUnreadable', describe(failure));
    }
    for (const { id, failure } of inventory.unreadableScopes) {
      this.#parts.unread(`encryption scopes of ${id}`, 'ScopesUnreadable', describe(failure));
    }
  }

  /** The accounts client with the abort signal. Calls back for each of the app's own storage accounts. */
  #watched(ownSeen: (account: Account) => void): StorageAccounts {
    const { accounts } = this.#services;
    const signal = this.#signal;
    const isOwn = (name: string): boolean => this.#isOwn(name);
    return {
      ...accounts,
      async *list(subscriptionId) {
        for await (const account of accounts.list(subscriptionId, signal)) {
          if (isOwn(account.name)) ownSeen(account);
          yield account;
        }
      },
      async *listScopes(id) {
        // One call for each account of the fleet.
        signal?.throwIfAborted();
        yield* accounts.listScopes(id, signal);
      },
    };
  }

  async #readShares(account: Account): Promise<void> {
    if (!usesKey(accountKeyUse(account.encryption), this.#key)) return;
    await this.#inTurn(`file shares of ${account.id}`, 'SharesUnreadable', async () => {
      for await (const share of this.#services.shares.list(account, this.#signal)) {
        this.#change(account, (known) => ({ ...known, shares: [...known.shares, share] }));
      }
    });
  }

  async #readScopes(account: Account): Promise<void> {
    await this.#inTurn(`encryption scopes of ${account.id}`, 'ScopesUnreadable', async () => {
      for await (const scope of this.#scopesOnKey(account)) {
        this.#change(account, (known) => ({ ...known, scopes: [...known.scopes, scope] }));
      }
    });
  }

  async #readOwnStorage(own: Account): Promise<void> {
    if (usesKey(accountKeyUse(own.encryption), this.#key)) return; // the list reports it as a dependent
    await this.#inTurn(`encryption scopes of the app's own storage ${own.id}`, 'ScopesUnreadable', async () => {
      let found = false;
      for await (const _ of this.#scopesOnKey(own)) found = true;
      this.#ownUnread.delete(own.name.toLowerCase());
      if (found) this.#selfLockout = true;
      else if (this.#ownUnread.size === 0 && this.#selfLockout === 'unknown') this.#selfLockout = false;
    });
  }

  /** Reads a part within the concurrency limit. Reports a late part as missing. */
  #inTurn(what: string, reason: Reason, run: () => Promise<void>): Promise<void> {
    return this.#parts.read(what, reason, () =>
      this.#limit(() => {
        // Starting thousands of aborted requests would delay other requests by seconds.
        this.#signal?.throwIfAborted();
        return run();
      }),
    );
  }

  async *#scopesOnKey(account: Account): AsyncIterable<DependentScope> {
    for await (const scope of this.#services.accounts.listScopes(account, this.#signal)) {
      const use = scopeKeyUse(scope);
      if (!usesKey(use, this.#key)) continue;
      const mode = use.pinned === undefined ? 'automatic' : 'pinned';
      yield { name: scope.name, enabled: scope.enabled, mode, version: use.current };
    }
  }

  async #readOthers(): Promise<void> {
    const { resourceGraph } = this.#services;
    for await (const row of resourceGraph.query(vaultUseQuery(this.#key.vault), this.#signal)) {
      const other = usesOfKey(row, this.#key);
      if (other) this.#others.push(other);
    }
  }

  #change(account: Account, change: (known: DependentAccount) => DependentAccount): void {
    const id = account.id.toLowerCase();
    const known = this.#accounts.get(id);
    if (known) this.#accounts.set(id, change(known));
  }

  #isOwn(name: string): boolean {
    return this.#own.has(name.toLowerCase());
  }
}

function toDependent(account: Account, key: ManagedKey): DependentAccount {
  const { id, name, location } = account;
  const use = accountKeyUse(account.encryption);
  const own = usesKey(use, key) ? use : undefined;
  const mode = own === undefined ? 'scopesOnly' : own.pinned === undefined ? 'automatic' : 'pinned';
  const shares: FileShare[] = [];
  const notCutOff = own ? ownKeyServices(account) : [];
  return { id, name, region: location, mode, version: own?.current ?? own?.pinned, shares, scopes: [], notCutOff };
}

function isStorage({ type }: OtherDependent): boolean {
  return type === 'microsoft.storage/storageaccounts';
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : Number(a.id > b.id);
}
