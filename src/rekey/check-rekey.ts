import type { InSight } from '../accounts/in-sight.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { Account } from '../fleet/account.ts';
import { inManagedSubscriptions } from '../fleet/fleet-keys.ts';
import { accountKeyUse, usesKey } from '../fleet/key-use.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { UseRows } from '../fleet/use-row.ts';
import { checkKeyAccess, type KeyAccessServices } from '../identities/check-key-access.ts';
import type { KeyCatalog, Keys } from '../keys/key-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import { findBlocker } from './blocker.ts';
import { evaluateRekey, excludedUses, type ReadOrWhy, type RekeyCheck, type RekeyFacts } from './rekey-problems.ts';

interface CheckServices extends KeyAccessServices {
  readonly keys: Keys;
  readonly keyCatalog: Pick<KeyCatalog, 'material'>;
  readonly accounts: StorageAccounts;
  readonly useRows: Pick<UseRows, 'of'>;
  readonly orderStore: Pick<OrdersStore, 'read'>;
  /** Ids of the subscriptions whose accounts are searched. */
  readonly searched: () => Promise<readonly string[]>;
  /** Ids of managed subscriptions; undefined if the app cannot read them. */
  readonly inSight: InSight;
  readonly now: () => Date;
}

/**
 * Reads the state that decides whether a re-key may start, and evaluates it. Lists the accounts again; the fleet
 * index adds accounts that use the key only by an encryption scope.
 *
 * @throws the SDK's errors if the existing orders cannot be read
 */
export async function checkRekey(from: ManagedKey, to: ManagedKey, services: CheckServices): Promise<RekeyCheck> {
  const { keyCatalog, vaults, orderStore } = services;
  const [blocker, vault, material, orders, { accounts, ...users }] = await Promise.all([
    findBlocker(from, to, services),
    reading(() => vaults.get(to.vault)),
    reading(() => keyCatalog.material(to)),
    orderStore.read(),
    accountsOf(from, services),
  ]);
  const access = await checkKeyAccess(accounts, to, services);
  return evaluateRekey({ from, to, blocker, vault, material, orders, access, ...users });
}

async function reading<T>(read: () => Promise<T>): Promise<ReadOrWhy<T>> {
  try {
    return { read: await read() };
  } catch (error) {
    return { unread: describe(describeFailure(error)) };
  }
}

async function accountsOf(
  key: ManagedKey,
  { accounts, useRows, searched, inSight }: CheckServices,
): Promise<{ readonly accounts: readonly Account[] } & Pick<RekeyFacts, 'excluded' | 'unread'>> {
  const found: Account[] = [];
  const unread: string[] = [];
  const known = new Set<string>();
  const excluded: string[] = [];
  const isManaged = inManagedSubscriptions(await inSight());
  try {
    for await (const use of useRows.of(key.id)) {
      if (isManaged(use)) known.add(use.account.toLowerCase());
      else excluded.push(use.account);
    }
  } catch (error) {
    unread.push(`The app cannot read the fleet index: ${describe(describeFailure(error))}`);
  }
  for (const subscription of await searched()) {
    try {
      for await (const account of accounts.list(subscription)) {
        const isUser = usesKey(accountKeyUse(account.encryption), key) || known.has(account.id.toLowerCase());
        if (isUser) found.push(account);
      }
    } catch (error) {
      const why = describe(describeFailure(error));
      unread.push(`The app cannot list the accounts of subscription ${subscription}: ${why}`);
    }
  }
  return { accounts: found, excluded: excludedUses(excluded), unread };
}
