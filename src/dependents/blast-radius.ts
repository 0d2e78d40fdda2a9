import pLimit, { type LimitFunction } from 'p-limit';
import { findDependents } from '../accounts/inventory.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { untilAborted } from '../azure/deadline.ts';
import { describe, errorText } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { comparableId } from '../azure/resource-id.ts';
import { type Account, ownKeyServices, type PlatformScope, type Scope } from '../fleet/account.ts';
import { accountKeyUse, scopeKeyUse, usesKey } from '../fleet/key-use.ts';
import type { AccountScopes, StorageAccounts } from '../fleet/storage-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { ownStorage } from '../settings/own-storage.ts';
import type { SearchSettings } from '../settings/settings.ts';
import { compareText } from '../text.ts';
import type { BlastRadius, DependentAccount, DependentScope, OtherDependent, Unread } from './dependent.ts';
import type { ResourceGraph } from './resource-graph-client.ts';
import { usesOfKey, vaultUseQuery } from './resource-graph-query.ts';
import type { FileShares } from './stored-data-client.ts';

/** Resource Graph silently omits resources that the caller may not read. */
const TYPES_OUT_OF_SIGHT =
  'The app may not read resources of some types, including shares of Microsoft.FileShares. To read them, deploy with otherDependents=reader (CMK_OTHER_DEPENDENTS).';

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
  readonly #parts: Parts;
  readonly #limit: LimitFunction;
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
    this.#parts = new Parts(signal);
    const own = ownStorage(services.settings);
    this.#own = own && new Set(own === 'local' ? [] : own);
    this.#ownUnread = this.#own && new Set(this.#own);
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
    // Copies, because late reads may still add shares and scopes.
    const accounts = structuredClone([...this.#accounts.values()]).sort((a, b) => compareText(a.id, b.id));
    // Pairwise comparison of thousands of accounts would block the event loop for a minute.
    const known = new Set(accounts.map(({ id }) => comparableId(id)));
    const otherResources = this.#others
      .filter(({ id }) => !known.has(comparableId(id)))
      .sort((a, b) => compareText(a.id, b.id));
    const unread = this.#parts.missing();
    const storage = [...accounts, ...otherResources.filter(({ type }) => type === 'microsoft.storage/storageaccounts')];
    const isLockedOut = this.#isOwnScopeOnKey || storage.some(({ name }) => this.#isOwn(name));
    return {
      complete: unread.length === 0,
      accounts,
      otherResources,
      selfLockout: isLockedOut || (this.#ownUnread?.size === 0 ? false : 'unknown'),
      unread,
      outOfSight: this.#services.settings.otherDependents === 'listed' ? TYPES_OUT_OF_SIGHT : undefined,
    };
  }

  async #readAccounts(details: Promise<void>[]): Promise<void> {
    const { settings, subscriptions, accounts } = this.#services;
    // The app's own storage may use the key by an encryption scope alone.
    const checkOwn = (account: Account): void => {
      if (this.#isOwn(account.name)) details.push(this.#readOwnStorage(account));
    };
    const missed = await findDependents(
      this.#key,
      settings.subscriptions ?? (await subscriptions.list()),
      {
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
      this.#parts.unread(`${what} ${id}`, reason, describe(failure));
    }
  }

  async #readShares(account: Account, { mode, shares }: DependentAccount): Promise<void> {
    if (mode === 'scopesOnly') return;
    await this.#inTurn(`file shares of ${account.id}`, 'SharesUnreadable', async () => {
      for await (const share of this.#services.shares.list(account, this.#signal)) shares.push(share);
    });
  }

  async #readScopes(account: Account, { mode, scopes, notCutOff }: DependentAccount): Promise<void> {
    await this.#inTurn(`encryption scopes of ${account.id}`, 'ScopesUnreadable', async () => {
      for await (const scope of this.#services.accounts.listAllScopes(account, this.#signal)) {
        const dependent = onKey(scope, this.#key);
        if (dependent) scopes.push(dependent);
        else if (scope.enabled && mode !== 'scopesOnly') notCutOff.push(`scope ${scope.name}`);
      }
    });
  }

  async #readOwnStorage(own: Account): Promise<void> {
    if (usesKey(accountKeyUse(own.encryption), this.#key)) return; // the list reports it as a dependent
    await this.#inTurn(`encryption scopes of the app's own storage ${own.id}`, 'ScopesUnreadable', async () => {
      for await (const scope of this.#services.accounts.listScopes(own, this.#signal)) {
        if (onKey(scope, this.#key)) this.#isOwnScopeOnKey = true;
      }
      this.#ownUnread?.delete(own.name.toLowerCase());
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

  async #readOthers(): Promise<void> {
    const { resourceGraph } = this.#services;
    for await (const row of resourceGraph.query(vaultUseQuery(this.#key.vault), this.#signal)) {
      const other = usesOfKey(row, this.#key);
      if (other) this.#others.push(other);
    }
  }

  #isOwn(name: string): boolean {
    return this.#own?.has(name.toLowerCase()) === true;
  }
}

/** Undefined if the scope has another key. */
function onKey(scope: Scope | PlatformScope, key: ManagedKey): DependentScope | undefined {
  const use = scope.keyUri === undefined ? undefined : scopeKeyUse(scope);
  if (!usesKey(use, key)) return undefined;
  const mode = use.pinned === undefined ? 'automatic' : 'pinned';
  return { name: scope.name, enabled: scope.enabled, mode, version: use.current };
}

function toDependent(account: Account, key: ManagedKey): DependentAccount {
  const { id, name, location } = account;
  const use = accountKeyUse(account.encryption);
  const own = usesKey(use, key) ? use : undefined;
  const mode = own === undefined ? 'scopesOnly' : own.pinned === undefined ? 'automatic' : 'pinned';
  const version = own?.current ?? own?.pinned;
  const notCutOff = own ? ownKeyServices(account) : [];
  return { id, name, region: location, mode, version, shares: [], scopes: [], notCutOff };
}

/** Tracks the parts of a read: pending parts and failed parts. */
export class Parts {
  readonly #signal: AbortSignal | undefined;
  readonly #underWay = new Set<{ readonly what: string }>();
  readonly #unread: Unread[] = [];

  /** @param signal once it aborts, unfinished parts count as late, regardless of their errors */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Reads a part. Records a failure instead of throwing. */
  async read(what: string, reason: Reason, run: () => Promise<void>): Promise<void> {
    const part = { what };
    this.#underWay.add(part);
    try {
      await run();
    } catch (error) {
      this.unread(what, reason, errorText(error));
    } finally {
      this.#underWay.delete(part);
    }
  }

  unread(what: string, reason: Reason, detail: string): void {
    this.#unread.push(this.#signal?.aborted ? late(what) : { what, reason, detail });
  }

  missing(): Unread[] {
    return [...this.#unread, ...[...this.#underWay].map(({ what }) => late(what))];
  }
}

function late(what: string): Unread {
  return { what, reason: 'TimeUp', detail: REASONS.TimeUp };
}
