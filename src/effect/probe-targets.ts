import { findDependents } from '../accounts/inventory.ts';
import type { StorageAccounts } from '../accounts/storage-client.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import type { FileShare, FileShares } from '../dependents/file-shares-client.ts';
import { limited } from '../dependents/limit.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import type { ProbeTarget } from './probe.ts';

/** Accounts whose shares are listed at the same time. */
const CONCURRENCY = 8;

export interface ProbeTargets {
  readonly targets: readonly ProbeTarget[];
  /** False when something could not be listed in the time there was. */
  readonly complete: boolean;
}

/**
 * The accounts that use a key themselves, each with the share to ask. Accounts that use it by encryption scopes alone are
 * left out: scopes hold blobs, so their file service shows nothing. Never throws; gives up after `ms`.
 */
export async function findProbeTargets(
  key: ManagedKey,
  services: {
    readonly settings: Settings;
    readonly accounts: StorageAccounts;
    readonly subscriptions: Subscriptions;
    readonly shares: FileShares;
  },
  ms: number,
): Promise<ProbeTargets> {
  const { settings, accounts, subscriptions, shares } = services;
  const limit = limited(CONCURRENCY);
  const targets = new Map<string, ProbeTarget>();
  let missed = 0;

  const addTarget = async (account: ResourceId, signal: AbortSignal): Promise<void> => {
    try {
      const found: FileShare[] = [];
      for await (const share of shares.list(account, signal)) found.push(share);
      targets.set(account.id, { account: account.id, share: chooseShare(found) });
    } catch (error) {
      missed += 1;
      const why = `Its file shares cannot be listed: ${describe(describeFailure(error))}`;
      targets.set(account.id, { account: account.id, share: undefined, why });
    }
  };

  const find = async (signal: AbortSignal): Promise<void> => {
    const adding: Promise<void>[] = [];
    const inventory = await findDependents(
      key,
      settings.subscriptions ?? (await subscriptions.list()),
      {
        settings: { ...settings, scopeDiscovery: 'dependents' },
        accounts: { ...accounts, list: (subscription) => accounts.list(subscription, signal) },
      },
      async ({ id }) => {
        const account = parseResourceId(id);
        if (account) adding.push(limit(() => addTarget(account, signal)));
      },
    );
    missed += inventory.unreadableSubscriptions.length;
    await Promise.all(adding);
  };

  const complete = await timeBoxed(async (signal) => {
    try {
      return await untilAborted(find(signal), signal);
    } catch {
      return false; // not even the subscriptions could be listed
    }
  }, ms);
  return { targets: [...targets.values()], complete: complete && missed === 0 };
}

/** The share to ask: the first one over SMB, as listing NFS shares over REST is not possible everywhere. */
export function chooseShare(shares: readonly FileShare[]): string | undefined {
  const byName = [...shares].sort((a, b) => (a.name < b.name ? -1 : 1));
  return (byName.find(({ protocol }) => protocol === 'SMB') ?? byName[0])?.name;
}
