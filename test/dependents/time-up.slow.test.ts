import { beforeAll, expect, it } from 'vitest';
import { benchFleet } from '../../local/azure/bench-fleet.ts';
import { addKeyVersion } from '../../local/azure/fleet.ts';
import { abortAfter } from '../../src/azure/deadline.ts';
import { type BlastRadius, readBlastRadius } from '../../src/dependents/blast-radius.ts';
import { readVersionUsers } from '../../src/dependents/version-users.ts';
import { findProbeTargets } from '../../src/effect/probe-targets.ts';
import { type ManagedKey, managedKey } from '../../src/keys/managed-vaults.ts';
import type { Services } from '../../src/services.ts';
import { sampleServices } from '../support/app-services.ts';
import { useLocalAzure } from '../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'empty' });

const ACCOUNTS = 200;
const LIMIT_MS = 3_000;

let vault: ReturnType<typeof benchFleet>['vault'];
let keyName: string;
beforeAll(() => {
  const { world } = local.azure;
  ({ vault, keyName } = benchFleet(world, { accounts: ACCOUNTS, subscriptions: 1, regions: ['westeurope'] }));
  addKeyVersion(world, vault, 'unused');
});

/** Services of which what is asked of each account by itself is answered to nobody, with how often it was, and how often in vain. */
function silentServices() {
  const services = sampleServices({ CMK_VAULTS: vault.id });
  const asked = { before: 0, after: 0 };
  let isOver = false;
  const silence = async (signal: AbortSignal | undefined): Promise<never> => {
    asked[isOver ? 'after' : 'before'] += 1;
    signal?.throwIfAborted();
    return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  };
  async function* nothing(_: unknown, signal?: AbortSignal): AsyncGenerator<never> {
    yield await silence(signal);
  }
  const get = async (): Promise<never> => silence(AbortSignal.abort());
  const accounts: Services['accounts'] = { ...services.accounts, get, listScopes: nothing };
  return {
    asked,
    services: { ...services, fleet: undefined, accounts, shares: { list: nothing } },
    over: () => {
      isOver = true;
    },
  };
}

type Silent = Omit<Services, 'fleet'> & { readonly fleet: undefined };
const read = (key: ManagedKey, services: Silent, signal: AbortSignal): Promise<BlastRadius> =>
  readBlastRadius(key, services, { signal });

// To begin thousands of requests only to give them up holds up everybody else of the instance: a revocation, say.
it.each<[what: string, key: () => string, read: (...of: Parameters<typeof read>) => Promise<unknown>]>([
  ['what depends on a key', () => keyName, read],
  ['what depends on a key that nothing uses', () => 'unused', read],
  ['who uses which version', () => keyName, (key, services, signal) => readVersionUsers(key, services, signal)],
  ['what shows the effect', () => keyName, (key, services) => findProbeTargets(key, services, LIMIT_MS)],
])('nothing more is begun for %s when time is up', async (_, key, gather) => {
  const { services, asked, over } = silentServices();
  const [managed] = services.settings.vaults.all;
  if (!managed) throw new Error('The vault is not managed.');
  setTimeout(over, LIMIT_MS - 1);
  await abortAfter((signal) => gather(managedKey(managed, key()), services, signal), LIMIT_MS + 1);
  // What was waiting for its turn has had it by then.
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(asked.before).toBeGreaterThan(0);
  expect(asked.after).toBeLessThan(ACCOUNTS / 10);
});
