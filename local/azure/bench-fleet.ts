import { grantApp } from './app-setup.ts';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addResourceGroup,
  addSubscription,
  addVault,
  allowStorage,
} from './fleet.ts';
import type { StorageAccount, Vault, World } from './world.ts';

/** A large fleet for benchmarks: pinned accounts spread evenly over keys, subscriptions and regions. */
export function benchFleet(
  world: World,
  size: {
    accounts: number;
    subscriptions: number;
    regions: readonly string[];
    shares?: readonly string[];
    keys?: number;
    /** Number of encryption scopes of the first account, each with a key of its own. */
    scopes?: number;
  },
): { vault: Vault; keyName: string; keyNames: readonly string[]; accounts: StorageAccount[] } {
  const subscriptions = Array.from({ length: size.subscriptions }, (_, index) => {
    const subscription = addSubscription(world, { displayName: `Bench ${index + 1}` });
    return { subscription, group: addResourceGroup(world, subscription, `rg-bench-${index + 1}`) };
  });
  const [first] = subscriptions;
  if (!first) throw new RangeError('A bench fleet needs at least one subscription.');

  const vault = addVault(world, first.group, 'kv-bench');
  const keyName = 'bench-key';
  const others = Array.from({ length: (size.keys ?? 1) - 1 }, (_, index) => `${keyName}-${index + 2}`);
  const keyNames = [keyName, ...others];

  for (const name of keyNames) addKeyVersion(world, vault, name);

  const scopes = Array.from({ length: size.scopes ?? 0 }, (_, index) => {
    const key = `bench-scope-key-${String(index).padStart(5, '0')}`;
    addKeyVersion(world, vault, key);
    return { name: `tenant${index}`, key: { vault, keyName: key, mode: 'pinned' } as const };
  });

  // One identity for all, so that role lookups cost the same whatever the size of the fleet.
  const identity = addIdentity(world, first.group, 'id-bench');

  allowStorage(world, vault, identity.principalId);
  grantApp(world, { vaults: [vault], subscriptions: subscriptions.map(({ subscription }) => subscription) });

  const accounts = Array.from({ length: size.accounts }, (_, index) => {
    const { group } = subscriptions[index % subscriptions.length] ?? first;
    const location = size.regions[Math.floor(index / subscriptions.length) % size.regions.length] ?? group.location;

    return addAccount(world, group, {
      name: `stbench${String(index).padStart(6, '0')}`,
      location,
      identity,
      key: { vault, keyName: keyNames[index % keyNames.length] ?? keyName, mode: 'pinned' },
      ...(size.shares ? { shares: size.shares } : {}),
      ...(index === 0 ? { scopes } : {}),
    });
  });

  return { vault, keyName, keyNames, accounts };
}
