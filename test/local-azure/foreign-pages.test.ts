import { request } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { useHost } from '../local-host/fixture.ts';
import { useAzurite } from '../support/azurite.ts';
import { useLocalAzure } from '../support/local-azure.ts';

// What a page in the developer's browser could do to the local run: call it by a name that resolves to 127.0.0.1 (DNS
// rebinding), or send it a form.

const azurite = useAzurite();
const local = useLocalAzure({ storage: () => azurite.connectionString });
const host = useHost();

async function call(url: string, headers: Record<string, string>, body?: string) {
  return new Promise<number>((resolve, reject) => {
    const sent = request(url, { method: body === undefined ? 'GET' : 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

const blobs = (connectionString = '') => /BlobEndpoint=(http:[^;]+)/.exec(connectionString)?.[1] ?? '';
const SERVERS: Record<string, () => string> = {
  'the control API': () => `${local.azure.controlUrl}/settings`,
  'the sign-in': () => `${local.azure.signInUrl}/common/discovery/instance`,
  'the managed identity': () => local.azure.env.IDENTITY_ENDPOINT ?? '',
  'the storage': () => blobs(azurite.connectionString),
  'the storage front': () => blobs(local.azure.storage),
  'the Functions host': () => `${host.url}/admin/host/status`,
};

describe.each(Object.entries(SERVERS))('%s', (server, url) => {
  it.each(['attacker.example', 'attacker.example:7071', '127.0.0.1.attacker.example', 'localhost.attacker.example'])(
    `A request with the Host %j does not reach ${server}`,
    async (name) => {
      expect(await call(url(), { host: name })).toBe(421);
    },
  );

  it.each(['127.0.0.1', '127.0.0.1:7071', 'localhost', 'LOCALHOST:7071', '[::1]:7071'])(
    `A request with the Host %j reaches ${server}`,
    async (name) => {
      expect(await call(url(), { host: name })).not.toBe(421);
    },
  );
});

describe('a body that a form could send', () => {
  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/json', ''])(
    'The control API and the Functions host reject a request from a page with the content type %j',
    async (type) => {
      const page = { origin: 'https://attacker.example' };
      const headers: Record<string, string> = type === '' ? page : { ...page, 'content-type': type };
      const before = local.azure.clock.now();
      expect(await call(`${local.azure.controlUrl}/clock`, headers, '{"advance":"PT24H"}')).toBe(415);
      expect(local.azure.clock.now().getTime() - before.getTime()).toBeLessThan(3_600_000);

      const onTimer = vi.fn();
      host.handlers = { onTimer };
      expect(await call(`${host.url}/admin/functions/onTimer`, headers, '{"input":""}')).toBe(415);
      expect(onTimer).not.toHaveBeenCalled();
    },
  );

  it('The control API reads JSON from a client that is no page, whatever the content type', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await call(`${local.azure.controlUrl}/clock`, headers, '{"advance":"PT1S"}')).toBe(200);
    expect(await call(`${local.azure.controlUrl}/clock`, headers, 'advance=PT1S')).toBe(400);
  });

  it('The control API accepts a body that is declared as JSON and is JSON', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    expect(await call(`${local.azure.controlUrl}/clock`, headers, '{"advance":"PT1S"}')).toBe(200);
    expect(await call(`${local.azure.controlUrl}/clock`, headers, 'advance=PT1S')).toBe(400);
  });
});
