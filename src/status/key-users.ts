import { countUnlisted, describeUnlistedAccounts, type InSight } from '../accounts/in-sight.ts';
import { getLastName } from '../azure/resource-id.ts';
import type { RotationCounts } from '../controller/decide-rollout.ts';
import { REASONS } from '../errors/reasons.ts';
import type { FleetIndex } from '../index/fleet-index.ts';
import { parseAccountId, selectManagedUses } from '../index/fleet-keys.ts';
import type { UseRow, UseRows } from '../index/use-row.ts';
import type { WorkItems } from '../index/work-items.ts';
import type { UnreadView } from '../key-users/dependent.ts';
import type { KnownAccounts } from '../key-users/known-dependents.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { getVersionInUse } from '../keys/version-in-use.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { KeyUsersView, RotationCostView } from './key-schemas.ts';
import { createRotationCount, type RotationCountPorts, summarize } from './rotation.ts';
import type { RotationSummary } from './rotation-schemas.ts';

/** Number of uses at which the count stops: 20 pages of the index. */
const MOST_USES = 20_000;
const MOST_NAMED = 5;

export interface KeyUsersPorts extends RotationCountPorts {
  readonly useRows: Pick<UseRows, 'of'>;
  readonly fleet: Pick<FleetIndex, 'listings' | 'accounts'>;
  readonly workItems: Pick<WorkItems, 'all'>;
  readonly inSight: InSight;
}

export interface KeyUsers {
  /** Undefined: no use is known, but some subscriptions or encryption scopes were never listed. */
  readonly users: KeyUsersView | undefined;
  /** Why users may be missing: some subscriptions or encryption scopes were never listed, or the key has too many uses. */
  readonly unread: UnreadView[];
  /** Oldest time (ISO 8601) at which the app read one of the users from Azure; undefined: it has read none. */
  readonly asOf: string | undefined;
  /** Undefined if the count is incomplete. */
  readonly rotation: RotationSummary | undefined;
  readonly cost: RotationCostView | undefined;
}

/**
 * @param versions empty: the newest version is unknown
 * @param signal stops the count; the result then has only the values that an incomplete count allows
 * @param accounts receives each use that is counted
 * @throws errors of the index or the rollout store
 */
export async function readKeyUsers(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  ports: KeyUsersPorts,
  signal: AbortSignal,
  accounts?: KnownAccounts,
): Promise<KeyUsers> {
  const { fleet, useRows, now } = ports;
  const isMovable = versions.length > 0 && !openRevocation(versions, now());
  const inSight = await ports.inSight();
  const isManagedSubscription = selectManagedUses(inSight);
  const listings = await fleet.listings();
  const subscriptions = countUnlisted(inSight, listings);
  const hasUnlistedScopes = await haveUnlistedScopes(inSight, ports);
  const unread = unlistedViews(subscriptions, hasUnlistedScopes);
  const age = new IndexAge(listings, inSight);
  const rotation = await createRotationCount(key, versions, ports);
  const uses = new UseCount();
  let complete = subscriptions === 0;

  for await (const use of useRows.of(key.id)) {
    if (signal.aborted) {
      complete = false;
      break;
    }

    if (uses.total >= MOST_USES) {
      unread.push(TOO_MANY);
      complete = false;
      break;
    }

    uses.add(use);
    age.add(use);
    accounts?.add(use);

    if (!isManagedSubscription(use)) continue;

    rotation.add(use);
  }

  const { asOf } = age;

  if (unread.length > 0 && uses.total === 0) {
    return { unread, asOf, users: undefined, rotation: undefined, cost: undefined };
  }

  return {
    unread,
    asOf,
    users: uses.result(complete ? rotation.counts : undefined, complete && !hasUnlistedScopes),
    rotation: complete && versions.length > 0 ? summarize(rotation.result()) : undefined,
    cost: complete && isMovable ? rotation.cost() : undefined,
  };
}

export const WHO = 'who uses the key';

const TOO_MANY: UnreadView = {
  what: WHO,
  reason: 'Unreadable',
  detail: `The key has more than ${MOST_USES.toLocaleString('en')} uses, and the app counted only so many.`,
};

