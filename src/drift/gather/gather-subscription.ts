import type { Account, Scope } from '../../accounts/account.ts';
import { hasNoScopes } from '../../accounts/ask-scopes.ts';
import type { FleetScan, FleetScans } from '../../accounts/fleet-scan.ts';
import type { KeyUse } from '../../accounts/key-use.ts';
import type { StorageAccounts } from '../../accounts/storage-client.ts';
import { describe, describeFailure, type Failure } from '../../azure/failure.ts';
import type { UnreadPart } from '../../azure/read-or-why.ts';
import { type IdentityState, type KeyAccess, userAssignedIdentity } from '../../identities/key-access.ts';
import type { Settings } from '../../settings/settings.ts';
import { ACCOUNT_CHECKS } from '../checks/checks.ts';
import { evaluate } from '../checks/evaluate.ts';
import { KeyUsage } from '../checks/key-usage.ts';
import type { KeySubject, Rules } from '../checks/subjects.ts';
import type { Finding } from '../report.ts';
import type { SubscriptionResult } from '../store/subscription-result.ts';
import { gatherAccount } from './gather-account.ts';
import type { GatheredIdentities } from './gather-identities.ts';
import type { GatheredKeys } from './gather-keys.ts';
import type { VaultRoles } from './vault-roles.ts';

export interface SubscriptionContext {
  readonly services: { readonly accounts: StorageAccounts; readonly settings: Settings };
  readonly rules: Rules;
  readonly keys: GatheredKeys;
  readonly identities: GatheredIdentities;
  /** By vault URI. */
  readonly roles: ReadonlyMap<string, VaultRoles>;
  /** Name of the app's own storage account. */
  readonly ownStorage: string | undefined;
  /** Whether an account's encryption scopes have their turn in this check. */
  readonly scopesTurn: (account: Account) => boolean;
  /** Writes down what is seen; undefined: nobody wants to know. */
  readonly fleet: FleetScans | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Looks at every account of one subscription, page by page: what is kept are findings and numbers, so that memory does
 * not grow with the fleet. It never throws; when the list breaks off, what was seen so far counts, and `failure` says why.
 */
export async function gatherSubscription(
  id: string,
  context: SubscriptionContext,
): Promise<{ readonly result: SubscriptionResult; readonly failure: Failure | undefined }> {
  const fleet = context.fleet?.of(id);
  const scan = new SubscriptionScan(id, context, fleet);
  try {
    for await (const account of context.services.accounts.list(id, context.signal)) await scan.lookAt(account);
    await fleet?.end(true);
    return { result: scan.result(), failure: undefined };
  } catch (error) {
    await fleet?.end(false);
    const failure = describeFailure(error);
    scan.unread('the storage accounts of the subscription', 'Microsoft.Storage/storageAccounts/read', failure);
    return { result: scan.result(), failure };
  }
}

class SubscriptionScan {
  readonly #id: string;
  readonly #context: SubscriptionContext;
  readonly #fleet: FleetScan | undefined;
  readonly #findings: Omit<Finding, 'since'>[] = [];
  readonly #usage = new Map<string, KeyUsage>();
  readonly #unread: SubscriptionResult['unread'] = [];
  readonly #lockedOutBy: SubscriptionResult['lockedOutBy'] = [];
  #accounts = 0;
  #dependents = 0;
  #scopesLookedAt = 0;
  #scopesStopped = false;

  constructor(id: string, context: SubscriptionContext, fleet: FleetScan | undefined) {
    this.#id = id;
    this.#context = context;
    this.#fleet = fleet;
  }

