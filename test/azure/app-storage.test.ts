import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openAuditContainer } from '../../src/audit/audit-client.ts';
import {
  openControlContainer,
  openControlTable,
  openWorkContainer,
  openWorkQueues,
  openWorkTable,
} from '../../src/azure/app-storage.ts';
import { describeFailure } from '../../src/azure/failure.ts';
import { OWN_STORAGE_MS } from '../../src/azure/limits.ts';
import { createWorkQueue } from '../../src/work/work-queue-client.ts';

const noCredential = (): never => {
  throw new Error('A connection string needs no credential.');
};
const work = { kind: 'key', key: 'https://kv-files.vault.azure.net/keys/k' } as never;

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

describe("calls of the app's own storage", () => {
  it.each<[string, () => Promise<unknown>]>([
    ['a message', () => createWorkQueue({ storage }, noCredential).send('key-work' as never, work)],
    [
      'the length of a queue',
      () => openWorkQueues({ storage }, noCredential).getQueueClient('key-work').getProperties(),
    ],
    ['a blob', () => openWorkContainer({ storage }, noCredential, 'c').getBlobClient('b').getProperties()],
  ])("A call of the app's own storage that hangs is aborted: %s", async (_, call) => {
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

it('the app reaches its own storage through the configured proxy', async () => {
  const tunnels: string[] = [];

  silent.on('connect', ({ url }, socket: Socket) => {
    tunnels.push(url ?? '');
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${(silent.address() as AddressInfo).port}`);

  const key = Buffer.from('key').toString('base64');
  const connectionString = `DefaultEndpointsProtocol=https;AccountName=stapp;AccountKey=${key};EndpointSuffix=core.windows.net`;
  const container = openWorkContainer({ storage: { connectionString } }, noCredential, 'c');

  await container.exists({ abortSignal: AbortSignal.timeout(3_000) }).catch(() => {});

  expect(tunnels).toContain('stapp.blob.core.windows.net:443');
});

it('queues and the index are in the account of the work zone, orders in the control account, the trail in its own', () => {
  const named = (accountName: string) => ({
    accountName,
    blobUri: `https://${accountName}.blob`,
    queueUri: `https://${accountName}.queue`,
    tableUri: `https://${accountName}.table`,
  });

  const zones = { storage: { ...named('control'), work: named('work'), audit: named('audit') } };
  const credential = () => ({ getToken: async () => null });

  expect({
    queues: openWorkQueues(zones, credential).url,
    index: openWorkTable(zones, credential, 't').url,
    leases: openWorkContainer(zones, credential, 'c').url,
    orders: openControlContainer(zones, credential, 'c').url,
    rekeys: openControlTable(zones, credential, 't').url,
    trail: openAuditContainer(zones, credential).url,
    copied: openAuditContainer(zones, credential, 'c').url,
  }).toEqual({
    queues: 'https://work.queue',
    index: 'https://work.table',
    leases: 'https://work.blob/c',
    orders: 'https://control.blob/c',
    rekeys: 'https://control.table',
    trail: 'https://audit.blob/cmk-audit',
    copied: 'https://control.blob/c',
  });
});
