import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ClientSecretCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { CLIENT_IDS, TENANT_ID } from '../../../local/azure/constants.ts';
import type { EventRecord } from '../../../local/azure/event-grid/delivery.ts';
import { eventually } from '../../support/eventually.ts';
import { useLocalAzure } from '../../support/local-azure.ts';

const delivered: { functionName: string | null; type: string; subject: string }[] = [];
let answer = 202;
const functions = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => {
    text += chunk;
  });

  request.on('end', () => {
    const { type, subject } = JSON.parse(text);
    const functionName = new URL(request.url ?? '', 'http://functions').searchParams.get('functionName');
    delivered.push({ functionName, type, subject });
    response.writeHead(answer).end();
  });
});
const local = useLocalAzure({
  fleet: 'sample',
  functionsHost: () => `http://127.0.0.1:${(functions.address() as AddressInfo).port}`,
});

beforeAll(() => new Promise<void>((resolve) => functions.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise((resolve) => functions.close(resolve)));
beforeEach(() => {
  delivered.length = 0;
  answer = 202;
});

function keys(vault: string): KeyClient {
  const secret = local.azure.world.principals.get(CLIENT_IDS.owner)?.secret ?? '';
  return new KeyClient(
    `https://${vault}.vault.azure.net`,
    new ClientSecretCredential(TENANT_ID, CLIENT_IDS.owner, secret),
  );
}

async function control(method: string, path: string, body?: unknown): Promise<Response> {
  const response = await fetch(`${local.azure.controlUrl}${path}`, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
  });
  expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true);
  return response;
}

const arrived = (count: number) => eventually(`${count} deliveries`, () => delivered.length >= count);

it('Event Grid applies the faults and the clock of the control API, and lists its attempts at /events', async () => {
  await control('POST', '/faults', [
    { match: { delivery: true, function: 'keyNewVersionCreated' }, times: 1, duplicate: 2 },
  ]);
  await keys('kv-files').rotateKey('archive-key');
  await arrived(2);
  answer = 500;
  await keys('kv-records').rotateKey('records-key');
  await arrived(3);
  answer = 202;
  await eventually('the failed attempt', () => record('records-key')?.attempts[0]?.status);
  await control('POST', '/clock', { advance: 'PT10S' });
  await arrived(4);

  await eventually('the delivery', () => record('records-key')?.outcome === 'delivered');

  const events = (await (await control('GET', '/events')).json()) as EventRecord[];
  expect(events.find(({ subject }) => subject === 'records-key')).toMatchObject({
    function: 'keyNewVersionCreated',
    outcome: 'delivered',
    attempts: [{ status: 500 }, { status: 202 }],
  });

  expect(delivered.map(({ subject }) => subject)).toEqual(['archive-key', 'archive-key', 'records-key', 'records-key']);
});

function record(subject: string): EventRecord | undefined {
  return (local.azure.events as EventRecord[]).find((one) => one.subject === subject);
}
