import { expect, it } from 'vitest';
import type { DriftReport } from '../../src/drift/report.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { type FleetPorts, readFleet } from '../../src/views/read-fleet.ts';
import { account, NOW } from '../drift/checks/subjects.ts';
import { report } from '../drift/reports.ts';
import { VAULT_ID } from '../support/keys.ts';

const settings = readSettings({ CMK_VAULTS: VAULT_ID, AzureWebJobsStorage: 'UseDevelopmentStorage=true' });
const { subscriptionId } = account();
const covering = (accounts: number): DriftReport => {
  const whole = report({ findings: [] });
  const subscriptions = [{ id: subscriptionId, accounts, scopesLookedAt: 0, complete: true }];
  return { ...whole, coverage: { ...whole.coverage, subscriptions } };
};

/** What is warned of where the index has listed some subscriptions, and holds no account. */
async function read(listed: readonly string[], newest: DriftReport | undefined, inSight?: readonly string[]) {
  const ports: FleetPorts = {
    settings,
    inSight: async () => inSight,
    fleet: {
      listings: async () => new Map(listed.map((id) => [id, NOW])),
      accounts: async function* () {},
    },
    useRows: { async *of() {} },
    keys: { listVersions: async () => [] },
    effects: { read: async () => undefined },
    driftStorage: {
      newest: async () => newest,
      details: async () => ({ findings: [], fixes: [], unseen: [] }),
      managedAccounts: async () => ({}),
    },
    now: () => NOW,
  };
  return readFleet(ports);
}

async function warnings(...of: Parameters<typeof read>): Promise<readonly string[]> {
  return (await read(...of)).warnings;
}

it('readFleet warns of a subscription in the report that the index has not listed', async () => {
  expect(await warnings([], covering(2_000))).toEqual([
    `The fleet index has not listed subscription ${subscriptionId} yet, where the last check found 2,000 accounts. This list may lack them.`,
  ]);
  expect(await warnings([subscriptionId], covering(2_000))).toEqual([]);
  expect(await warnings([], covering(0))).toEqual([]);
});

it('readFleet warns of unlisted subscriptions before the first drift check', async () => {
  expect(await warnings([], undefined)).toEqual([
    'Not known yet: the accounts of 1 subscription have not been listed. This list may lack them.',
  ]);
  expect(await warnings([subscriptionId], undefined)).toEqual([]);
});

it('readFleet counts subscriptions in sight that were never listed', async () => {
  const other = '99999999-9999-4999-8999-999999999999';
  const unlisted = async (...of: Parameters<typeof read>) => (await read(...of)).unlisted;
  expect(await unlisted([subscriptionId], undefined, [subscriptionId, other])).toBe(1);
  expect(await unlisted([subscriptionId, other], undefined, [subscriptionId.toUpperCase(), other])).toBe(0);
  expect(await unlisted([], undefined)).toBe(1);
  expect(await unlisted([subscriptionId], undefined)).toBe(0);
});
