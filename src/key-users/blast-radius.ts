import pLimit, { type LimitFunction } from 'p-limit';
import { type Account, listOwnKeyServices, type PlatformScope, type Scope } from '../accounts/account.ts';
import { findDependents } from '../accounts/inventory.ts';
import { findAccountKeyUse, findScopeKeyUse, isUseOfKey } from '../accounts/key-use.ts';
import type { AccountScopes, StorageAccounts } from '../accounts/storage-client.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { ThrottledRegions } from '../accounts/throttled-regions.ts';
import { untilAborted } from '../azure/deadline.ts';
import { describeAnswerOf } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import type { Reason } from '../errors/reasons.ts';
import { compareText } from '../formats/text.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { getUpdateMode, getVersionInUse } from '../keys/version-in-use.ts';
import { listOwnStorage } from '../settings/own-storage.ts';
import type { SearchSettings } from '../settings/settings.ts';
import type { BlastRadius, DependentAccount, DependentScope, OtherDependent } from './dependent.ts';
import {
  collectOtherDependents,
  describeTypesOutOfSight,
  excludeAccounts,
  isStorageAccount,
} from './other-dependents.ts';
import { PartTracker } from './part-tracker.ts';
import type { ResourceGraph } from './resource-graph-client.ts';
import type { FileShares } from './stored-data-client.ts';

export type BlastRadiusServices = {
  readonly settings: SearchSettings;
  readonly accounts: StorageAccounts & AccountScopes;
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
  signal?: AbortSignal,
): Promise<BlastRadius> {
  const reader = new BlastRadiusReader(key, services, signal);
  await untilAborted(reader.run(), signal);
  return reader.soFar();
}

class BlastRadiusReader {
  readonly #key: ManagedKey;
  readonly #services: BlastRadiusServices;
  readonly #signal: AbortSignal | undefined;
  readonly #parts: PartTracker;
  readonly #limit: LimitFunction;
  /** Of all lists: Azure Storage counts those of shares and of scopes together. */
  readonly #regions = new ThrottledRegions();
  readonly #accounts = new Map<string, DependentAccount>();
  readonly #others: OtherDependent[] = [];
  /** Names of the app's own storage accounts, and of those among them whose scopes are unread; undefined: unknown. */
  readonly #own: ReadonlySet<string> | undefined;
  readonly #ownUnread: Set<string> | undefined;
  #isOwnScopeOnKey = false;

  constructor(key: ManagedKey, services: BlastRadiusServices, signal: AbortSignal | undefined) {
    this.#key = key;
    this.#services = services;
    this.#signal = signal;
    this.#limit = pLimit(CONCURRENCY);
    this.#parts = new PartTracker(signal);
    const own = listOwnStorage(services.settings);
    this.#own = own && new Set(own === 'local' ? [] : own);
    this.#ownUnread = this.#own && new Set(this.#own);
  }

