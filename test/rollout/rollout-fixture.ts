import type { FleetUse } from '../../src/fleet/fleet-index.ts';
import { day, KEY, SUBSCRIPTION, versionName } from '../support/keys.ts';

export const NOW = day(200);

/** The ARM id of the n-th account. */
export function accountId(n: number): string {
  return `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/st${n}`;
}

/** A use of the key by the n-th account, pinned to the version of day 100; changed as told. */
export function fleetUse(n: number, change: Partial<FleetUse> = {}): FleetUse {
  const version = versionName(100);
  return {
    key: KEY.id,
    account: accountId(n),
    location: 'westeurope',
    mode: 'pinned',
    pinned: version,
    current: version,
    readOn: NOW.toISOString(),
    ...change,
  };
}
