import { beforeAll, beforeEach, expect, it } from 'vitest';
import { benchFleet } from '../../local/azure/bench-fleet.ts';
import type { Account } from '../../src/accounts/account.ts';
import { parseStorageAccountId } from '../../src/azure/resource-id.ts';
import { createManagedKey, type ManagedKey } from '../../src/keys/managed-vaults.ts';
import { findProbeTargets } from '../../src/probe/probe-targets.ts';
import type { Services } from '../../src/services.ts';
import { fillIndex } from '../support/indexed.ts';
import { keyStatus } from '../support/key-calls.ts';
import { useWire } from '../support/wire.ts';

// 300 accounts in one region of a subscription, where Azure admits 100 lists in five minutes; eight use the key.
const wire = useWire({ fleet: 'empty', keepsStorage: true });
const LISTS = /encryptionScopes|fileServices|storageAccounts\?/i;
const INDEXED_ON = new Date('2026-06-01T12:00:00.000Z');

let services: Services;
let key: ManagedKey;
let subscription = '';

beforeAll(async () => {
  const size = { accounts: 300, subscriptions: 1, regions: ['westeurope'], keys: 38, shares: ['share1'] };
  const { vault, keyName, accounts } = benchFleet(wire.azure.world, size);
  subscription = parseStorageAccountId(accounts[0]?.id ?? '')?.subscriptionId ?? '';
  services = wire.services({ CMK_VAULTS: vault.id, CMK_SUBSCRIPTIONS: '' });
  const [managed] = services.settings.vaults.all;
  if (!managed) throw new Error('The vault is not managed.');
  key = createManagedKey(managed, keyName);
  const listed: readonly Account[] = await Array.fromAsync(services.accounts.list(subscription));
  await fillIndex(subscription, listed, services, INDEXED_ON);
});

beforeEach(() => {
  wire.azure.clock.advance(300_000);
  Object.assign(wire.azure.world.settings, { throttle: true });
});

it('The status of a key sends no list of accounts, scopes or shares, and leaves a worker all lists of the region', async () => {
  const since = wire.azure.requests.last;
  for (let poll = 0; poll < 3; poll += 1) await keyStatus(key, services);
  expect(wire.arm(since, LISTS)).toEqual([]);

  const accounts = await Array.fromAsync(services.accounts.list(subscription));
  // All that Azure admits, but the list of accounts.
  for (const account of accounts.slice(0, 98)) await Array.fromAsync(services.accounts.listScopes(account));
  expect(wire.arm(since).filter(({ status }) => status === 429)).toEqual([]);
});

it('The status of a key names its dependents among many accounts, and when the index read them', async () => {
  const { dependents } = await keyStatus(key, services);
  expect(dependents).toMatchObject({ complete: true, asOf: INDEXED_ON.toISOString(), unread: [] });
  expect(dependents.accounts.map(({ mode, region }) => `${mode} ${region}`)).toEqual(
    Array(8).fill('pinned westeurope'),
  );
});

it('After a read of its status, the shares of all dependents are found to probe a revocation', async () => {
  await keyStatus(key, services);
  const { complete, targets } = await findProbeTargets(key, new Map(), services, 20_000);
  expect(complete).toBe(true);
  expect(targets.map(({ places }) => places)).toEqual(Array(8).fill(['share1']));
});

it('The status of a key asks Resource Graph once a minute', async () => {
  const fresh = wire.services({ CMK_VAULTS: key.vault.id, CMK_SUBSCRIPTIONS: '' });
  const since = wire.azure.requests.last;
  for (let poll = 0; poll < 3; poll += 1) await keyStatus(key, fresh);
  expect(wire.arm(since, /ResourceGraph/)).toHaveLength(1);
});
