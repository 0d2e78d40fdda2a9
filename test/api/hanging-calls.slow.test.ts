import { expect, it } from 'vitest';
import { enabledOf, keyOf } from '../break-glass/break-glass-fixture.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { routeCalls } from './route-calls.ts';

const wire = useWire();

it('a revocation ends before six that the same person started earlier in a vault that hangs', async () => {
  const call = routeCalls(wire, 'operator');
  const revoke = (vault: string, key: string) =>
    call('revokeKey', { vault, key, body: { reason: 'All of them, now', confirm: `${vault}/${key}` } });
  const hanging = Array.from({ length: 6 }, () => keyOf(wire.azure, 1));
  const own = new TestKey(wire.azure.world, 'kv-records');

  wire.azure.faults.add([{ match: { host: 'kv-files.vault.azure.net' }, hang: true }]);

  const order: string[] = [];
  const first = hanging.map((key) => revoke('kv-files', key.name).then(() => order.push('hanging')));
  const { status } = await revoke('kv-records', own.name);

  order.push('own');

  expect(status).toBe(200);
  expect(enabledOf(own)).toEqual([false]);
  expect(order).toEqual(['own']);

  await Promise.all(first);
});

it('a person reads the list of keys while two dry runs of the same person hang', async () => {
  const call = routeCalls(wire, 'operator');
  const key = keyOf(wire.azure, 1);

  wire.azure.faults.add([{ match: { path: 'Microsoft.ResourceGraph' }, hang: true }]);

  const order: string[] = [];
  const dryRuns = [1, 2].map(() =>
    call('revokeKey', { vault: 'kv-files', key: key.name, query: '?dryRun=true' }).then(() => order.push('dry run')),
  );

  await new Promise(setImmediate);

  const { status } = await call('keys', {});

  order.push('read');

  expect(status).toBe(200);
  expect(order).toEqual(['read']);

  await Promise.all(dryRuns);
});
