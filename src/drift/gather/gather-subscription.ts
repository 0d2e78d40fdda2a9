import pMap from 'p-map';
import { describeFailure, errorText } from '../../azure/failure.ts';
import { known, type Part, type UnreadPart, unreadPart } from '../../azure/read-or-why.ts';
import { comparableId, scopeResource, splitScope } from '../../azure/resource-id.ts';
import type { Account } from '../../fleet/account.ts';
import { accountRow } from '../../fleet/fleet-keys.ts';
import { useOfAccount, useOfScope } from '../../fleet/read-use.ts';
import { type AccountScopes, hasNoScopes, type StorageAccounts } from '../../fleet/storage-client.ts';
import { type UseRow, type UseRows, versionOfRow } from '../../fleet/use-row.ts';
import { type IdentityState, type KeyAccess, userAssignedIdentity } from '../../identities/key-access.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../../keys/key-identifier.ts';
import { contestOf } from '../../orders/standing-orders.ts';
import { isOptedOut } from '../../settings/requirement.ts';
import type { Settings } from '../../settings/settings.ts';
import { ACCOUNT_CHECKS } from '../checks/checks.ts';
import { evaluate } from '../checks/evaluate.ts';
import { KeyUsage } from '../checks/key-usage.ts';
import { isReverted } from '../checks/left-checks.ts';
import type { AccountSubject, AppSubject, KeySubject, Rules } from '../checks/subjects.ts';
import type { AccountMemory } from '../managed-accounts.ts';
import type { Finding } from '../report.ts';
import { gatherAccount, type SeenScope } from './gather-account.ts';
import type { ReadIdentity } from './gather-identities.ts';
import type { GatheredKeys } from './gather-keys.ts';
import type { GatheredVaults } from './gather-vaults.ts';
import { PARTS, readOnce } from './parts.ts';

/** Maximum number of accounts of a subscription that are read at a time. */
const AT_A_TIME = 4;

export interface SubscriptionContext {
  readonly services: {
    readonly accounts: StorageAccounts & AccountScopes;
    readonly settings: Settings;
  };
  readonly rules: Rules;
  readonly vaults: GatheredVaults;
  readonly keys: GatheredKeys;
  readonly identityOf: ReadIdentity;
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

/** Findings and numbers of one subscription. Its size does not grow with the number of healthy accounts. */
export interface SubscriptionResult {
  readonly id: string;
  accounts: number;
  dependents: number;
  scopesLookedAt: number;
  readonly findings: Omit<Finding, 'since'>[];
  /** By lower-case key identifier. */
  readonly usage: Map<string, KeyUsage>;
  readonly unread: UnreadPart[];
  /** Why its part of the index could not be read. */
  indexUnread?: string | undefined;
  /** The app's own storage accounts that use a managed key. */
  readonly lockedOutBy: AppSubject['lockedOutBy'][number][];
  /** Azure's time stamp of each use of an account whose scopes were listed, by comparable id. */
  readonly stamps: Map<string, string>;
}

/**
 * Checks accounts of one subscription, page by page. Never throws: if the list fails, the accounts so far count.
 *
 * @param accounts absent: every account
 */
export async function gatherSubscription(
  id: string,
  context: SubscriptionContext,
  accounts = context.services.accounts.list(id, context.signal),
): Promise<SubscriptionResult> {
  const scan = new SubscriptionScan(id, context);
  const listed = async function* () {
    try {
      yield* accounts;
    } catch (error) {
      scan.unread(unreadPart(PARTS.accounts(`/subscriptions/${id}`), error));
    }
  };
  await pMap(listed(), (account) => scan.add(account), { concurrency: AT_A_TIME });
  return scan.result;
}

class SubscriptionScan {
  readonly result: SubscriptionResult;
  readonly #context: SubscriptionContext;
  /** The index's rows of each key, by the row of the account. Reads them when the first account uses the key. */
  readonly #rows = readOnce((key: string) => this.#readRows(key));
  #scopesStopped = false;

  constructor(id: string, context: SubscriptionContext) {
    this.#context = context;
    this.result = {
      ...{ id, accounts: 0, dependents: 0, scopesLookedAt: 0, usage: new Map(), stamps: new Map() },
      ...{ findings: [], unread: [], lockedOutBy: [] },
    };
  }

