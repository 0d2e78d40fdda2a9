import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createAppApi, readPages } from '../../../src/cli/procedures/app-api.ts';
import { FLEET_LIST } from '../../../src/status/fleet-schemas.ts';
import { ROTATION_LIST } from '../../../src/status/rotation-schemas.ts';

let answer = { status: 200, body: '{}' };
let location: string | undefined;
const server = createServer((_, response) =>
  response.writeHead(answer.status, location === undefined ? {} : { location }).end(answer.body),
);
let address: string;
beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
});
afterAll(() => server.close());

const ANY = z.unknown();
const scopes: unknown[] = [];
const api = (audience = 'api://app', at = address) =>
  createAppApi(at, audience, {
    getToken: async (scope) => {
      scopes.push(scope);
      return { token: 't', expiresOnTimestamp: 0 };
    },
  });

describe('the API of the app, as an operator calls it', () => {
  it.each([
    ['api://app', 'api://app/.default'],
    ['a9100000-0000-4000-8000-00000000c3c3,api://app', 'api://app/.default'],
    ['a9100000-0000-4000-8000-00000000c3c3', 'a9100000-0000-4000-8000-00000000c3c3/.default'],
  ])(
    'The client of the API accepts CMK_API_AUDIENCE in each form that the app accepts: %s',
    async (audience, scope) => {
      answer = { status: 200, body: '{}' };
      await api(audience).get('/fleet', ANY);
      expect(scopes.at(-1)).toBe(scope);
    },
  );

  it.each([
    [401, '{"detail":"No.","nextStep":"Sign in."}', 'SignInNeeded', /answers 401: No\./],
    [403, '{"detail":"No role."}', 'MissingPermission', /answers 403: No role\./],
    [503, '{"detail":"Later."}', 'ServiceUnavailable', /answers 503: Later\./],
    [404, '{"reason":"NoDriftReport","detail":"None yet."}', 'NoDriftReport', /None yet\./],
    [502, '<html>Bad Gateway</html>', 'ServiceUnavailable', /answers 502/],
    [200, '<html>Sign in here</html>', 'ServiceUnavailable', /answers 200, but not in the format of the app's API/],
  ])(
    'The answer of the API is mapped to an exit code and a reason: %i %s: %s',
    async (status, body, reason, message) => {
      answer = { status, body };
      await expect(api().get('/fleet', ANY)).rejects.toMatchObject({ reason, message: expect.stringMatching(message) });
    },
  );

  it.each([
    'http://func-cmk.azurewebsites.net/api',
    'http://127.0.0.1.attacker.example/api',
    'http://localhost.attacker.example/api',
    'http://user@10.0.0.1/api',
    'ftp://127.0.0.1/api',
    'func-cmk.azurewebsites.net/api',
    '',
  ])('The client of the API requests no token for %j, and the error tells why', (at) => {
    const asked = scopes.length;
    expect(() => api('api://app', at)).toThrow(
      expect.objectContaining({ reason: 'ArgumentInvalid', message: expect.stringContaining('only over https') }),
    );
    expect(scopes).toHaveLength(asked);
  });

  it.each(['@attacker.example/api', '//attacker.example/api', 'https://attacker.example', ''])(
    'The client of the API gets no token for the next page %j',
    async (nextLink) => {
      answer = { status: 200, body: JSON.stringify({ value: [], pauses: [], nextLink }) };
      const pages = readPages(api(), '/rotations', ROTATION_LIST);
      await pages.next();
      await expect(pages.next()).rejects.toMatchObject({
        reason: 'ServiceUnavailable',
      });
    },
  );

  it('The client of the API sends no token to the target of a redirect', async () => {
    answer = { status: 302, body: '' };
    location = address;
    await expect(api().get('/fleet', ANY)).rejects.toMatchObject({ message: expect.stringContaining('answers 302') });
  });

  it.each(['null', '1', '"text"', '[]', '{}', '{"summary":{}}', '{"value":{},"causes":3,"summary":{"causes":[{}]}}'])(
    'An answer of the API with another shape is an error with its place, not a crash: %s',
    async (body) => {
      for (const status of [200, 404, 500]) {
        answer = { status, body };
        const read = api().get('/fleet', FLEET_LIST);
        await expect(read).rejects.toMatchObject({ reason: 'ServiceUnavailable', nextStep: expect.any(String) });
      }
    },
  );
});