  async lookAt(account: Account): Promise<void> {
    const { keys, rules } = this.#context;
    this.#accounts += 1;
    let asked: readonly Scope[] | undefined;
    const subject = await gatherAccount(account, {
      key: ({ vaultUri, keyName }) => keys.get(vaultUri, keyName),
      access: (of, key) => this.#access(of, key),
      scopes: async (of, key) => {
        asked = await this.#scopes(of, key);
        return asked ?? [];
      },
      isOwn: (of) => this.#isOwn(of),
    });
    const { own, use, key, scopes } = subject;
    if (key || scopes.some((scope) => scope.key)) this.#dependents += 1;
    if (use && key) this.#count(key, account.name, use);
    for (const scope of scopes) {
      if (scope.use && scope.key) this.#count(scope.key, `${account.name}/${scope.scope.name}`, scope.use);
    }
    for (const of of own ? [key, ...scopes.map((scope) => scope.key)] : []) {
      if (of) this.#lockedOutBy.push({ account: account.id, key: of.key.id });
    }
    this.#findings.push(...evaluate(ACCOUNT_CHECKS, subject, account.id, rules));
    await this.#fleet?.saw({ account, scopes: asked });
  }

  result(): SubscriptionResult {
    return {
      id: this.#id,
      accounts: this.#accounts,
      dependents: this.#dependents,
      scopesLookedAt: this.#scopesLookedAt,
      complete: this.#unread.length === 0,
      findings: this.#findings,
      usage: Object.fromEntries([...this.#usage].map(([key, usage]) => [key, usage.toJSON()])),
      unread: this.#unread,
      lockedOutBy: this.#lockedOutBy,
    };
  }

  unread(what: string, action: string, failure: Failure, resource = `/subscriptions/${this.#id}`): void {
    this.#addUnread({ resource, what, action, kind: failure.kind, detail: describe(failure) });
  }

  #addUnread(part: UnreadPart): void {
    // What many accounts need is said once.
    if (this.#unread.some(({ resource, what }) => resource === part.resource && what === part.what)) return;
    this.#unread.push(this.#context.signal?.aborted ? { ...part, kind: 'timeUp' } : part);
  }

  /** Whether the account's identity may use the key, with what could not be read for it. */
  async #access(account: Account, { key }: KeySubject): Promise<KeyAccess | undefined> {
    const { roles, identities } = this.#context;
    const id = userAssignedIdentity(account);
    const identity = id === undefined ? undefined : await identities.stateOf(id);
    if (identity && 'unread' in identity) this.#addUnread(identity.unread);
    const state: IdentityState | undefined =
      identity && ('value' in identity ? identity.value : { is: 'unknown', why: identity.unread.detail });
    const answer = await roles.get(key.vault.uri)?.accessOf(account, key.name, state);
    if (answer?.unread) this.#addUnread(answer.unread);
    return answer?.access;
  }

  /** Undefined: they were not asked for, or could not be listed. */
  async #scopes(account: Account, ownKey: KeySubject | undefined): Promise<readonly Scope[] | undefined> {
    const { services, scopesTurn, signal } = this.#context;
    const wanted = services.settings.scopeDiscovery === 'all' || ownKey !== undefined || this.#isOwn(account);
    if (this.#scopesStopped || !wanted || !(scopesTurn(account) || this.#isOwn(account))) return undefined;
    const scopes: Scope[] = [];
    try {
      for await (const scope of services.accounts.listScopes(account, signal)) {
        scopes.push(scope);
      }
      this.#scopesLookedAt += 1;
    } catch (error) {
      const failure = describeFailure(error);
      if (hasNoScopes(failure)) return [];
      this.#scopesFailed(account, failure);
      return undefined;
    }
    return scopes;
  }

  #scopesFailed(account: Account, failure: Failure): void {
    const action = 'Microsoft.Storage/storageAccounts/encryptionScopes/read';
    if (failure.kind === 'throttled' || failure.kind === 'forbidden') {
      // The next account would be refused too: it is said once.
      this.#scopesStopped = true;
      this.unread('the encryption scopes of its accounts', action, failure);
    } else {
      this.unread('the encryption scopes of the account', action, failure, account.id);
    }
  }

  #count(key: KeySubject, name: string, use: KeyUse): void {
    const id = key.key.id.toLowerCase();
    const usage = this.#usage.get(id) ?? new KeyUsage();
    this.#usage.set(id, usage);
    usage.add(name, use);
  }

  #isOwn({ name }: Account): boolean {
    return this.#context.ownStorage !== undefined && name.toLowerCase() === this.#context.ownStorage;
  }
}