  async add(account: Account): Promise<void> {
    const { keys, rules, tenants, ownStorage } = this.#context;
    const { result } = this;
    result.accounts += 1;
    const own = ownStorage.includes(account.name.toLowerCase());
    const gathered = await gatherAccount(account, {
      key: ({ vaultUri, keyName }) => keys.get(vaultUri, keyName),
      access: (of, key) => this.#access(of, key),
      hasVersion: (key, version) => keys.hasVersion(key, version),
      scopes: async (of, key) => (await this.#listScopes(of, own)) ?? (await this.#rowsOf(of, key)).flatMap(scopesOf),
      own,
    });
    const { key, scopes } = gathered;
    const uses = [gathered, ...scopes].flatMap((one) => (one.use && one.key ? [{ ...one, key: one.key.key }] : []));
    if (uses.length > 0) result.dependents += 1;
    for (const { resource, use, key: of } of uses) {
      const usage = result.usage.get(of.id.toLowerCase()) ?? new KeyUsage();
      result.usage.set(of.id.toLowerCase(), usage);
      const { scope } = splitScope(resource);
      usage.add(scope === undefined ? account.name : `${account.name}/${scope}`, use as NonNullable<typeof use>);
      if (own) result.lockedOutBy.push({ account: account.id, key: of.id });
    }
    const contest = contestOf(rules.contests, account.id, rules.now);
    const subject: AccountSubject = {
      ...{ ...gathered, ...(await this.#remember(gathered)), contest },
      tenantId: known(tenants)?.get(account.subscriptionId.toLowerCase()),
      blocked: blockOf((await this.#rowsOf(account, key)).find(({ scope }) => scope === undefined)),
    };
    // The app repairs no contested account, so its findings have no action.
    const found = evaluate(ACCOUNT_CHECKS, subject, account.id, rules).map(({ action, ...finding }) =>
      action && !contest ? { ...finding, action } : { ...finding, canFix: false },
    );
    result.findings.push(...found);
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
    const { unread } = this.result;
    // Report a failed read once, even if many accounts need it.
    if (unread.some(({ resource, what }) => resource === part.resource && what === part.what)) return;
    unread.push(this.#context.signal?.aborted ? { ...part, kind: 'timeUp' } : part);
  }

  /** Whether the account's identity may use the key. Records failed reads. */
  async #access(account: Account, { key }: KeySubject): Promise<KeyAccess | undefined> {
    const { vaults, identityOf } = this.#context;
    const id = userAssignedIdentity(account);
    const identity = id === undefined ? undefined : await identityOf(id);
    if (identity && 'unread' in identity) this.unread(identity.unread);
    const state: IdentityState | undefined =
      identity && ('value' in identity ? identity.value : { is: 'unknown', why: identity.unread.detail });
    const vault = await vaults.get(key.vault.uri);
    const answer = await vault?.roles.accessOf(account, key.name, state);
    if (answer?.unread) this.unread(answer.unread);
    return answer?.access;
  }

  /** Undefined if the scopes were not listed. */
  async #listScopes(account: Account, own: boolean): Promise<readonly SeenScope[] | undefined> {
    const { services, areScopesDue, signal } = this.#context;
    if (this.#scopesStopped || !(areScopesDue(account) || own)) return undefined;
    const { about, stamp, startedOn } = useOfAccount(account, new Date(0));
    this.result.stamps.set(comparableId(account.id), stamp);
    const scopes: SeenScope[] = [];
    try {
      for await (const scope of services.accounts.listAllScopes(account, signal)) {
        scopes.push(scope);
        if (scope.keyUri === undefined) continue;
        const id = comparableId(scopeResource(account.id, scope.name));
        this.result.stamps.set(id, useOfScope(scope, about, startedOn).stamp);
      }
      this.result.scopesLookedAt += 1;
      return scopes;
    } catch (error) {
      const failure = describeFailure(error);
      if (hasNoScopes(failure)) return [];
      // The list of the next account would fail too, so report it once.
      this.#scopesStopped ||= failure.kind === 'throttled' || failure.kind === 'forbidden';
      const what = this.#scopesStopped ? PARTS.allScopes(`/subscriptions/${this.result.id}`) : PARTS.scopes(account.id);
      this.unread(unreadPart(what, error));
      return undefined;
    }
  }

  /** The index's rows of an account and its scopes with the account's key. */
  async #rowsOf(account: Account, key: KeySubject | undefined): Promise<readonly UseRow[]> {
    return (key && (await this.#rows.get(key.key.id)).get(accountRow(account.id))) ?? [];
  }

  async #readRows(key: string): Promise<ReadonlyMap<string, readonly UseRow[]>> {
    const { result } = this;
    const rows: UseRow[] = [];
    try {
      if (result.indexUnread !== undefined) return new Map();
      for await (const row of this.#context.rows?.of(key, result.id) ?? []) rows.push(row);
    } catch (error) {
      result.indexUnread ??= errorText(error);
    }
    return Map.groupBy(rows, ({ account }) => accountRow(account));
  }
}

/** What blocked the last move of an account. */
function blockOf(row: UseRow | undefined): AccountSubject['blocked'] {
  if (row?.state !== 'failed') return undefined;
  return row.reason === 'ScopeLocked' || row.reason === 'DeniedByPolicy' ? row.reason : undefined;
}

/** The scope of a row; none for the account itself. */
function scopesOf(row: UseRow): readonly SeenScope[] {
  const key = parseKeyIdentifier(row.key);
  if (!key || row.scope === undefined) return [];
  return [{ name: row.scope, keyUri: formatKeyIdentifier(key, row.pinned), currentKeyId: versionOfRow(row) }];
}
