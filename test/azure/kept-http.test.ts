import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import type { Services } from '../../src/services.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
/** Every connection to the proxy: a tunnel, and a handshake in it. */
let connections = 0;
let counting: Server;

beforeEach(async () => {
  connections = 0;
  counting = createServer((socket) => {
    connections += 1;
    const onward = connect(Number(new URL(wire.azure.proxyUrl).port), '127.0.0.1');
    socket.on('error', () => onward.destroy()).pipe(onward);
    onward.on('error', () => socket.destroy()).pipe(socket);
  });
  await new Promise<void>((resolve) => counting.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${(counting.address() as AddressInfo).port}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  counting.close();
});

function filesKey({ settings }: Services): ReturnType<typeof managedKey> {
  const vault = settings.vaults.byName('kv-files');
  if (!vault) throw new Error('kv-files is not managed.');
  return managedKey(vault, 'files-key');
}

function twoAccounts(): readonly [ResourceId, ResourceId] {
  const [one, other] = [...wire.azure.world.storageAccounts.values()].map(({ id }) => parseResourceId(id));
  if (!one || !other) throw new Error('The local fleet has fewer than two accounts.');
  return [one, other];
}

it('calls through a proxy share a connection for each host, as calls without one do', async () => {
  const services = wire.services();
  const [account] = twoAccounts();
  for (let call = 0; call < 10; call += 1) {
    await services.keys.listVersions(filesKey(services));
    await services.accounts.get(account);
  }
  expect(connections).toBe(2);
});

it('a call that is slow keeps none of the others waiting', async () => {
  const services = wire.services();
  const [one, other] = twoAccounts();
  await services.accounts.get(one);
  wire.azure.faults.add([{ match: { path: '/storageAccounts/' }, times: 1, delayMs: 2_000 }]);
  const slow = services.accounts.get(one).then(() => 'slow');
  const quick = services.accounts.get(other).then(() => 'quick');
  expect(await Promise.race([slow, quick])).toBe('quick');
  await slow;
  expect(connections).toBe(2);
});
