import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import { useApp } from '../support/app.ts';
import { auditEntries } from '../support/audit-lines.ts';
import { eventually } from '../support/eventually.ts';

// Guards invariants 2 and 8 when a process stands still for minutes in the middle of its moves, and goes on then.

const app = useApp({ instances: 1 });

it('what stands still for three minutes takes no account back, and records nothing twice', async () => {
  const { world } = app.azure;
  const vault = [...world.vaults.values()].find(({ name }) => name === 'kv-files');
  if (!vault) throw new Error('There is no vault.');
  const versions = () => vault.keys.get('files-key')?.versions.map(({ version }) => version) ?? [];
  const accounts = [...world.storageAccounts.values()].filter(({ name }) => name.startsWith('stfiles'));
  const inUse = () =>
    accounts.map(({ encryption }) =>
      versions().indexOf(encryption.keyvaultproperties?.currentVersionedKeyIdentifier?.split('/').at(-1) ?? ''),
    );
  let before = inUse();
  const back: string[] = [];
  const changes: string[] = [];
  const watching = setInterval(() => {
    const now = inUse();
    for (const [n, version] of now.entries()) {
      if (version !== before[n]) changes.push(`${accounts[n]?.name} ${before[n]} ${version}`);
      if (version < (before[n] ?? 0)) back.push(`${accounts[n]?.name} ${before[n]} to ${version}`);
    }
    before = now;
  }, 20);
  try {
    app.azure.clock.advance(1_000);
    const since = app.azure.requests.last;
    app.azure.faults.add([
      { match: { method: 'PATCH', path: 'stfiles0[1-3]\\?' }, times: 3, delayMs: 2_000 },
      { match: { method: 'PATCH', path: 'stfiles0[4-6]\\?' }, times: 3, delayAfterMs: 3_000 },
      { match: { method: 'PATCH', path: 'stfiles0[78]\\?' }, times: 2, delayMs: 50_000 },
    ]);
    rotateKey(world, vault, 'files-key');
    await eventually('all are being moved', () => app.azure.faults.list().length === 0, 30_000);
    const { pid } = app;
    await sleep(500);
    process.kill(pid, 'SIGSTOP');
    await sleep(500);
    await app.start(2);
    app.azure.clock.advance(1_000);
    const next = rotateKey(world, vault, 'files-key');
    setTimeout(() => process.kill(pid, 'SIGCONT'), 109_000);
    await eventually('all are on the newest', () => inUse().every((n) => versions()[n] === next.version), 400_000);
    await app.settled(700_000);
    console.log(changes, app.arm(since).filter(({ method }) => method === 'PATCH').length);
    expect(back).toEqual([]);
    const entries = await auditEntries(app.connectionString);
    const moves = entries.filter(({ action, details }) => action === 'account.move' && details?.scope === undefined);
    const told = moves.map(({ resource, details }) => {
      const order = (id: unknown) => versions().indexOf(String(id).split('/').at(-1) ?? '');
      return `${resource.split('/').at(-1)} ${order(details?.from)} ${order(details?.to)}`;
    });
    expect(told.sort()).toEqual(changes.sort());
    expect(await app.count('account-work-poison')).toBe(0);
  } finally {
    clearInterval(watching);
  }
}, 900_000);
