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

/** A big fleet on one key, for benchmarks: pinned accounts spread evenly over subscriptions and regions. */
export function benchFleet(
  world: World,
  size: { accounts: number; subscriptions: number; regions: readonly string[]; shares?: readonly string[] },
): { vault: Vault; keyName: string; accounts: StorageAccount[] } {
  const subscriptions = Array.from({ length: size.subscriptions }, (_, index) => {
    const subscription = addSubscription(world, { displayName: `Bench ${index + 1}` });
    return { subscription, group: addResourceGroup(world, subscription, `rg-bench-${index + 1}`) };
  });
  const [first] = subscriptions;
  if (!first) throw new RangeError('A bench fleet needs at least one subscription.');
  const vault = addVault(world, first.group, 'kv-bench');
  const keyName = 'bench-key';
  addKeyVersion(world, vault, keyName);
  // One identity for all: role lookups then cost the same whatever the size of the fleet.
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
      key: { vault, keyName, mode: 'pinned' },
      ...(size.shares ? { shares: size.shares } : {}),
    });
  });
  return { vault, keyName, accounts };
}
