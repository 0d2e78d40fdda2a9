import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '../../src/settings/settings.ts';
import { FleetSnapshots } from '../../src/views/fleet.ts';
import type { FleetPorts } from '../../src/views/read-fleet.ts';
import { NOW } from '../drift/checks/subjects.ts';
import { VAULT_ID } from '../support/keys.ts';

const settings = readSettings({ CMK_VAULTS: VAULT_ID, AzureWebJobsStorage: 'UseDevelopmentStorage=true' });
const READING_MS = 10_000;

it('The fleet is read once for concurrent calls, and for the pages that follow', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let readings = 0;
  const ports: FleetPorts = {
    settings,
    inSight: async () => undefined,
    fleet: {
      listings: async () => {
        readings += 1;
        await new Promise((resolve) => setTimeout(resolve, READING_MS));
        return new Map();
      },
      accounts: async function* () {},
    },
    useRows: { async *of() {} },
    keys: { listVersions: async () => [] },
    effects: { read: async () => undefined },
    driftStorage: { newest: async () => undefined, details: async () => undefined, managedAccounts: async () => ({}) },
    now: () => NOW,
  };
  const snapshots = new FleetSnapshots();
  for (let ms = 0; ms < READING_MS + 10_000; ms += 10_000) {
    void snapshots.get(ports);
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(readings).toBe(1);
  await vi.advanceTimersByTimeAsync(10_000);
  void snapshots.get(ports);
  expect(readings).toBe(2);
});
