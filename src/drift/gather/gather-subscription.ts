import { describeFailure } from '../../azure/failure.ts';
import { known, type Part, type UnreadPart, unreadPart } from '../../azure/read-or-why.ts';
import type { Account, PlatformScope } from '../../fleet/account.ts';
import type { KeyUse } from '../../fleet/key-use.ts';
import type { AccountScopes, StorageAccounts } from '../../fleet/storage-client.ts';
import type { UseRows } from '../../fleet/use-row.ts';
import { type IdentityState, type KeyAccess, userAssignedIdentity } from '../../identities/key-access.ts';
import { parseKeyIdentifier } from '../../keys/key-identifier.ts';
import { contestOf } from '../../orders/standing-orders.ts';
import { isOptedOut } from '../../settings/requirement.ts';
import type { Settings } from '../../settings/settings.ts';
import { ACCOUNT_CHECKS } from '../checks/checks.ts';
import { evaluate } from '../checks/evaluate.ts';
import { KeyUsage } from '../checks/key-usage.ts';
import { isReverted } from '../checks/left-checks.ts';
import type { AccountSubject, AppSubject, KeySubject, Rules, SeenScope } from '../checks/subjects.ts';
import type { AccountMemory } from '../managed-accounts.ts';
import type { Finding } from '../report.ts';
import { gatherAccount } from './gather-account.ts';
import type { GatheredIdentities } from './gather-identities.ts';
import type { GatheredKeys } from './gather-keys.ts';
import type { GatheredVaults } from './gather-vaults.ts';
import { IndexRows } from './index-rows.ts';

export const LIST_ACCOUNTS = 'Microsoft.Storage/storageAccounts/read';

export interface SubscriptionContext {
  readonly services: {
    readonly accounts: StorageAccounts & AccountScopes;
    readonly settings: Settings;
  };
  readonly rules: Rules;
  readonly vaults: GatheredVaults;
  readonly keys: GatheredKeys;
  readonly identities: GatheredIdentities;
  /** Names of the app's own storage accounts. */
  readonly ownStorage: readonly string[];
  /** Whether this check lists an account's encryption scopes. */
  readonly areScopesDue: (account: Account) => boolean;
  /** The fleet index; undefined if unavailable. */
  readonly rows: Pick<UseRows, 'of'> | undefined;
  /** The tenant of each subscription, by lower-case id. */
  readonly tenants: Part<ReadonlyMap<string, string>>;
  readonly memory: AccountMemory;
  readonly signal: AbortSignal | undefined;
}

/** Result for one subscription. */
export interface SubscriptionResult {
  readonly id: string;
  readonly accounts: number;
  readonly dependents: number;
  readonly scopesLookedAt: number;
  /** Whether every read succeeded. */
  readonly complete: boolean;
  readonly findings: readonly Omit<Finding, 'since'>[];
  /** By lower-case key identifier. */
  readonly usage: ReadonlyMap<string, KeyUsage>;
  readonly unread: readonly UnreadPart[];
  /** Why its part of the index could not be read. */
  readonly indexUnread?: string | undefined;
  /** The app's own storage accounts that use a managed key. */
  readonly lockedOutBy: AppSubject['lockedOutBy'];
}

/**
 * Checks every account of one subscription, page by page. Keeps only findings and numbers, so memory does not grow with
 * the fleet. Never throws: if the list fails, the accounts so far count.
 */
export async function gatherSubscription(id: string, context: SubscriptionContext): Promise<SubscriptionResult> {
  const scan = new SubscriptionScan(id, context);
  try {
    for await (const account of context.services.accounts.list(id, context.signal)) await scan.add(account);
    return scan.result();
  } catch (error) {
    const what = { resource: `/subscriptions/${id}`, what: 'the storage accounts of the subscription' };
    scan.unread(unreadPart({ ...what, action: LIST_ACCOUNTS }, error));
    return scan.result();
  }
}

class SubscriptionScan {
  readonly #id: string;
  readonly #context: SubscriptionContext;
  readonly #index: IndexRows | undefined;
  readonly #findings: Omit<Finding, 'since'>[] = [];
  readonly #usage = new Map<string, KeyUsage>();
  readonly #unread: UnreadPart[] = [];
  readonly #lockedOutBy: { account: string; key: string }[] = [];
  #accounts = 0;
  #dependents = 0;
  #scopesLookedAt = 0;
  #scopesStopped = false;

  constructor(id: string, context: SubscriptionContext) {
    this.#id = id;
    this.#context = context;
    const { rows } = context;
    this.#index = rows && new IndexRows(id, rows);
  }

