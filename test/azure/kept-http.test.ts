import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type LookupFunction, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { certificates } from '../../local/azure/wire/certificates.ts';
import { deadlineHttp } from '../../src/azure/deadline.ts';
import { createKeptHttp } from '../../src/azure/kept-http.ts';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { revokeKey } from '../../src/revocation/revoke.ts';
import type { Services } from '../../src/services.ts';
import { enabledOf, keyOf } from '../break-glass/break-glass-fixture.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
/** Every connection to the proxy: a tunnel, and a handshake in it. */
let connections = 0;
let open: Socket[] = [];
let counting: Server;

beforeEach(async () => {
  connections = 0;
  open = [];
  counting = createServer((socket) => {
    connections += 1;
    open.push(socket);
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

function keyNamed(name: string, { settings }: Services): ReturnType<typeof createManagedKey> {
  const vault = settings.vaults.byName('kv-files');
  if (!vault) throw new Error('kv-files is not managed.');
  return createManagedKey(vault, name);
}

function twoAccounts(): readonly [ResourceId, ResourceId] {
  const [one, other] = [...wire.azure.world.storageAccounts.values()].map(({ id }) => parseResourceId(id));
  if (!one || !other) throw new Error('The local fleet has fewer than two accounts.');
  return [one, other];
}

it('calls through a proxy share a connection for each host, as calls without a proxy do', async () => {
  const services = wire.services();
  const [account] = twoAccounts();
  for (let call = 0; call < 10; call += 1) {
    await services.keys.listVersions(keyNamed('files-key', services));
    await services.accounts.get(account);
  }
  expect(connections).toBe(2);
});

it('a revocation completes within ten seconds although every kept connection died silently', async () => {
  const services = wire.services();
  const key = keyOf(wire.azure, 5);

  await Promise.all(Array.from({ length: 8 }, () => services.urgentKeys.listVersions(keyNamed('files-key', services))));

  expect(connections).toBe(8);

  for (const socket of open) socket.unpipe().pause();

  const started = performance.now();

  const { urgentKeys: keys, now, sleep } = services;
  const by = { id: 'f00d', revokedBy: '0b1ec700-0000-4000-8000-000000000011' };
  const revoked = await revokeKey(keyNamed(key.name, services), by, { keys, now, sleep });

  expect(revoked.complete).toBe(true);
  expect(enabledOf(key)).toEqual(Array(5).fill(false));
  expect(performance.now() - started).toBeLessThan(30_000);
}, 30_000);

it('without a proxy, connections are kept too, and closed after one of them hung', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cmk-kept-'));

  onTestFinished(() => rm(folder, { recursive: true }));

  const { cert, key, caPath } = await certificates(folder);
  const heard = new Map<unknown, number>();
  let isDead = false;
  const server = createHttpsServer({ cert, key }, ({ socket }, response) => {
    const isKept = heard.has(socket);
    heard.set(socket, (heard.get(socket) ?? 0) + 1);
    if (!isDead || !isKept) response.end('{}');
  });

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close().closeAllConnections();
  });

  const { port } = server.address() as AddressInfo;
  const lookup: LookupFunction = (_, __, found) => found(null, [{ address: '127.0.0.1', family: 4 }]);
  const trusted = getCACertificates();

  onTestFinished(() => setDefaultCACertificates(trusted));
  setDefaultCACertificates([await readFile(caPath, 'utf8')]);

  const kept = deadlineHttp(() => 500, createKeptHttp());
  const requestOverrides = { port, lookup };
  const ask = () => kept.sendRequest(createPipelineRequest({ url: 'https://management.azure.com/', requestOverrides }));

  for (let call = 0; call < 5; call += 1) await ask();

  expect([...heard.values()]).toEqual([5]);

  await Promise.all([ask(), ask(), ask()]);

  expect(heard.size).toBe(3);

  isDead = true;

  await expect(ask()).rejects.toThrow('management.azure.com did not answer within 0.5 s.');
  expect(await ask()).toMatchObject({ status: 200 });
});
