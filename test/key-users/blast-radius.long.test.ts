import { expect, it } from 'vitest';
import { benchFleet } from '../../local/azure/bench-fleet.ts';
import { abortAfter } from '../../src/azure/deadline.ts';
import { readBlastRadius } from '../../src/key-users/blast-radius.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { sampleServices } from '../support/app-services.ts';
import { useLocalAzure } from '../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'empty' });

const LIMIT_MS = 20_000;
/** A revocation waits for as long as an answer is put together. Milliseconds. */
const MOST_HELD_UP_MS = 3_000;

it('the blast radius of thousands of accounts is returned in time, delays no other call, and has each account once', async () => {
  const { world } = local.azure;
  const { vault, keyName, accounts } = benchFleet(world, {
    accounts: 2_000,
    subscriptions: 4,
    regions: ['westeurope'],
  });

  const services = sampleServices({ CMK_VAULTS: vault.id });
  const [managed] = services.settings.vaults.all;
  if (!managed) throw new Error('The vault is not managed.');

  // What is read of each account alone is not there in time, as of so many; the lists are.
  for (const path of ['fileServices', 'encryptionScopes']) local.azure.faults.add([{ match: { path }, hang: true }]);

  const began = performance.now();
  const read = (signal: AbortSignal) => readBlastRadius(createManagedKey(managed, keyName), services, signal);
  const radius = await abortAfter(read, LIMIT_MS);

  expect(performance.now() - began - LIMIT_MS).toBeLessThan(MOST_HELD_UP_MS);
  expect(radius.unread.filter(({ what }) => !what.includes(' of /subscriptions/'))).toEqual([]);
  expect(radius.accounts).toHaveLength(accounts.length);
  expect(radius.otherResources).toEqual([]);
});
