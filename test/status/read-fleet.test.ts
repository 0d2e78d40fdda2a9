import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { IndexLimit } from '../../src/index/index-limit.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { FleetSnapshots } from '../../src/status/fleet-snapshots.ts';
import { type FleetPorts, readFleet } from '../../src/status/read-fleet.ts';
import { account, NOW } from '../drift/checks/subjects.ts';
import { VAULT_ID } from '../support/keys.ts';

const settings = readSettings({ CMK_VAULTS: VAULT_ID, AzureWebJobsStorage: 'UseDevelopmentStorage=true' });
const { subscriptionId } = account();

/** An index without accounts. */
const portsOf = (listings: FleetPorts['fleet']['listings'], inSight?: readonly string[]): FleetPorts => ({
  settings,
  inSight: async () => inSight,
  fleet: { listings, accounts: async function* () {} },
  useRows: { async *of() {} },
  keys: { listVersions: async () => [] },
  effects: { read: async () => undefined },
  driftStorage: { newest: async () => undefined, details: async () => undefined, managedAccounts: async () => ({}) },
  now: () => NOW,
});

it('readFleet counts subscriptions in sight that were never listed', async () => {
  const other = '99999999-9999-4999-8999-999999999999';
  const unlisted = async (listed: readonly string[], inSight?: readonly string[]) => {
    const listings = async () => new Map(listed.map((id) => [id, NOW]));
    return (await readFleet(portsOf(listings, inSight))).unlisted;
  };
  expect(await unlisted([subscriptionId], [subscriptionId, other])).toBe(1);
  expect(await unlisted([subscriptionId, other], [subscriptionId.toUpperCase(), other])).toBe(0);
  expect(await unlisted([])).toBe(1);
  expect(await unlisted([subscriptionId])).toBe(0);
});

it('The fleet is read once for concurrent calls, and for the pages that follow', async () => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });

  let readings = 0;
  const ports = portsOf(async () => {
    readings += 1;
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    return new Map();
  });

  const snapshots = new FleetSnapshots();
  for (let ms = 0; ms < 20_000; ms += 10_000) {
    snapshots.get(ports);
    await vi.advanceTimersByTimeAsync(10_000);
  }

  expect(readings).toBe(1);

  await vi.advanceTimersByTimeAsync(10_000);
  snapshots.get(ports);

  expect(readings).toBe(2);
});

describe('An index that a writer of its table has filled', () => {
  const filled = (tag: string) => {
    const ports = portsOf(async () => new Map([[subscriptionId, NOW]]));
    let accounts = 0;
    const fleet: FleetPorts['fleet'] = {
      ...ports.fleet,
      async *accounts() {
        for (; accounts < 1_000; accounts += 1) {
          const id = account().id.replace(/[^/]+$/, `st${accounts}`);
          yield { account: id, location: 'westeurope', tags: { tag }, scopeKeys: [], writtenOn: NOW.toISOString() };
        }
      },
    };

    return { ports: { ...ports, fleet }, read: () => accounts };
  };

  it.each([
    ['too many rows', '', { rows: 100, characters: 1_000_000 }],
    ['too much text', 'x'.repeat(10_000), { rows: 100_000, characters: 1_000_000 }],
  ])('An index with %s is read in part, with a warning: the same process revokes keys', async (_, tag, most) => {
    const { ports, read } = filled(tag);
    const { accounts, warnings } = await readFleet(ports, new IndexLimit(most));
    expect(accounts.length).toBeLessThanOrEqual(100);
    expect(read()).toBe(accounts.length);
    expect(warnings).toEqual([expect.stringContaining('shows only some of the accounts')]);
  });

  it('An index is read whole below the limits', async () => {
    const { accounts, warnings } = await readFleet(filled('').ports, new IndexLimit());
    expect([accounts.length, warnings]).toEqual([1_000, []]);
  });
});
