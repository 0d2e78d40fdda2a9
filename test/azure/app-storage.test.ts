import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { auditContainer } from '../../src/audit/audit-client.ts';
import { controlContainer, controlTable, workContainer, workQueues, workTable } from '../../src/azure/app-storage.ts';
import { describeFailure } from '../../src/azure/failure.ts';
import { OWN_STORAGE_MS } from '../../src/azure/limits.ts';
import { createWorkQueue } from '../../src/work/work-queue-client.ts';

const noCredential = (): never => {
  throw new Error('A connection string needs no credential.');
};
const work = { kind: 'key', key: 'https://kv-files.vault.azure.net/keys/k', attempt: 0 } as never;

let silent: Server;
let asked = 0;
let storage: { connectionString: string };
beforeEach(async () => {
  asked = 0;
  silent = createServer(() => {
    asked += 1; // and never answers
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/st`;
  const key = Buffer.from('key').toString('base64');
  storage = {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=st;AccountKey=${key};BlobEndpoint=${base};QueueEndpoint=${base}`,
  };
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  silent.closeAllConnections();
  silent.close();
});

describe("the app's own storage that hangs is given up", () => {
  it.each<[string, () => Promise<unknown>]>([
    ['a message', () => createWorkQueue({ storage }, noCredential).send('key-work' as never, work)],
    ['a poison message', () => createWorkQueue({ storage }, noCredential).poison('key-work' as never, '{}')],
    ['the length of a queue', () => workQueues({ storage }, noCredential).getQueueClient('key-work').getProperties()],
    ['a blob', () => workContainer({ storage }, noCredential, 'c').getBlobClient('b').getProperties()],
    ['a list', () => workContainer({ storage }, noCredential, 'c').listBlobsFlat().next()],
  ])('%s', async (_, call) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let failed: unknown;
    const called = call().catch((error: unknown) => {
      failed = error;
    });
    while (asked === 0) await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(OWN_STORAGE_MS);
    vi.useRealTimers();
    await called;
    expect(failed).toMatchObject({
      name: 'TimeoutError',
      message: expect.stringMatching(/did not answer within 10 s/),
    });
    expect(describeFailure(failed).kind).toBe('unavailable');
    expect(asked).toBe(1);
  });
});

it("one call to the app's own storage that hangs is the last on connections that died with its own", async () => {
  // Tests on the local Azure leave it to those that run beside them.
  for (const name of ['HTTPS_PROXY', 'https_proxy']) vi.stubEnv(name, undefined);
  const blob = workContainer({ storage }, noCredential, 'c').getBlobClient('b');
  const waiting: ServerResponse[] = [];
  const known = new Set<Socket>();
  silent.removeAllListeners('request').on('request', ({ socket }, response) => {
    if (known.has(socket)) return;
    response.setHeader('content-length', 0);
    known.add(socket);
    if (known.size > 3) response.end();
    else if (waiting.push(response) === 3) for (const each of waiting) each.end();
  });
  await Promise.all([blob.exists(), blob.exists(), blob.exists()]);
  await new Promise((resolve) => setImmediate(resolve)); // until they are put back
  await expect(blob.exists({ abortSignal: AbortSignal.timeout(300) })).rejects.toMatchObject({ name: 'TimeoutError' });
  const limit = { abortSignal: AbortSignal.timeout(1_500) };
  expect(await Promise.all([blob.exists(limit), blob.exists(limit)])).toEqual([true, true]);
});

it("the app's own storage is reached through a proxy where there is one", async () => {
  const tunnels: string[] = [];
  silent.on('connect', ({ url }, socket: Socket) => {
    tunnels.push(url ?? '');
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
  const key = Buffer.from('key').toString('base64');
  const connectionString = `DefaultEndpointsProtocol=https;AccountName=stapp;AccountKey=${key};EndpointSuffix=core.windows.net`;
  const container = workContainer({ storage: { connectionString } }, noCredential, 'c');
  await container.exists({ abortSignal: AbortSignal.timeout(3_000) }).catch(() => {});
  expect(tunnels).toContain('stapp.blob.core.windows.net:443');
});

it('what causes work is in the account of the work zone, what decides in the other, and the trail in its own', () => {
  const named = (accountName: string) => ({
    accountName,
    blobUri: `https://${accountName}.blob`,
    queueUri: `https://${accountName}.queue`,
    tableUri: `https://${accountName}.table`,
  });
  const zones = { storage: { ...named('control'), work: named('work'), audit: named('audit') } };
  const credential = () => ({ getToken: async () => null });
  expect({
    queues: workQueues(zones, credential).url,
    index: workTable(zones, credential, 't').url,
    leases: workContainer(zones, credential, 'c').url,
    orders: controlContainer(zones, credential, 'c').url,
    rekeys: controlTable(zones, credential, 't').url,
    trail: auditContainer(zones, credential).url,
    approvals: auditContainer(zones, credential, 'cmk-approvals').url,
  }).toEqual({
    queues: 'https://work.queue',
    index: 'https://work.table',
    leases: 'https://work.blob/c',
    orders: 'https://control.blob/c',
    rekeys: 'https://control.table',
    trail: 'https://audit.blob/cmk-audit',
    approvals: 'https://control.blob/cmk-approvals',
  });
});
