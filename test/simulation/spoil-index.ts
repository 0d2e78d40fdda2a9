import { z } from 'zod';
import type { FleetUse } from '../../src/fleet/fleet-index.ts';
import { keyPartition, subscriptionPartition } from '../../src/fleet/fleet-keys.ts';
import { LISTINGS, toRowChange, UNASKED } from '../../src/fleet/fleet-rows.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';
import type { MemoryFleetTable } from '../support/memory-fleet-table.ts';

/** Ways in which the fleet index may come to be wrong. */
export const SPOILS = [
  'lost',
  'forgets',
  'lies',
  'garbage',
  'phantom',
  'otherKey',
  'otherVersion',
  'noAccounts',
  'future',
  'past',
] as const;
export type Spoil = (typeof SPOILS)[number];

const TIME = z.iso.datetime();
const OTHER_KEY = `${KEY.vault.uri}/keys/other-key`;

/** Makes the index wrong, at once and with nobody noticing. */
export function spoilIndex(table: MemoryFleetTable, how: Spoil): void {
  const partition = keyPartition(KEY.id);
  const rows = table.rows(partition);
  const put = (use: FleetUse): void => table.apply(toRowChange({ put: 'use', use }));
  const each = (properties: Record<string, string>): void => {
    for (const { rowKey } of rows) table.apply({ partitionKey: partition, rowKey, properties });
  };
  const drop = (from: string): void => {
    for (const { partitionKey, rowKey } of table.rows(from)) table.apply({ partitionKey, rowKey });
  };
  const allTimes = (to: string): void => {
    for (const { partitionKey, rowKey, ...properties } of table.all) {
      const times = Object.entries(properties).filter(([, value]) => TIME.safeParse(value).success);
      table.apply({ partitionKey, rowKey, properties: Object.fromEntries(times.map(([name]) => [name, to])) });
    }
  };
  const spoil: Record<Spoil, () => void> = {
    lost: () => table.clear(),
    forgets: () => drop(partition),
    noAccounts: () => drop(subscriptionPartition(SUBSCRIPTION)),
    // It says that it knows everything, and knows nothing.
    lies: () => {
      table.clear();
      const listedOn = new Date(Date.UTC(2026, 5, 2)).toISOString();
      table.apply({ partitionKey: LISTINGS, rowKey: SUBSCRIPTION, properties: { listedOn } });
    },
    garbage: () => each({ readOn: 'some day', account: UNASKED }),
    otherVersion: () => each({ mode: 'automatic', pinned: '', current: 'f'.repeat(32), scopes: 'none' }),
    // By a clock that was wrong.
    future: () => allTimes('2099-01-01T00:00:00.000Z'),
    past: () => allTimes('1999-01-01T00:00:00.000Z'),
    phantom: () => put(useOf('st99', KEY.id)),
    otherKey: () => {
      drop(partition);
      put(useOf('st1', OTHER_KEY));
    },
  };
  spoil[how]();
}

function useOf(name: string, key: string): FleetUse {
  const group = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg`;
  const account = `${group}/providers/Microsoft.Storage/storageAccounts/${name}`;
  return { key, account, location: 'westeurope', mode: 'pinned', readOn: new Date(0).toISOString() };
}
