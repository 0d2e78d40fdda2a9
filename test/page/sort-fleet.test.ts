import { describe, expect, it } from 'vitest';
import type { FleetRow } from '../../page/src/api/types.ts';
import { fleetCsv, parseSort, sortFleet } from '../../page/src/views/sort-fleet.ts';
import type { HealthState } from '../../src/status/health-states.ts';

const row = (name: string, state: HealthState, region = 'westeurope', since?: string): FleetRow => ({
  name,
  id: `/subscriptions/s/${name}`,
  subscription: 's',
  resourceGroup: 'rg',
  region,
  tags: {},
  health: { state, ...(since ? { since } : {}) },
  lastRead: '2026-11-27T00:00:00.000Z',
});
const ROWS = [
  row('a', 'Serving'),
  row('c', 'NoAccess', '=cmd()', '2026-11-27T00:00:00.000Z'),
  row('b', 'NoAccess', 'northeurope', '2026-11-26T00:00:00.000Z'),
  row('d', 'Revoked'),
];
const order = (sort: string | null) => sortFleet(ROWS, parseSort(sort)).map(({ name }) => name);

describe('the order of the fleet', () => {
  it('The fleet is sorted by the worst health first, then by name, unless the caller asks for another order', () => {
    expect(order(null)).toEqual(['d', 'b', 'c', 'a']);
    expect(order('nonsense')).toEqual(order(null));
  });

  it('The fleet is sorted in either direction, with empty values last', () => {
    expect(order('since').slice(0, 2)).toEqual(['b', 'c']);
    expect(order('-since').slice(0, 2)).toEqual(['c', 'b']);
    expect(order('-account')).toEqual(['d', 'c', 'b', 'a']);
  });
});

it('A cell in the CSV of the fleet is no formula', () => {
  expect(fleetCsv(ROWS.slice(1, 2)).split('\r\n')[1]).toContain(",'=cmd(),s,");
});
