import pMap from 'p-map';
import { describe, describeFailure } from '../azure/failure.ts';
import type { IndexBuilding } from '../fleet/index-building.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Leases } from '../work/lease-client.ts';
import { allLookedAfter } from './dependent.ts';
import { FleetScans } from './fleet-scan.ts';

/** Subscriptions that are listed at the same time. */
const CONCURRENCY = 8;

export type BuildPorts = Parameters<typeof allLookedAfter>[0] &
  ConstructorParameters<typeof FleetScans>[0] & {
    readonly accounts: Pick<StorageAccounts, 'list'>;
    readonly building: IndexBuilding;
    readonly leases: Leases;
  };

/**
 * Lists every subscription that the app looks after if the fleet index has listed none, so that the users of a key are known
 * before the first drift check. One instance does it, under a lease. The drift check lists what cannot be listed here. Never
 * throws.
 */
export async function buildIndex(ports: BuildPorts, log: Log, signal: AbortSignal): Promise<void> {
  const isBuilt = async (): Promise<boolean> => (await ports.fleet.listings()).size > 0;
  try {
    if (await isBuilt()) return;
    const lease = await ports.leases.acquire('fleet/index');
    if (!lease) return;
    try {
      // Another instance may have built it, and released the lease, since it was asked.
      if (!(await isBuilt())) await ports.building.inTurn(() => listAll(ports, log, signal));
    } finally {
      await lease.release();
    }
  } catch (error) {
    const message = `${REASONS.FleetIndexUnavailable} ${describe(describeFailure(error))}`;
    log({ level: 'warning', reason: 'FleetIndexUnavailable', message });
  }
}

async function listAll(ports: BuildPorts, log: Log, signal: AbortSignal): Promise<void> {
  const { ids } = await allLookedAfter(ports);
  const scans = new FleetScans(ports);
  const list = async (subscription: string): Promise<void> => {
    const scan = scans.of(subscription);
    try {
      for await (const account of ports.accounts.list(subscription, signal))
        await scan.saw({ account, scopes: undefined });
      await scan.end(true);
    } catch (error) {
      await scan.end(false);
      const message = `The storage accounts of subscription ${subscription} cannot be listed: ${describe(describeFailure(error))}`;
      log({ level: 'warning', reason: 'SubscriptionUnreadable', message, subscription });
    }
  };
  await pMap(ids, list, { concurrency: CONCURRENCY });
  for (const [id, on] of scans.listed) ports.building.noteListed(id, on);
  if (scans.failure) throw scans.failure.error;
}
