import { createHash } from 'node:crypto';
import pMap from 'p-map';
import type { Account } from '../../accounts/account.ts';
import type { MoveDenial } from '../../accounts/move-denials.ts';
import { confirmDenialsOf, readMoveDenials } from '../../accounts/read-move-denials.ts';
import { describeError, describeFailure } from '../../azure/failure.ts';
import { CONCURRENCY } from '../../azure/limits.ts';
import { readOnce } from '../../azure/read-once.ts';
import { getKnown, readPart, toUnreadPart, type UnreadPart } from '../../azure/read-or-why.ts';
import { formatScopeId, splitScope, toComparableId } from '../../azure/resource-id.ts';
import { toUseOfAccount, toUseOfScope } from '../../controller/read-use.ts';
import { findUserAssignedIdentity, type IdentityState, type KeyAccess } from '../../identities/key-access.ts';
import { formatAccountRow } from '../../index/fleet-keys.ts';
import { getVersionOfRow, type UseRow } from '../../index/use-row.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../../keys/key-identifier.ts';
import { findNewestUsableVersion } from '../../keys/key-versions.ts';
import { findContest } from '../../orders/standing-orders.ts';
import { listOwnStorage } from '../../settings/own-storage.ts';
import { isOptedOut } from '../../settings/requirement.ts';
import { ACCOUNT_CHECKS } from '../checks/checks.ts';
import { evaluate } from '../checks/evaluate.ts';
import { isReverted } from '../checks/left-checks.ts';
import {
  type AccountSubject,
  type AppSubject,
  type KeySubject,
  listManagedUses,
  type Rules,
  type UseSubject,
} from '../checks/subjects.ts';
import { AccountMemory, type ManagedMemory } from '../report/managed-accounts.ts';
import type { Finding, ReportBefore } from '../report/report.ts';
import { gatherAccount, type SeenScope } from './gather-account.ts';
import { createIdentityReader } from './gather-identities.ts';
import { createGatheredKeys } from './gather-keys.ts';
import { createGatheredVaults } from './gather-vaults.ts';
import { type GatherServices, PARTS } from './parts.ts';

/** Maximum number of accounts of a subscription that are read at a time. */
const CONCURRENT_ACCOUNTS = 4;

/**
 * Maximum number of accounts per subscription whose encryption scopes one check lists. Each account needs a separate
 * call. The Storage resource provider permits 100 lists per five minutes, subscription and region, and moves need them
 * too.
 */
export const SCOPE_LISTS = 40;

/** Maximum number of accounts per subscription and check that Azure Policy evaluates anew. */
const EVALUATIONS = 20;

type SubscriptionContext = Awaited<ReturnType<typeof createContext>>;

/** The context for reading subscriptions. Reads vaults, keys and identities when the first account names them. */
export async function createContext({
  signal,
  rules,
  services,
  previous,
  memory,
  areScopesDue = selectScopesDue(previous),
}: {
  readonly signal?: AbortSignal | undefined;
  readonly rules: Rules;
  readonly services: GatherServices;
  readonly previous?: ReportBefore | undefined;
  readonly memory: ManagedMemory | undefined;
  /** Whether this check lists an account's encryption scopes. Absent: each check lists a rotating share. */
  readonly areScopesDue?: (account: Account) => boolean;
}) {
  const vaults = createGatheredVaults(services, rules, signal);
  const own = listOwnStorage(services.settings);

  return {
    services,
    rules,
    vaults,
    areScopesDue,
    signal,
    keys: createGatheredKeys(vaults, services),
    identityOf: createIdentityReader(services, signal),
    /** Names of the app's own storage accounts. */
    ownStorage: own === 'local' || own === undefined ? [] : own,
    /** The tenant of each subscription, by lower-case id. */
    tenants: await readPart(PARTS.tenants('/subscriptions'), () => services.tenants.tenants()),
    memory: new AccountMemory(memory ?? {}),
  };
}

/** Findings and numbers of one subscription. Its size does not grow with the number of healthy accounts. */
export interface SubscriptionResult {
  readonly id: string;
  accounts: number;
  dependents: number;
  scopesLookedAt: number;
  readonly findings: Omit<Finding, 'since'>[];
  readonly unread: UnreadPart[];
  /** Why its part of the index could not be read. */
  indexUnread?: string | undefined;
  /** The app's own storage accounts that use a managed key. */
  readonly lockedOutBy: AppSubject['lockedOutBy'][number][];
  /** Names of the app's own storage accounts that it contains. */
  readonly ownSeen: string[];
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
  const failed = (error: unknown) => scan.unread(toUnreadPart(PARTS.accounts(`/subscriptions/${id}`), error));
  const listed = async function* () {
    try {
      yield* accounts;
    } catch (error) {
      failed(error);
    }
  };