  async run(): Promise<void> {
    // These reads run concurrently with the list, so a slow read does not delay it.
    const details: Promise<void>[] = [];
    const found = { others: this.#others, parts: this.#parts };
    await Promise.all([
      this.#parts.read('storage accounts', 'SubscriptionUnreadable', () => this.#readAccounts(details)),
      collectOtherDependents(this.#key, this.#services, found, this.#signal),
    ]);
    await Promise.all(details);
  }

  soFar(): BlastRadius {
    // Copies, because late reads may still add shares and scopes.
    const accounts = structuredClone([...this.#accounts.values()]).sort((a, b) => compareText(a.id, b.id));
    const otherResources = excludeAccounts(this.#others, accounts);
    const unread = this.#parts.missing();
    const storage = [...accounts, ...otherResources.filter(isStorageAccount)];
    const isLockedOut = this.#isOwnScopeOnKey || storage.some(({ name }) => this.#isOwn(name));

    return {
      complete: unread.length === 0,
      accounts,
      otherResources,
      selfLockout: isLockedOut || (this.#ownUnread?.size === 0 ? false : 'unknown'),
      unread,
      outOfSight: describeTypesOutOfSight(this.#services.settings),
    };
  }

  async #readAccounts(details: Promise<void>[]): Promise<void> {
    const { settings, subscriptions, accounts } = this.#services;

    // The app's own storage may use the key by an encryption scope alone.
    const checkOwn = (account: Account): void => {
      if (this.#isOwn(account.name)) details.push(this.#readOwnStorage(account));
    };

    // Lists the scopes of each account: the index lacks scopes of the last hours, and no kind of account is known to have none.
    const missed = await findDependents(
      this.#key,
      settings.subscriptions ?? (await subscriptions.list()),
      {
        regions: this.#regions,
        accounts: {
          ...accounts,
          async *list(subscriptionId, signal) {
            for await (const account of accounts.list(subscriptionId, signal)) {
              checkOwn(account);
              yield account;
            }
          },
        },
      },
      (account) => {
        const dependent = toDependent(account, this.#key);
        this.#accounts.set(account.id.toLowerCase(), dependent);
        // Not awaited, so that the list continues.
        details.push(this.#readShares(account, dependent), this.#readScopes(account, dependent));
      },
      this.#signal,
    );

    for (const { of, id, failure } of missed) {
      const what = of === 'accounts' ? 'storage accounts of subscription' : 'encryption scopes of';
      const reason = of === 'accounts' ? 'SubscriptionUnreadable' : 'ScopesUnreadable';
      this.#parts.unread(`${what} ${id}`, reason, describeAnswerOf(failure));
    }
  }

  async #readShares(account: Account, { mode, shares }: DependentAccount): Promise<void> {
    if (mode === 'scopesOnly') return;
    await this.#readList(account, 'file shares of', 'SharesUnreadable', async () => {
      for await (const share of this.#services.shares.list(account, this.#signal)) shares.push(share);
    });
  }

  async #readScopes(account: Account, { mode, scopes, notCutOff }: DependentAccount): Promise<void> {
    await this.#readList(account, 'encryption scopes of', 'ScopesUnreadable', async () => {
      for await (const scope of this.#services.accounts.listAllScopes(account, this.#signal)) {
        const dependent = onKey(scope, this.#key);
        if (dependent) scopes.push(dependent);
        else if (scope.enabled && mode !== 'scopesOnly') notCutOff.push(`scope ${scope.name}`);
      }
    });
  }

  async #readOwnStorage(own: Account): Promise<void> {
    if (isUseOfKey(findAccountKeyUse(own.encryption), this.#key)) return; // the list reports it as a dependent
    await this.#readList(own, "encryption scopes of the app's own storage", 'ScopesUnreadable', async () => {
      for await (const scope of this.#services.accounts.listScopes(own, this.#signal)) {
        if (onKey(scope, this.#key)) this.#isOwnScopeOnKey = true;
      }
      this.#ownUnread?.delete(own.name.toLowerCase());
    });
  }

  /** Reads a list of an account within the concurrency limit. Reports a late part as missing. */
  #readList(account: Account, what: string, reason: Reason, run: () => Promise<void>): Promise<void> {
    return this.#parts.read(`${what} ${account.id}`, reason, () =>
      this.#limit(() => {
        // Starting thousands of aborted requests would delay other requests by seconds.
        this.#signal?.throwIfAborted();
        return this.#regions.read(account, run);
      }),
    );
  }

  #isOwn(name: string): boolean {
    return this.#own?.has(name.toLowerCase()) === true;
  }
}

/** Undefined if the scope has another key. */
function onKey(scope: Scope | PlatformScope, key: ManagedKey): DependentScope | undefined {
  const use = scope.keyUri === undefined ? undefined : findScopeKeyUse(scope);
  if (!isUseOfKey(use, key)) return undefined;

  return { name: scope.name, enabled: scope.enabled, mode: getUpdateMode(use), version: use.current };
}

function toDependent(account: Account, key: ManagedKey): DependentAccount {
  const { id, name, location } = account;
  const use = findAccountKeyUse(account.encryption);
  const own = isUseOfKey(use, key) ? use : undefined;
  const mode = own ? getUpdateMode(own) : 'scopesOnly';
  const version = own && getVersionInUse(own);
  const notCutOff = own ? listOwnKeyServices(account) : [];
  return { id, name, region: location, mode, version, shares: [], scopes: [], notCutOff };
}
