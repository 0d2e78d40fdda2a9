import pMap from 'p-map';
import type { Account } from '../accounts/account.ts';
import type { InSight } from '../accounts/in-sight.ts';
import { findAccountKeyUse, isUseOfKey } from '../accounts/key-use.ts';
import type { StorageAccounts } from '../accounts/storage-client.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { describeAnswerOf, describeError, describeFailure } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { readPart } from '../azure/read-or-why.ts';
import { CmkError } from '../errors/errors.ts';
import { DAY_MS, hasBeenSince } from '../formats/spans.ts';
import { checkKeyAccess, type KeyAccessServices } from '../identities/check-key-access.ts';
import type { FleetIndex } from '../index/fleet-index.ts';
import { parseAccountId, selectManagedUses } from '../index/fleet-keys.ts';
import type { UseRows } from '../index/use-row.ts';
import type { KeyCatalog, Keys } from '../keys/key-client.ts';
import { readKeysRight, readVaultRight } from '../keys/key-rights.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { formatVaultOption } from '../keys/vault-options.ts';
import type { Rekey } from '../orders/standing-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import type { Settings } from '../settings/settings.ts';
import { findRekeyBlocker, type ListedKey, type RekeyBlocker } from './plan.ts';
import {
  type Blocker,
  describeExcludedUses,
  evaluateRekey,
  type RekeyCheck,
  type RekeyFacts,
} from './rekey-problems.ts';

/** Data for {@link findBlocker}. */
export interface BlockerPorts {
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: Pick<Keys, 'listVersions'>;
  readonly now: () => Date;
}

interface CheckServices extends KeyAccessServices, BlockerPorts {
  readonly settings: Pick<Settings, 'vaults' | 'subscriptions'>;
  readonly keyCatalog: Pick<KeyCatalog, 'material'>;
  readonly accounts: StorageAccounts;
  readonly useRows: Pick<UseRows, 'of'>;
  readonly fleet: Pick<FleetIndex, 'listings'>;
  readonly orderStore: Pick<OrdersStore, 'read'>;
  readonly subscriptions: Subscriptions;
  readonly inSight: InSight;
}

/**
 * Reads the state that decides whether a re-key may start, and evaluates it. Lists the accounts again where the fleet
 * index has a use or is old; the index adds accounts that use the key only by an encryption scope.
 *
 * @throws the SDK's errors if the existing orders cannot be read
 */
export async function checkRekey(from: ManagedKey, to: ManagedKey, services: CheckServices): Promise<RekeyCheck> {
  const { keyCatalog, vaults, orderStore } = services;
  const [blocker, vault, material, orders, { accounts, ...users }] = await Promise.all([
    findBlocker({ from: from.id, to: to.id }, services),
    readPart({ resource: to.vault.id, what: 'the vault', action: readVaultRight(to.vault) }, () =>
      vaults.get(to.vault),
    ),
    readPart({ resource: to.id, what: 'the newest version of the key', action: readKeysRight(to.vault) }, () =>
      keyCatalog.material(to),
    ),
    orderStore.read(),
    findAccounts(from, services),
  ]);

  const access = await checkKeyAccess(accounts, to, services);

  return evaluateRekey({ from, to, blocker, vault, material, orders, access, ...users });
}

export type FindServices = Pick<CheckServices, 'useRows' | 'fleet' | 'inSight' | 'now'> & {
  readonly settings: Pick<Settings, 'subscriptions'>;
  readonly accounts: Pick<StorageAccounts, 'list'>;
  readonly subscriptions: Pick<Subscriptions, 'list'>;
};

/**
 * Lists the accounts that use a key. Skips a subscription that the index listed within a day and in which it has no
 * use of the key: a fleet may have a thousand subscriptions.
 */
