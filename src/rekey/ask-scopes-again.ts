import { accountPlace, type Dependent } from '../accounts/dependent.ts';
import type { InSight } from '../accounts/in-sight.ts';
import { scopeKeyUse, usesKey } from '../accounts/key-use.ts';
import type { StorageAccounts } from '../accounts/storage-client.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { parseStorageAccountId, type ResourceId } from '../azure/resource-id.ts';
import type { FleetAccount, FleetIndex } from '../fleet/fleet-index.ts';
import type { RekeyOrder, RekeyStore } from '../fleet/rekey-order.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import { LeftOut } from './left-out.ts';

const UNKNOWN =
  'Which encryption scopes are known to use the old key could not be read: the fleet index is out of reach.';

interface AskAgainServices {
  readonly accounts: Pick<StorageAccounts, 'listScopes'>;
  readonly rekeys: Pick<RekeyStore, 'subjects'>;
  readonly fleet: FleetIndex;
  readonly inSight: InSight;
  readonly settings: Pick<Settings, 'scopeDiscovery'>;
  /** Whether what was found hangs on the index; otherwise everybody was asked already. */
  readonly isIndexed: boolean;
}

export function notAsked(account: string): string {
  return `The encryption scopes of ${account} were not asked for yet.`;
}

/**
 * Asks accounts for their scopes whatever the index has as users of the key: those of which the order has had to do with a
 * scope, and those that are kept with one that uses it. The rows of a key and those of accounts are written apart, and either
 * may be lost or spoilt.
 *
 * @param found those that use the key
 * @returns what could not be read, one sentence each
 */
export async function askScopesAgain(
  order: RekeyOrder,
  key: ManagedKey,
  subscriptions: readonly string[],
  services: AskAgainServices,
  found: Map<string, Dependent>,
): Promise<string[]> {
  const { gaps, scoped } = await knownScoped(key, subscriptions, services);
  const leftOut = new LeftOut(await services.inSight());
  for await (const { account, scope, location } of services.rekeys.subjects(order.id)) {
    const id = parseStorageAccountId(account);
    if (id && scope !== undefined && !leftOut.has({ account })) scoped.set(id.id.toLowerCase(), { id, location });
  }
  for (const { id, location } of scoped.values()) {
    try {
      for await (const scope of services.accounts.listScopes(id)) {
        if (!usesKey(scopeKeyUse(scope), key)) continue;
        found.set(id.id.toLowerCase(), { id: id.id, subscriptionId: id.subscriptionId, location });
      }
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.kind === 'notFound') continue;
      gaps.push(`The encryption scopes of ${id.id} cannot be listed: ${describe(failure)}`);
    }
  }
  return gaps;
}

interface KnownScoped {
  readonly gaps: string[];
  /** By ARM id in lower case. */
  readonly scoped: Map<string, { readonly id: ResourceId; readonly location: string }>;
}

/** The accounts that are kept with a scope that uses the key. Those that were never asked, and that nobody asks, are to be. */
async function knownScoped(
  key: ManagedKey,
  subscriptions: readonly string[],
  { fleet, settings, isIndexed }: AskAgainServices,
): Promise<KnownScoped> {
  const scoped: KnownScoped['scoped'] = new Map();
  const never: FleetAccount[] = [];
  if (!isIndexed) return { gaps: [], scoped };
  try {
    for (const subscription of subscriptions) {
      for await (const account of fleet.accounts(subscription)) {
        const id = parseStorageAccountId(account.account);
        if (!id) continue;
        if (account.scopeUses.some((use) => sameKeyName(use.key, key.id))) {
          scoped.set(id.id.toLowerCase(), { id, location: account.location });
        }
        if (account.scopes === undefined && settings.scopeDiscovery === 'all') never.push(account);
      }
    }
    return { gaps: await askAnew(never, fleet), scoped };
  } catch {
    return { gaps: [UNKNOWN], scoped };
  }
}

/** Nobody is sent to an account whose row among those that were never asked is lost: the next step finds it there again. */
async function askAnew(never: readonly FleetAccount[], fleet: FleetIndex): Promise<string[]> {
  if (never.length === 0) return [];
  const places = new Set<string>();
  for await (const { account } of fleet.unasked()) places.add(accountPlace(account));
  const lost = never.filter(({ account }) => !places.has(accountPlace(account)));
  await fleet.write(
    lost.map(({ account, location, key }) => ({
      put: 'unasked',
      account: { account, location, ...(key ? { key } : {}) },
    })),
  );
  return lost.map(({ account }) => notAsked(account));
}
