import { expect, it } from 'vitest';
import { subscribeApp } from '../../local/azure/app-setup.ts';
import { benchFleet } from '../../local/azure/bench-fleet.ts';
import { addResourceGroup } from '../../local/azure/fleet.ts';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import { useApp } from '../support/app.ts';
import { auditEntries } from '../support/audit-lines.ts';

// Guards invariant 8: every function may be killed at any point and run again, and no work is lost.

let fleet: ReturnType<typeof benchFleet> | undefined;
const app = useApp({
  fleet: 'empty',
  settings: { throttle: true },
  leaseSeconds: 4,
  prepare({ world }) {
    fleet = benchFleet(world, { accounts: 120, subscriptions: 2, regions: ['westeurope', 'northeurope', 'uksouth'] });
    const [subscription] = world.subscriptions.values();
    if (subscription) subscribeApp(world, fleet.vault, addResourceGroup(world, subscription, 'rg-cmk'));
  },
  env: () => ({ CMK_VAULTS: fleet?.vault.id ?? '' }),
});

it('an app that is killed three times while it moves 120 accounts moves every one of them', async () => {
  if (!fleet) throw new Error('There is no fleet.');

  const { vault, keyName, accounts } = fleet;

  app.azure.clock.advance(1_000);

  const since = app.azure.requests.last;
  const next = rotateKey(app.azure.world, vault, keyName);
  const moved = () => accounts.filter(({ encryption }) => encryption.keyvaultproperties?.keyversion === next.version);

  // While the key's message is worked on; with the first accounts in flight; in the middle.
  const moments: [string, () => boolean | Promise<boolean>][] = [
    ['the accounts are being listed', () => app.arm(since, /storageAccounts\?/).length > 0],
    ['20 accounts have moved', () => moved().length >= 20],
    ['70 accounts have moved', () => moved().length >= 70],
  ];

  for (const [what, reached] of moments) {
    await app.inTime(what, reached);

    expect(moved().length, what).toBeLessThan(accounts.length);

    await app.kill();
    await app.start();
  }

  await app.inTime('all accounts have moved', () => moved().length === accounts.length);

  // What was in flight when a worker died is verified two minutes later.
  await app.inTime('no work is left', async () => (await app.left()) === 0);

  // Those in flight when the app was killed may be written to twice: to the same version, which changes nothing.
  const writes = new Map<string, number>();

  for (const { path, method, status } of app.arm(since)) {
    if (method === 'PATCH' && status === 200) writes.set(path, (writes.get(path) ?? 0) + 1);
  }

  expect(writes.size).toBe(accounts.length);
  expect([...writes.values()].filter((count) => count > 1).length).toBeLessThanOrEqual(3 * 24);
  expect(await app.count('fleet-work-poison')).toBe(0);
  expect(await app.count('key-work-poison')).toBe(0);

  // Of each of them there is one proof, also of those whose mover was killed before it could say so.
  const entries = await auditEntries(app.connectionString);

  // A second record of one move has the same id.
  const moves = entries.filter(({ action }) => action === 'account.move');
  const proofs = [...new Map(moves.map(({ id, resource }) => [id, resource])).values()];

  expect(proofs.sort()).toEqual(accounts.map(({ id }) => id).sort());
});
