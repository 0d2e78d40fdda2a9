import type { Dependent, DiscoveryServices } from '../accounts/dependent.ts';
import { discoverDependents } from '../accounts/discovery.ts';
import { scopeKeyUse, usesKey } from '../accounts/key-use.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import { isSettled, type RekeyOrder, type RekeyStore } from '../fleet/rekey-order.ts';
import type { Keys } from '../keys/key-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { Settings } from '../settings/settings.ts';

export type FindLeftServices = DiscoveryServices & {
  readonly settings: Settings;
  readonly keys: Keys;
  readonly subscriptions: Subscriptions;
};

/** The accounts that an order has had to do with, by ARM id in lower case. */
export interface Rows {
  /** Not where they are to be yet. */
  readonly open: ReadonlyMap<string, Dependent>;
  readonly settled: ReadonlySet<string>;
  /** Tried, and waiting for a person. */
  readonly failed: ReadonlySet<string>;
}

export async function unsettled(order: RekeyOrder, rekeys: Pick<RekeyStore, 'subjects'>): Promise<Rows> {
  const open = new Map<string, Dependent>();
  const settled = new Set<string>();
  const failed = new Set<string>();
  for await (const subject of rekeys.subjects(order.id)) {
    const id = parseResourceId(subject.account);
    if (!id) continue;
    const account = id.id.toLowerCase();
    if (!isSettled(subject, order)) {
      open.set(account, { id: id.id, subscriptionId: id.subscriptionId, location: subject.location });
    } else if (subject.failure) failed.add(account);
    else settled.add(account);
  }
  // One of an account's parts is enough.
  for (const account of open.keys()) settled.delete(account);
  for (const account of failed) {
    settled.delete(account);
    open.delete(account);
  }
  return { open, settled, failed };
}

/** Whoever uses the key, by all that is known, and is not known to fail; those first that were begun. */
export async function stillOn(
  key: ManagedKey,
  { open, failed }: Rows,
  services: FindLeftServices,
  log: Log,
): Promise<readonly Dependent[]> {
  const left = new Map(open);
  const found = async (dependent: Dependent): Promise<void> => {
    const account = dependent.id.toLowerCase();
    // What was begun may be about a scope: it is asked for its scopes, whatever is known of them.
    if (!failed.has(account) && !left.has(account)) left.set(account, dependent);
  };
  await discoverDependents(key, await searched(services), services, found, log);
  return [...left.values()];
}

/**
 * Looks at everything anew, whatever is known: every subscription is listed, and every account of which a scope was moved
 * is asked for its scopes.
 *
 * @returns the accounts that use the key after all, which the index may not know, and what could not be read, one sentence each
 */
export async function verifyUnused(
  order: RekeyOrder,
  key: ManagedKey,
  services: FindLeftServices & { readonly rekeys: Pick<RekeyStore, 'subjects'> },
  log: Log,
): Promise<{ readonly found: readonly Dependent[]; readonly gaps: readonly string[] }> {
  const { ids, list: vanished } = await searched(services);
  const found = new Map<string, Dependent>();
  const discovered = await discoverDependents(
    key,
    { ids, list: ids },
    services,
    async (dependent) => {
      found.set(dependent.id.toLowerCase(), dependent);
    },
    log,
  );
  const gaps = [
    ...vanished.map((id) => `The app does not see subscription ${id} any more.`),
    ...discovered.unreadableSubscriptions.map(
      ({ id, failure }) => `The accounts of subscription ${id} cannot be listed: ${describe(failure)}`,
    ),
    ...discovered.unreadableScopes.map(
      ({ id, failure }) => `The encryption scopes of ${id} cannot be listed: ${describe(failure)}`,
    ),
    ...discovered.toAsk.map(({ id }) => `The encryption scopes of ${id} were not asked for yet.`),
    ...(await askScopesAgain(order, key, services, found)),
  ];
  return { found: [...found.values()], gaps: [...new Set(gaps)] };
}

async function askScopesAgain(
  order: RekeyOrder,
  key: ManagedKey,
  { accounts, rekeys }: FindLeftServices & { readonly rekeys: Pick<RekeyStore, 'subjects'> },
  found: Map<string, Dependent>,
): Promise<string[]> {
  const scoped = new Map<string, string>();
  for await (const { account, scope, location } of rekeys.subjects(order.id)) {
    if (scope !== undefined) scoped.set(account, location);
  }
  const gaps: string[] = [];
  for (const [account, location] of scoped) {
    const id = parseResourceId(account);
    if (!id) continue;
    try {
      for await (const scope of accounts.listScopes(id)) {
        if (!usesKey(scopeKeyUse(scope), key)) continue;
        found.set(account.toLowerCase(), { id: account, subscriptionId: id.subscriptionId, location });
      }
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.kind === 'notFound') continue;
      gaps.push(`The encryption scopes of ${account} cannot be listed: ${describe(failure)}`);
    }
  }
  return gaps;
}

async function searched({
  settings,
  subscriptions,
}: FindLeftServices): Promise<{ readonly ids: readonly string[]; readonly list: readonly string[] }> {
  if (settings.subscriptions) return { ids: settings.subscriptions, list: [] };
  const { ids, vanished } = await subscriptions.seen();
  return { ids, list: vanished };
}