  async add(account: Account): Promise<void> {
    const { keys, rules } = this.#context;
    this.#accounts += 1;
    const gathered = await gatherAccount(account, {
      key: ({ vaultUri, keyName }) => keys.get(vaultUri, keyName),
      access: (of, key) => this.#access(of, key),
      hasVersion: (key, version) => keys.hasVersion(key, version),
      scopes: async (of, key) =>
        (await this.#listScopes(of)) ?? (key && (await this.#index?.scopesOf(of, key.key))) ?? [],
      isOwn: (of) => this.#isOwn(of),
    });
    const tenantId = known(this.#context.tenants)?.get(account.subscriptionId.toLowerCase());
    const remembered = await this.#remember(gathered);
    const contest = contestOf(rules.contests, account.id, rules.now);
    const { own, use, key, scopes } = gathered;
    if (key || scopes.some((scope) => scope.key)) this.#dependents += 1;
    if (use && key) this.#count(key, account.name, use);
    const blocked = use && key && (await this.#index?.blockOf(account, key.key));
    const subject = { ...gathered, tenantId, contest, blocked, ...remembered };
    for (const scope of scopes) {
      if (scope.use && scope.key) this.#count(scope.key, `${account.name}/${scope.scope.name}`, scope.use);
    }
    for (const of of own ? [key, ...scopes.map((scope) => scope.key)] : []) {
      if (of) this.#lockedOutBy.push({ account: account.id, key: of.key.id });
    }
    // The app repairs no contested account, so its findings have no action.
    const found = evaluate(ACCOUNT_CHECKS, subject, account.id, rules).map(({ action, ...finding }) =>
      action && !contest ? { ...finding, action } : { ...finding, canFix: false },
    );
    this.#findings.push(...found);
  }

  result(): SubscriptionResult {
    return {
      id: this.#id,
      accounts: this.#accounts,
      dependents: this.#dependents,
      scopesLookedAt: this.#scopesLookedAt,
      complete: this.#unread.every(({ beside }) => beside),
      findings: this.#findings,
      usage: this.#usage,
      unread: this.#unread,
      lockedOutBy: this.#lockedOutBy,
      indexUnread: this.#index?.failure,
    };
  }

  /** Stores which managed key an account uses. Returns a key or a newer version that it used before. */
  async #remember({ account, use, key }: AccountSubject): Promise<Pick<AccountSubject, 'before' | 'left'>> {
    const { memory } = this.#context;
    const former = memory.of(account.name);
    if (use && key) {
      const before = former?.key.toLowerCase() === key.key.id.toLowerCase() ? former.version : undefined;
      if (!former || before === undefined || !isReverted(use, key, before)) {
        const lastSeen = this.#context.rules.now;
        memory.remember(account.name, { key: key.key.id, version: use.pinned, lastSeen });
        return {};
      }
      // The newer version stays stored while the account is on an older one.
      memory.remember(account.name, former);
      return { before };
    }
    if (!former) return {};
    // An account that opted out is deleted from memory. If it returns and leaves again, that is a new finding.
    const optedOut = !use && isOptedOut(account.tags, former.lastSeen);
    memory.remember(account.name, optedOut ? undefined : former);
    const parsed = use ? undefined : parseKeyIdentifier(former.key);
    const left = parsed && (await this.#context.keys.get(parsed.vaultUri, parsed.keyName));
    return left ? { left: { key: left, lastSeen: former.lastSeen, pinned: former.version !== undefined } } : {};
  }

  unread(part: UnreadPart): void {
    // Report a failed read once, even if many accounts need it.
    if (this.#unread.some(({ resource, what }) => resource === part.resource && what === part.what)) return;
    this.#unread.push(this.#context.signal?.aborted ? { ...part, kind: 'timeUp' } : part);
  }

  /** Whether the account's identity may use the key. Records failed reads. */
  async #access(account: Account, { key }: KeySubject): Promise<KeyAccess | undefined> {
    const { vaults, identities } = this.#context;
    const id = userAssignedIdentity(account);
    const identity = id === undefined ? undefined : await identities.stateOf(id);
    if (identity && 'unread' in identity) this.unread(identity.unread);
    const state: IdentityState | undefined =
      identity && ('value' in identity ? identity.value : { is: 'unknown', why: identity.unread.detail });
    const vault = await vaults.get(key.vault.uri);
    const answer = await vault?.roles.accessOf(account, key.name, state);
    if (answer?.unread) this.unread(answer.unread);
    return answer?.access;
  }

  /** Undefined if the scopes were not listed. */
  async #listScopes(account: Account): Promise<readonly (SeenScope | PlatformScope)[] | undefined> {
    const { services, areScopesDue, signal } = this.#context;
    if (this.#scopesStopped || !(areScopesDue(account) || this.#isOwn(account))) return undefined;
    const scopes: (SeenScope | PlatformScope)[] = [];
    try {
      for await (const scope of services.accounts.listAllScopes(account, signal)) scopes.push(scope);
      this.#scopesLookedAt += 1;
    } catch (error) {
      const { kind, code } = describeFailure(error);
      // The account was deleted, or its kind has no encryption scopes.
      if (kind === 'notFound' || /NotSupported|NotAllowedOnKind/i.test(code)) return [];
      this.#scopesFailed(account, error);
      return undefined;
    }
    return scopes;
  }

  #scopesFailed(account: Account, error: unknown): void {
    const { kind } = describeFailure(error);
    // The list of the next account would fail too, so report it once.
    this.#scopesStopped = kind === 'throttled' || kind === 'forbidden';
    const which = this.#scopesStopped
      ? { resource: `/subscriptions/${this.#id}`, what: 'the encryption scopes of its accounts' }
      : { resource: account.id, what: 'the encryption scopes of the account' };
    this.unread(unreadPart({ ...which, action: 'Microsoft.Storage/storageAccounts/encryptionScopes/read' }, error));
  }

  #count(key: KeySubject, name: string, use: KeyUse): void {
    const id = key.key.id.toLowerCase();
    const usage = this.#usage.get(id) ?? new KeyUsage();
    this.#usage.set(id, usage);
    usage.add(name, use);
  }

  #isOwn({ name }: Account): boolean {
    return this.#context.ownStorage.includes(name.toLowerCase());
  }
}