  await pMap(listed(), (account) => scan.add(account).catch(failed), { concurrency: CONCURRENT_ACCOUNTS });

  return scan.result;
}

class SubscriptionScan {
  readonly result: SubscriptionResult;
  readonly #context: SubscriptionContext;
  /**
   * Index rows of scopes and of failed moves, by key and account. The checks need no others. Reads a key's rows when the
   * first account uses the key.
   */
  readonly #rows = readOnce((key: string) => this.#readRows(key));
  /** What Azure Policy denies. Read when the first account needs it. */
  readonly #denials = readOnce((id: string) => this.#readDenials(id));
  #evaluations = 0;
  #scopesStopped = false;

  constructor(id: string, context: SubscriptionContext) {
    this.#context = context;
    const counts = { accounts: 0, dependents: 0, scopesLookedAt: 0 };
    this.result = { id, ...counts, findings: [], unread: [], lockedOutBy: [], ownSeen: [], stamps: new Map() };
  }

  async add(account: Account): Promise<void> {
    const { keys, rules, tenants, ownStorage } = this.#context;
    const { result } = this;

    result.accounts += 1;

    const name = account.name.toLowerCase();
    const own = ownStorage.includes(name);
    if (own) result.ownSeen.push(name);

    const gathered = await gatherAccount(account, {
      key: ({ vaultUri, keyName }) => keys.get(vaultUri, keyName),
      access: (of, key) => this.#access(of, key),
      hasVersion: (key, version) => keys.hasVersion(key, version),
      scopes: async (of, key) => (await this.#listScopes(of, own)) ?? (await this.#rowsOf(of, key)).flatMap(scopesOf),
      own,
    });

    const uses = listManagedUses(gathered);
    if (uses.length > 0) result.dependents += 1;

    for (const { resource, use, key } of uses) {
      const { scope } = splitScope(resource);
      key.usage.add(scope === undefined ? account.name : `${account.name}/${scope}`, use);
      if (own) result.lockedOutBy.push({ account: account.id, key: key.key.id });
    }

    const contest = findContest(rules.contests, account.id, rules.now);
    const subject: AccountSubject = {
      ...gathered,
      ...(await this.#remember(gathered)),
      contest,
      asked: await this.#askedFor(account, gathered),
      scopes: await pMap(
        gathered.scopes,
        async (scope) => ({ ...scope, asked: await this.#askedFor(account, scope) }),
        {
          concurrency: CONCURRENCY,
        },
      ),
      moveDenials: await this.#denialsOf(gathered),
      tenantId: getKnown(tenants)?.get(account.subscriptionId.toLowerCase()),
      blocked: findBlockReason((await this.#rowsOf(account, gathered.key)).find(({ scope }) => scope === undefined)),
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
    const id = findUserAssignedIdentity(account);
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

    const { about, stamp, startedOn } = toUseOfAccount(account, new Date(0));
    this.result.stamps.set(toComparableId(account.id), stamp);

    const scopes: SeenScope[] = [];
    try {
      for await (const scope of services.accounts.listAllScopes(account, signal)) {
        scopes.push(scope);

        if (scope.keyUri === undefined) continue;

        const id = toComparableId(formatScopeId(account.id, scope.name));
        this.result.stamps.set(id, toUseOfScope(scope, about, startedOn).stamp);
      }

      this.result.scopesLookedAt += 1;
      return scopes;
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.kind === 'notFound') return [];

      // The list of the next account would fail too, so report it once.
      this.#scopesStopped ||= failure.kind === 'throttled' || failure.kind === 'forbidden';

      const what = this.#scopesStopped ? PARTS.allScopes(`/subscriptions/${this.result.id}`) : PARTS.scopes(account.id);
      this.unread(toUnreadPart(what, error));

      return undefined;
    }
  }

  /** The denials of an account that the next rotation of its key moves. */
  async #denialsOf({ account, use, key }: AccountSubject): Promise<readonly MoveDenial[]> {
    if (!use || !key) return [];

    const { services, signal } = this.#context;
    const read = await this.#denials.get(this.result.id);
    const denials = read?.denials.get(account.id.toLowerCase());
    if (!read || !denials || this.#evaluations >= EVALUATIONS) return denials ?? [];

    this.#evaluations += 1;

    return confirmDenialsOf(account, read, services.policyInsights, signal);
  }

  async #readDenials(id: string) {
    const { services, signal } = this.#context;
    const part = await readPart(PARTS.moveDenials(`/subscriptions/${id}`), () =>
      readMoveDenials(id, services.policyInsights, signal),
    );
    if ('unread' in part) this.unread(part.unread);

    return getKnown(part);
  }

  /** Returns the version for which the app asked Storage to check. Reads the index only for an automatic use that lags. */
  async #askedFor(account: Account, { resource, use, key }: UseSubject): Promise<string | undefined> {
    if (!use || use.pinned !== undefined || !key) return undefined;
    const newest = findNewestUsableVersion(getKnown(key.versions) ?? [], this.#context.rules.now);
    if (!newest || newest.version === use.current) return undefined;

    const name = splitScope(resource).scope?.toLowerCase();
    const rows = await this.#rowsOf(account, key);
    const row = rows.find(({ scope }) => scope?.toLowerCase() === name);
    return row && hasRefreshBeenRequested(row) ? row.target : undefined;
  }

  /** The rows of an account and its scopes with the account's key. */
  async #rowsOf(account: Account, key: KeySubject | undefined): Promise<readonly UseRow[]> {
    return (key && (await this.#rows.get(key.key.id)).get(formatAccountRow(account.id))) ?? [];
  }

  async #readRows(key: string): Promise<ReadonlyMap<string, readonly UseRow[]>> {
    const { result } = this;
    const rows: UseRow[] = [];
    try {
      if (result.indexUnread !== undefined) return new Map();
      for await (const row of this.#context.services.useRows?.of(key, result.id) ?? []) {
        if (row.scope !== undefined || row.state === 'failed' || hasRefreshBeenRequested(row)) rows.push(row);
      }
    } catch (error) {
      result.indexUnread ??= describeError(error);
    }

    return Map.groupBy(rows, ({ account }) => formatAccountRow(account));
  }
}

/** Whether the app asked Storage to check for the row's target, and Storage's answer showed another version. */
function hasRefreshBeenRequested({ state, reason }: UseRow): boolean {
  return state === 'skipped' && reason === 'LaggingAutomaticVersion';
}

/** Returns what blocked the last move of an account; undefined: nothing did. */
function findBlockReason(row: UseRow | undefined): AccountSubject['blocked'] {
  if (row?.state !== 'failed') return undefined;
  return row.reason === 'ScopeLocked' || row.reason === 'DeniedByPolicy' ? row.reason : undefined;
}

/** Returns the scope of a row; empty for a row of the account itself. */
function scopesOf(row: UseRow): readonly SeenScope[] {
  const key = parseKeyIdentifier(row.key);
  if (!key || row.scope === undefined) return [];
  return [{ name: row.scope, keyUri: formatKeyIdentifier(key, row.pinned), currentKeyId: getVersionOfRow(row) }];
}

/**
 * Selects the accounts whose encryption scopes this check lists: all accounts of a small subscription, and a rotating
 * share of a large subscription. Accounts with a finding on a scope are always listed.
 */
export function selectScopesDue(previous: ReportBefore | undefined): (account: Account) => boolean {
  const round = countNextRound(previous);

  const shares = new Map(
    (previous?.coverage.subscriptions ?? []).map(({ id, accounts }) => [
      id,
      Math.max(1, Math.ceil(accounts / SCOPE_LISTS)),
    ]),
  );

  const withFindings = new Set(
    (previous?.findings ?? []).flatMap(({ resource }) => {
      const { account, scope } = splitScope(resource);
      return scope === undefined ? [] : [account.toLowerCase()];
    }),
  );

  const listed = new Map<string, number>();

  return ({ id, subscriptionId }) => {
    const share = shares.get(subscriptionId);
    const lists = listed.get(subscriptionId) ?? 0;
    // The size of a new subscription is unknown, so its first accounts are listed.
    const isDue = share === undefined ? lists < SCOPE_LISTS : slot(id, share) === round % share;
    if (!isDue && !withFindings.has(id.toLowerCase())) return false;
    listed.set(subscriptionId, lists + 1);
    return true;
  };
}

export function countNextRound(previous: ReportBefore | undefined): number {
  return (previous?.coverage.round ?? -1) + 1;
}

function slot(id: string, slots: number): number {
  return createHash('sha256').update(id.toLowerCase()).digest().readUInt32BE(0) % slots;
}