export async function findAccounts(
  key: ManagedKey,
  { settings, accounts, useRows, fleet, subscriptions, inSight, now }: FindServices,
): Promise<{ readonly accounts: readonly Account[] } & Pick<RekeyFacts, 'excluded' | 'unread'>> {
  const unread: string[] = [];
  const known = new Set<string>();
  const excluded: string[] = [];
  let listings: ReadonlyMap<string, Date> = new Map();
  const isManaged = selectManagedUses(await inSight());
  try {
    for await (const use of useRows.of(key.id)) {
      if (isManaged(use)) known.add(use.account.toLowerCase());
      else excluded.push(use.account);
    }

    listings = await fleet.listings();
  } catch (error) {
    unread.push(`The app cannot read the fleet index: ${describeError(error)}`);
  }

  const used = new Set([...known].map((id) => parseAccountId(id).subscriptionId));
  const since = now().getTime() - DAY_MS;
  const isUnused = (id: string): boolean => !used.has(id) && hasBeenSince(listings.get(id), since, now());
  const all = settings.subscriptions ?? (await subscriptions.list());
  const wanted = all.filter((id) => !isUnused(id.toLowerCase()));

  const list = async (subscription: string): Promise<readonly Account[]> => {
    const found: Account[] = [];
    try {
      for await (const account of accounts.list(subscription)) {
        const isUser = isUseOfKey(findAccountKeyUse(account.encryption), key) || known.has(account.id.toLowerCase());
        if (isUser) found.push(account);
      }
    } catch (error) {
      unread.push(`The app cannot list the accounts of subscription ${subscription}: ${describeError(error)}`);
    }

    return found;
  };

  const found = (await pMap(wanted, list, { concurrency: CONCURRENCY })).flat();

  return { accounts: found, excluded: describeExcludedUses(excluded), unread };
}

/**
 * Lists both keys, and finds why no use may move between them now. An unreadable key also blocks, since it may be
 * revoked. Never throws.
 */
export async function findBlocker(
  { from, to }: Pick<Rekey, 'from' | 'to'>,
  { settings, keys, now }: BlockerPorts,
): Promise<Blocker | undefined> {
  const listed: ListedKey[] = [];

  for (const id of [from, to]) {
    const key = settings.vaults.key(id);
    if (!key) {
      const detail = `CMK_VAULTS no longer names the vault of ${id}.`;
      return { reason: 'VaultNotManaged', detail, fix: 'Add the vault to CMK_VAULTS again.' };
    }

    try {
      listed.push({ key, versions: await keys.listVersions(key) });
    } catch (error) {
      const failure = describeFailure(error);
      const reason = failure.kind === 'forbidden' ? 'VaultUnreadable' : 'ServiceUnavailable';
      const fix = 'Grant the app (or yourself, if you run cmk) a role that reads keys on the vault, and retry.';

      return { reason, detail: `The app cannot read ${key.id}: ${describeAnswerOf(failure)}`, fix };
    }
  }

  const [of, onto] = listed as [ListedKey, ListedKey];
  const blocker = findRekeyBlocker(of, onto, now());

  return blocker && explain(blocker);
}

function explain({ reason, key: { id, name, vault } }: RekeyBlocker): Blocker {
  const repair = 'Create a usable version of the key, or recover the key.';

  switch (reason) {
    case 'KeyNotFound': {
      const fix = `Check the names, create the key (cmk key ensure ${name} ${formatVaultOption(vault)}), or recover the key.`;
      return { reason, detail: `${id} does not exist: it was deleted, or the name is wrong.`, fix };
    }
    case 'RevocationOpen': {
      const fix = 'Restore the key first: a re-key does not end a revocation.';
      return { reason, detail: `${id} is revoked; no use moves off or onto it.`, fix };
    }
    case 'NoUsableVersion':
      return { reason, detail: `${id} has no usable version.`, fix: repair };
    case 'NewestVersionUnusable':
      return { reason, detail: `${id} has a newest version that is not usable.`, fix: repair };
  }
}

/** @throws {@link CmkError} if no use may move back to the source key now */
export async function requireRollback({ id, from, to }: Rekey, ports: BlockerPorts): Promise<void> {
  const blocker = await findBlocker({ from: to, to: from }, ports);
  if (!blocker) return;
  const { reason, detail, fix } = blocker;
  throw new CmkError(reason, detail, `${fix} To end the re-key without a rollback: cmk rekey cancel ${id} --keep`);
}