function unlistedViews(subscriptions: number, hasUnlistedScopes: boolean): UnreadView[] {
  if (subscriptions > 0) {
    return [
      { what: WHO, reason: 'FleetNotListed', detail: `Not known yet: ${describeUnlistedAccounts(subscriptions)}.` },
    ];
  }
  return hasUnlistedScopes ? [{ what: WHO, reason: 'ScopesNotListed', detail: REASONS.ScopesNotListed }] : [];
}

/**
 * Whether encryption scopes of any account were never listed, or not since one was created or changed. Only subscriptions with a work item for this can have
 * such accounts. Where the app lists only scopes of dependents, other accounts' scopes are never listed.
 */
async function haveUnlistedScopes(
  inSight: readonly string[] | undefined,
  { fleet, workItems }: Pick<KeyUsersPorts, 'fleet' | 'workItems'>,
): Promise<boolean> {
  const ids = inSight?.map((id) => id.toLowerCase());

  for await (const { kind, subscription, about } of workItems.all()) {
    if (kind !== 'scopes' || ids?.includes(subscription.toLowerCase()) === false) continue;

    // An event or the drift check reported a scope of this account, and no worker has listed it yet.
    if (about !== '') return true;

    for await (const account of fleet.accounts(subscription)) {
      if (account.scopesReadOn === undefined) return true;
    }
  }

  return false;
}

/** Tracks the oldest read from Azure behind what the index has about a key. */
class IndexAge {
  readonly #listings: ReadonlyMap<string, Date>;
  #oldest: string | undefined;

  /** @param inSight managed subscriptions; undefined: each that the index has listed */
  constructor(listings: ReadonlyMap<string, Date>, inSight: readonly string[] | undefined) {
    this.#listings = listings;
    for (const id of inSight ?? listings.keys()) this.#keep(listings.get(id.toLowerCase())?.toISOString());
  }

  get asOf(): string | undefined {
    return this.#oldest;
  }

  add({ account, scope, readOn }: UseRow): void {
    // A list of accounts also confirms rows that it does not write. It shows no scopes, so a scope has its own time.
    const listedOn = scope === undefined ? this.#listings.get(parseAccountId(account).subscriptionId) : undefined;
    const listed = listedOn?.toISOString() ?? '';
    this.#keep(listed > readOn ? listed : readOn);
  }

  #keep(time: string | undefined): void {
    if (time === undefined) return;
    if (this.#oldest === undefined || time < this.#oldest) this.#oldest = time;
  }
}

/** Counts the uses of a key by version, without storing them. */
class UseCount {
  readonly #versions = new Map<string, KeyUsersView['versions'][number]>();
  readonly #all = { accounts: 0, scopes: 0 };
  #oldest = '';

  get total(): number {
    return this.#all.accounts + this.#all.scopes;
  }

  add(use: UseRow): void {
    const { account, scope, readOn } = use;
    const version = getVersionInUse(use);
    const name = version ?? '';
    const count = this.#versions.get(name) ?? { version, accounts: 0, scopes: 0, first: [] };

    this.#versions.set(name, count);

    if (count.first.length < MOST_NAMED) {
      count.first.push(scope ? `${getLastName(account)}/${scope}` : getLastName(account));
    }

    for (const one of [count, this.#all]) {
      if (scope === undefined) one.accounts += 1;
      else one.scopes += 1;
    }

    if (this.#oldest === '' || readOn < this.#oldest) this.#oldest = readOn;
  }

  /**
   * @param counts progress toward the newest usable version; undefined: no usable version, or the key is revoked
   * @param complete whether the count is complete
   */
  result(counts: RotationCounts | undefined, complete: boolean): KeyUsersView {
    const { accounts, scopes } = this.#all;
    return {
      accounts,
      scopes,
      versions: [...this.#versions.values()].sort((a, b) => b.accounts + b.scopes - a.accounts - a.scopes),
      lagging: counts && counts.waiting + counts.failed + counts.left,
      complete,
      oldest: this.#oldest || undefined,
    };
  }
}
